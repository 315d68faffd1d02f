//! One test binary; a module a behaviour.
mod spine;
mod support;
// The providers' own signatures and recorded requests.
mod vectors;
