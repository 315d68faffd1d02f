//! The algorithms, and the one table of their names.

/// How a signature is made from a secret and a signature base. Fixed by the stored credential, never by the request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 2104): 32 bytes.
    HmacSha256,
    /// Plain SHA-1 over a text that contains the secret, as Corezoid defines it: 20 bytes.
    SandwichSha1,
}

impl Algorithm {
    const TABLE: [(Self, &'static str); 2] =
        [(Self::HmacSha256, "hmac-sha256"), (Self::SandwichSha1, "sandwich-sha1")];

    /// The name that stands in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// Reads a name back; `None` if there is no such algorithm.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// Length of a signature in bytes, before it is encoded.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        match self {
            Self::HmacSha256 => 32,
            Self::SandwichSha1 => 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for algorithm in [Algorithm::HmacSha256, Algorithm::SandwichSha1] {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        assert_eq!(Algorithm::parse("none"), None);
        assert_eq!(Algorithm::parse(""), None);
    }
}
