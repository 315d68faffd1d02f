//! The secrets of one credential.

use super::SecretVersion;
use smallvec::SmallVec;
use std::ops::{Deref, DerefMut};

/// The secrets of a credential that may still be in use, newest first. One, as most credentials have, is copied without
/// an allocation.
#[derive(Debug, Default)]
pub struct Secrets(SmallVec<[SecretVersion; 1]>);

impl Clone for Secrets {
    /// Copies one secret straight to its place: every request does it.
    #[inline]
    fn clone(&self) -> Self {
        match self.0.as_slice() {
            [only] => Self(SmallVec::from_buf([only.clone()])),
            all => all.iter().cloned().collect(),
        }
    }
}

impl FromIterator<SecretVersion> for Secrets {
    fn from_iter<I: IntoIterator<Item = SecretVersion>>(secrets: I) -> Self {
        Self(secrets.into_iter().collect())
    }
}

impl IntoIterator for Secrets {
    type Item = SecretVersion;
    type IntoIter = smallvec::IntoIter<[SecretVersion; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Deref for Secrets {
    type Target = SmallVec<[SecretVersion; 1]>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Secrets {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
