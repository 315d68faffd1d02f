//! Stub.
/// Stub.
#[derive(Debug)]
pub struct SqliteKeyStore;
