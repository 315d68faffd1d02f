//! One test binary; a module a behaviour.
mod spine;
mod support;
// Which of the URLs that clients type a server can know again.
mod url_arrivals;
// The providers' own signatures and recorded requests.
mod vectors;
