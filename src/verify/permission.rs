//! What a verified caller may do, asked where it is about to be done.

use super::Verified;
use crate::{
    credential::{Access, KeyId, Principal},
    error::{VerifyError, VerifyErrorKind},
};
use std::{error::Error, fmt};

impl Verified {
    /// Goes on only if the caller may do what `permission` names, a word without `*`.
    ///
    /// With the feature `axum`, a handler may return the error as it is: the
    /// [`VerifyLayer`](crate::middleware::VerifyLayer) around it answers 403 in the shape of its other refusals.
    ///
    /// ```
    /// use countersign::{Verified, VerifyError};
    ///
    /// async fn rename(caller: Verified) -> Result<String, VerifyError> {
    ///     caller.require("sites:write")?;
    ///     caller.require_write()?;
    ///     Ok("renamed".to_owned())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`VerifyErrorKind::Forbidden`]; the source tells the operator who lacks what.
    pub fn require(&self, permission: &'static str) -> Result<(), VerifyError> {
        match self.permissions.allows(permission) {
            true => Ok(()),
            false => Err(self.denied(permission)),
        }
    }

    /// Goes on only if the caller may change something at all: whoever came with a read token may not, whatever its
    /// permissions say.
    ///
    /// # Errors
    ///
    /// [`VerifyErrorKind::Forbidden`]; the source tells the operator who may only read.
    pub fn require_write(&self) -> Result<(), VerifyError> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(self.denied("to change anything")),
        }
    }

    fn denied(&self, what: &'static str) -> VerifyError {
        let denied = Denied { key_id: self.key_id.clone(), principal: self.principal.clone(), what };
        VerifyError::with_source(VerifyErrorKind::Forbidden, denied)
    }
}

/// Who may not do what.
#[derive(Debug)]
struct Denied {
    key_id: KeyId,
    principal: Principal,
    what: &'static str,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key_id, principal, what } = self;
        write!(f, "`{key_id}` of account `{principal}` is not allowed {what}")
    }
}

impl Error for Denied {}
