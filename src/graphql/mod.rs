//! A guard for GraphQL documents: what an executor may be given to parse, and what would harm it.
//!
//! A signature says who sent a document, not that the document is harmless. Executors parse and validate recursively,
//! and some do so without a bound: 3 kB of nested list brackets overflow the stack of a worker thread and end the whole
//! process, and a chain of thirty fragments, each spread twice by the one before it, keeps a processor busy for
//! minutes. The guard reads a document first, with a parser that counts as it goes, and hands on only what is small,
//! well-formed and means the same to every executor.
//!
//! [`Requests`] reads the body in which documents come, so that whoever judges a request judges the one that runs.
//! Whoever may only read may only run queries: [`Document::operation`] tells which operation an executor would run, and
//! of what kind it is.
//!
//! A document passes if
//!
//! 1. it has at most as many tokens as the token limit says;
//! 2. nothing in it nests deeper than the recursion limit, counted through fragments;
//! 3. it parses, and defines only operations and fragments, at least one operation among them;
//! 4. no two operations and no two fragments share a name, and an operation without a name stands alone: otherwise two
//!    programs could choose different operations from the same document;
//! 5. what its operations select, fragments written out, are at most as many selections as the selection limit says.
//!
//! What a document asks for (whether its fields exist, what they cost) stays the executor's business.
//!
//! # Example
//!
//! ```
//! use countersign::graphql::{DocumentError, DocumentGuard};
//!
//! let guard = DocumentGuard::default();
//! let document = guard.check("query Titles($limit: Int) { titles(limit: $limit) { id name } }")?;
//! // schema.execute(document.text())
//!
//! let nested = format!("{{ a(x: {}{}) }}", "[".repeat(2_000), "]".repeat(2_000));
//! assert_eq!(guard.check(&nested).unwrap_err(), DocumentError::TooDeep { limit: 64 });
//! # Ok::<(), DocumentError>(())
//! ```
//!
//! # Security
//!
//! The guard bounds a document, not the variables beside it (a JSON parser bounds those) and not a batch: [`Requests::read`]
//! takes how many documents one body may carry.

mod operation;
mod request;

pub use self::{
    operation::{Operation, OperationError, OperationKind},
    request::{Request, RequestError, Requests},
};

use apollo_parser::{
    Parser,
    cst::{Definition, Document as Cst, OperationDefinition, Selection, SelectionSet},
};
use std::{
    collections::{HashMap, HashSet},
    error::Error,
    fmt,
};

/// Longest part of a parser's message that is kept: it may quote the document.
const LONGEST_MESSAGE: usize = 160;

/// Decides which GraphQL documents an executor may see. See the [module](self) for the rules.
#[derive(Clone, Copy, Debug)]
pub struct DocumentGuard {
    recursion_limit: usize,
    token_limit: usize,
    selection_limit: usize,
}

impl Default for DocumentGuard {
    /// At most 64 levels, 10 000 tokens and 10 000 selections.
    fn default() -> Self {
        Self { recursion_limit: 64, token_limit: 10_000, selection_limit: 10_000 }
    }
}

impl DocumentGuard {
    /// Sets how deep selections, values and types may nest.
    ///
    /// # Security
    ///
    /// Every level costs the guard and the executor stack. The default is far below what a thread of 2 MiB bears.
    #[must_use]
    pub const fn with_recursion_limit(mut self, levels: usize) -> Self {
        self.recursion_limit = levels;
        self
    }

    /// Sets how many tokens a document may have. Blanks and comments between tokens count as well.
    #[must_use]
    pub const fn with_token_limit(mut self, tokens: usize) -> Self {
        self.token_limit = tokens;
        self
    }

    /// Sets how many fields and fragments the operations may select together, a fragment counted wherever it is spread.
    #[must_use]
    pub const fn with_selection_limit(mut self, selections: usize) -> Self {
        self.selection_limit = selections;
        self
    }

