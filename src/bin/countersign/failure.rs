//! Why a command failed: what went wrong, what to do next, and the exit code that scripts rely on.

use countersign::store::{AdminError, AdminErrorKind};
use std::{error::Error, process::ExitCode};

/// How the program ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// All was done.
    Success = 0,
    /// Something else went wrong.
    Failure = 1,
    /// What was typed cannot be meant; clap ends with the same number.
    Usage = 2,
    /// The signature is not valid.
    Invalid = 3,
    /// What was asked for does not exist.
    NotFound = 4,
    /// The key store cannot be reached.
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that did not do what was asked. The hint says what to do next, so that nobody is left with a mere no.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// A stable word for programs.
    pub code: &'static str,
    /// What went wrong, in one line.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Failure {
    /// A failure that ends the program with `exit`.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), hint: hint.into() }
    }

    /// What was typed cannot be meant.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message, hint)
    }

    /// The key store did not do what was asked about `what`, for example "organization `acme`".
    pub fn admin(error: &AdminError, what: &str, hint: impl Into<String>) -> Self {
        match error.kind() {
            AdminErrorKind::Exists => {
                Self::new(Exit::Failure, "exists", format!("{what} exists already, or existed once"), hint)
            }
            AdminErrorKind::NotFound => {
                Self::new(Exit::NotFound, "not_found", format!("there is no {what}"), hint)
            }
            AdminErrorKind::Invalid => Self::new(Exit::Failure, "invalid", what, hint).because(error),
            _ => Self::unreachable("the key store does not answer").because(error),
        }
    }

    /// The key store cannot be reached.
    pub fn unreachable(message: impl Into<String>) -> Self {
        let hint = "check the database, its URL and the keyring: `countersign migrate --status`";
        Self::new(Exit::Unreachable, "store_unreachable", message, hint)
    }

    /// Adds an error and its own causes to the message.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat their source in their own text.
            if !self.message.ends_with(&text) {
                self.message = format!("{}: {text}", self.message);
            }
            cause = error.source();
        }
        self
    }
}
