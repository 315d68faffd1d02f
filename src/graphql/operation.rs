//! Which operation of a document a request runs, and what kind of operation that is.

use apollo_parser::cst::OperationDefinition;
use std::{error::Error, fmt};

/// An operation of a [`Document`](super::Document).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operation {
    name: Option<String>,
    kind: OperationKind,
}

/// The kind of an [`Operation`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum OperationKind {
    /// Reads, and by the specification changes nothing.
    Query,
    /// Changes something.
    Mutation,
    /// Stays open.
    Subscription,
}

impl Operation {
    pub(super) fn of(definition: &OperationDefinition) -> Self {
        let kind = definition.operation_type().map_or(OperationKind::Query, |word| {
            if word.query_token().is_some() {
                OperationKind::Query
            } else if word.subscription_token().is_some() {
                OperationKind::Subscription
            } else {
                // Whatever else it might be, it is not a mere query.
                OperationKind::Mutation
            }
        });
        Self { name: definition.name().map(|name| name.text().to_string()), kind }
    }

    pub(super) fn choose<'o>(operations: &'o [Self], name: Option<&str>) -> Result<&'o Self, OperationError> {
        match (name, operations) {
            (None, [only]) => Ok(only),
            (None, _) => Err(OperationError(Choice::NoName)),
            (Some(name), _) => {
                let named = operations.iter().find(|operation| operation.name.as_deref() == Some(name));
                named.ok_or(OperationError(Choice::Unknown))
            }
        }
    }

    /// Its name; an operation without one is the only one of its document.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> OperationKind {
        self.kind
    }
}

/// A request runs no operation of its document. The text may be shown to whoever sent it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OperationError(Choice);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Choice {
    NoName,
    Unknown,
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Choice::NoName => "the document has several operations: name one in `operationName`",
            Choice::Unknown => "the document has no operation of the name in `operationName`",
        })
    }
}

impl Error for OperationError {}
