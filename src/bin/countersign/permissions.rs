//! Permissions as they are typed and printed, the same for accounts, keys, clients and read tokens.

use crate::failure::Failure;
use clap::{Args, builder::PossibleValuesParser};
use countersign::{
    credential::{Permissions, PermissionsError},
    store::Switch,
};

/// What something may do.
#[derive(Debug, Args)]
pub struct PermissionArgs {
    /// A permission, like `sites:read`, `sites:*` or `-sites:delete` (denied); may be given several times. With none, everything that the account may
    #[arg(long = "permission", value_name = "WORD", allow_hyphen_values = true, value_parser = Permissions::parse)]
    permissions: Vec<Permissions>,

    /// The permissions of a named policy: the words are stored, not the name
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Permissions::policies()))]
    policy: Option<String>,
}

impl PermissionArgs {
    /// The words that were given together; `None` if there were none.
    pub fn given(&self) -> Result<Option<Permissions>, Failure> {
        let policy = self.policy.as_deref().and_then(Permissions::policy);
        let mut given = policy.into_iter().chain(self.permissions.iter().cloned());
        let first = given.next();
        first.map(|first| given.try_fold(first, |all, more| all.with(&more))).transpose().map_err(too_many)
    }
}

/// What something may do from now on, in place of what it may do now.
#[derive(Debug, Args)]
pub struct ReplaceArgs {
    /// Everything that the account may
    #[arg(long, required_unless_present_any = ["permissions", "policy"], conflicts_with_all = ["permissions", "policy"])]
    all: bool,

    #[command(flatten)]
    words: PermissionArgs,
}

impl ReplaceArgs {
    /// The words that were given together; `None` for all that the account may.
    pub fn given(&self) -> Result<Option<Permissions>, Failure> {
        self.words.given()
    }
}

/// Puts words that were given one by one together.
pub fn together(words: &[Permissions]) -> Result<Permissions, Failure> {
    words.iter().try_fold(Permissions::none(), |all, more| all.with(more)).map_err(too_many)
}

fn too_many(error: PermissionsError) -> Failure {
    Failure::usage("the permissions are refused", "give fewer, with `*` for many: `sites:*`").because(&error)
}

/// The words, one by one.
pub fn words(permissions: &Permissions) -> Vec<String> {
    permissions.to_string().split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What an account may do, for people.
pub fn of_an_account(permissions: &Permissions) -> String {
    Some(permissions.to_string()).filter(|words| !words.is_empty()).unwrap_or_else(|| "nothing".to_owned())
}

/// What something that belongs to an account may do, for people.
pub fn of_a_part(words: Option<&[String]>) -> String {
    match words {
        None => "as its account".to_owned(),
        Some([]) => "nothing".to_owned(),
        Some(words) => words.join(" "),
    }
}

/// The same, of words that were just set.
pub fn told_of_a_part(permissions: Option<&Permissions>) -> String {
    of_a_part(permissions.map(words).as_deref())
}

/// What was done, and the state after it.
pub const fn told(switch: Switch) -> (&'static str, &'static str) {
    match switch {
        Switch::On => ("enabled", "active"),
        Switch::Off => ("disabled", "disabled"),
    }
}
