//! One test binary; a module a behaviour.
// What a signature covers, and that the docs say so.
mod covers;
// What holds for every request of every scheme.
mod properties;
mod spine;
mod support;
// Which of the URLs that clients type a server can know again.
mod url_arrivals;
// The providers' own signatures and recorded requests.
mod vectors;