    /// Checks a document.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] says which rule the document breaks.
    pub fn check<'d>(&self, text: &'d str) -> Result<Document<'d>, DocumentError> {
        let definitions = Definitions::sort(&self.parse(text)?)?;
        definitions.check_names()?;
        self.check_selections(&definitions)?;
        Ok(Document { text, operations: definitions.operations.iter().map(Operation::of).collect() })
    }

    fn parse(&self, text: &str) -> Result<Cst, DocumentError> {
        let parser = Parser::new(text);
        let tree = parser.recursion_limit(self.recursion_limit).token_limit(self.token_limit).parse();
        let Some(error) = tree.errors().next() else { return Ok(tree.document()) };
        // After a limit the parser stops, and what it says about the rest is no longer about the document.
        if tree.token_limit().high > self.token_limit {
            return Err(DocumentError::TooManyTokens { limit: self.token_limit });
        }
        if tree.recursion_limit().high > self.recursion_limit {
            return Err(DocumentError::TooDeep { limit: self.recursion_limit });
        }
        let message = error.message().chars().take(LONGEST_MESSAGE).collect();
        let (line, column) = position(text, error.index());
        Err(DocumentError::Syntax { message, line, column })
    }

    fn check_selections(&self, definitions: &Definitions) -> Result<(), DocumentError> {
        let mut walk = Walk { guard: self, fragments: &definitions.fragments, selections: 0 };
        let mut sets = definitions.operations.iter().filter_map(OperationDefinition::selection_set);
        sets.try_for_each(|set| walk.enter(&set, 1))
    }
}

/// A document that passed a [`DocumentGuard`]; there is no other way to come by one.
#[derive(Clone, Debug)]
pub struct Document<'d> {
    text: &'d str,
    operations: Vec<Operation>,
}

impl<'d> Document<'d> {
    /// The document as it was sent.
    #[must_use]
    pub const fn text(&self) -> &'d str {
        self.text
    }

    /// Its operations, in their order.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation that an executor runs for a request: the one of that name, or, where no name is given, the only
    /// one (GraphQL of October 2021, §6.1). What the request may do follows from its
    /// [`kind`](Operation::kind):
    ///
    /// ```
    /// use countersign::graphql::{DocumentGuard, OperationKind};
    ///
    /// let guard = DocumentGuard::default();
    /// let document = guard.check("query Q { mutation } mutation M { remove(id: 1) }")?;
    /// assert_eq!(document.operation(Some("Q"))?.kind(), OperationKind::Query);
    /// assert_eq!(document.operation(Some("M"))?.kind(), OperationKind::Mutation);
    /// assert!(document.operation(None).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`OperationError`] if there is no such operation, or no name and several operations. An executor runs none then.
    ///
    /// # Security
    ///
    /// Give the executor the same name, not what the request held elsewhere: a second `operationName` beside the first
    /// would let it choose another operation than this one.
    pub fn operation(&self, name: Option<&str>) -> Result<&Operation, OperationError> {
        Operation::choose(&self.operations, name)
    }
}

/// A document was refused. The text of the error may be shown to whoever sent the document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DocumentError {
    /// An operation without a name stands beside another operation.
    AnonymousBesideOthers,
    /// Two fragments have one name.
    DuplicateFragment {
        /// The name.
        name: String,
    },
    /// Two operations have one name.
    DuplicateOperation {
        /// The name.
        name: String,
    },
    /// The document defines no operation.
    NoOperation,
    /// The document defines types or directives.
    NotExecutable,
    /// The document is not GraphQL.
    Syntax {
        /// What the parser expected.
        message: String,
        /// The line where it expected that, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
    },
    /// Something nests deeper than the recursion limit.
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The operations select more than the selection limit, fragments written out.
    TooManySelections {
        /// The limit.
        limit: usize,
    },
    /// The document has more tokens than the token limit.
    TooManyTokens {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnonymousBesideOthers => {
                f.write_str("an operation without a name must be the only operation of its document")
            }
            Self::DuplicateFragment { name } => write!(f, "several fragments are named `{name}`"),
            Self::DuplicateOperation { name } => write!(f, "several operations are named `{name}`"),
            Self::NoOperation => f.write_str("the document has no operation"),
            Self::NotExecutable => f.write_str("the document defines types or directives"),
            Self::Syntax { message, line, column } => write!(f, "{message} (line {line}, column {column})"),
            Self::TooDeep { limit } => write!(f, "the document nests deeper than {limit} levels"),
            Self::TooManySelections { limit } => {
                write!(f, "the document selects more than {limit} fields, with its fragments written out")
            }
            Self::TooManyTokens { limit } => write!(f, "the document has more than {limit} tokens"),
        }
    }
}

