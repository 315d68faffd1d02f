//! Paths that name an organization, which must be the one that the request is verified for.

use crate::{
    credential::Organization,
    error::{ConfigError, VerifyError, VerifyErrorKind},
    scheme::Route,
};
use http::Method;

/// Templates of paths in which a segment names an organization.
#[derive(Clone, Debug, Default)]
pub(super) struct OrganizationPaths(Vec<Route>);

impl OrganizationPaths {
    /// Takes those of the routes that name an organization.
    pub(super) fn among<'r>(routes: impl IntoIterator<Item = &'r Route>) -> Self {
        Self(routes.into_iter().filter(|route| route.names("organization")).cloned().collect())
    }

    pub(super) fn add(&mut self, template: &str) -> Result<(), ConfigError> {
        // The method does not matter: only paths are compared.
        self.0.push(Route::new(Method::POST, template)?);
        Ok(())
    }

    /// Refuses a path that names another organization than the one that the request acts for.
    pub(super) fn check(&self, path: &str, acts_for: Option<&Organization>) -> Result<(), VerifyError> {
        let named = self
            .0
            .iter()
            .filter(|route| route.matches_path(path))
            .filter_map(|route| route.named("organization", path));
        for named in named {
            let named = Organization::new(named).map_err(|_| elsewhere())?;
            if acts_for != Some(&named) {
                return Err(elsewhere());
            }
        }
        Ok(())
    }
}

fn elsewhere() -> VerifyError {
    VerifyError::with_detail(VerifyErrorKind::WrongOrganization, "the path names another organization")
}