impl Error for DocumentError {}

/// What a document defines.
struct Definitions {
    operations: Vec<OperationDefinition>,
    fragments: HashMap<String, SelectionSet>,
}

impl Definitions {
    fn sort(document: &Cst) -> Result<Self, DocumentError> {
        let mut sorted = Self { operations: Vec::new(), fragments: HashMap::new() };
        for definition in document.definitions() {
            match definition {
                Definition::OperationDefinition(operation) => sorted.operations.push(operation),
                Definition::FragmentDefinition(fragment) => {
                    let name = fragment.fragment_name().and_then(|name| name.name());
                    let (Some(name), Some(set)) = (name, fragment.selection_set()) else { continue };
                    let name = name.text().to_string();
                    if sorted.fragments.insert(name.clone(), set).is_some() {
                        return Err(DocumentError::DuplicateFragment { name });
                    }
                }
                _ => return Err(DocumentError::NotExecutable),
            }
        }
        Ok(sorted)
    }

    fn check_names(&self) -> Result<(), DocumentError> {
        if self.operations.is_empty() {
            return Err(DocumentError::NoOperation);
        }
        let mut names = HashSet::new();
        for operation in &self.operations {
            let Some(name) = operation.name() else {
                if self.operations.len() > 1 {
                    return Err(DocumentError::AnonymousBesideOthers);
                }
                continue;
            };
            let name = name.text().to_string();
            if names.contains(&name) {
                return Err(DocumentError::DuplicateOperation { name });
            }
            names.insert(name);
        }
        Ok(())
    }
}

/// Walks through the selections of operations as an executor does, entering a fragment wherever it is spread.
///
/// It takes no more steps than the selection limit, so a document cannot make the walk itself expensive; and it goes no
/// deeper than the recursion limit, so a fragment that contains itself ends it.
struct Walk<'a> {
    guard: &'a DocumentGuard,
    fragments: &'a HashMap<String, SelectionSet>,
    selections: usize,
}

impl Walk<'_> {
    fn enter(&mut self, set: &SelectionSet, depth: usize) -> Result<(), DocumentError> {
        if depth > self.guard.recursion_limit {
            return Err(DocumentError::TooDeep { limit: self.guard.recursion_limit });
        }
        for selection in set.selections() {
            self.selections += 1;
            if self.selections > self.guard.selection_limit {
                return Err(DocumentError::TooManySelections { limit: self.guard.selection_limit });
            }
            self.follow(&selection, depth)?;
        }
        Ok(())
    }

    fn follow(&mut self, selection: &Selection, depth: usize) -> Result<(), DocumentError> {
        let inner = match selection {
            Selection::Field(field) => field.selection_set(),
            Selection::InlineFragment(fragment) => fragment.selection_set(),
            Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name().and_then(|name| name.name());
                // A fragment that is not there has nothing to enter; the executor says that it is missing.
                let fragment = name.and_then(|name| self.fragments.get(name.text().as_str()));
                return fragment.map_or(Ok(()), |set| self.enter(set, depth + 1));
            }
        };
        inner.map_or(Ok(()), |set| self.enter(&set, depth + 1))
    }
}

/// Line and column of a byte of the text, both from 1. Bytes past its end stand at its end.
fn position(text: &str, index: usize) -> (usize, usize) {
    let before = text.get(..index).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests;
