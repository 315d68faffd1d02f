//! What a caller who may only read may run: queries, judged twice.
//!
//! The first judge is the guard's reading of the document, the second the executor's own, which it then executes. Should
//! the two parsers ever read a text differently, neither can be talked into a mutation by way of the other.

use crate::schema::FORBIDDEN;
use async_graphql::{ErrorExtensionValues, Request, ServerError, parser::types::OperationType};
use countersign::graphql::{Document, OperationKind};

/// Lets a request through if the operation that it runs is a query. Which one that is, its `operationName` says.
pub(crate) fn check(document: &Document<'_>, request: &mut Request) -> Result<(), ServerError> {
    check_first(document, request.operation_name.as_deref())?;
    check_again(request)
}

fn check_first(document: &Document<'_>, name: Option<&str>) -> Result<(), ServerError> {
    let operation = document.operation(name).map_err(|error| ServerError::new(error.to_string(), None))?;
    match operation.kind() {
        OperationKind::Query => Ok(()),
        OperationKind::Mutation => Err(refusal("mutation")),
        OperationKind::Subscription => Err(refusal("subscription")),
    }
}

fn check_again(request: &mut Request) -> Result<(), ServerError> {
    let name = request.operation_name.clone();
    // Without a name, which the executor takes for the only operation, it is all of them that count.
    let meant = |operation: Option<&str>| name.is_none() || operation == name.as_deref();
    for (operation, definition) in request.parsed_query()?.operations.iter() {
        match definition.node.ty {
            OperationType::Query => {}
            _ if !meant(operation.map(|name| name.as_str())) => {}
            OperationType::Mutation => return Err(refusal("mutation")),
            OperationType::Subscription => return Err(refusal("subscription")),
        }
    }
    Ok(())
}

fn refusal(what: &str) -> ServerError {
    let mut error = ServerError::new(format!("these credentials may only read, and not run a {what}"), None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", FORBIDDEN);
    error.extensions = Some(extensions);
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::graphql::DocumentGuard;

    #[test]
    fn both_judges_say_the_same_of_every_document() {
        let both = "query Q { a } mutation M { b } subscription S { c } fragment mutation on T { d }";
        for (text, name, reads) in [
            ("{ a }", None, true),
            ("query { mutation }", None, true),
            ("query mutation { a }", None, true),
            ("query mutation { a }", Some("mutation"), true),
            ("# mutation\n{ a(b: \"mutation { c }\", d: \"\"\"\n} mutation { e }\"\"\") }", None, true),
            ("{ ...mutation } fragment mutation on Query { a }", None, true),
            ("mutation { a }", None, false),
            ("mutation M { a }", Some("M"), false),
            (",,\u{feff} mutation\n#\n{ a }", None, false),
            ("mutation query { query }", None, false),
            ("mutation($query: Int = 1) @query { a }", None, false),
            ("subscription { a }", None, false),
            (both, Some("Q"), true),
            (both, Some("M"), false),
            (both, Some("S"), false),
        ] {
            let document = DocumentGuard::default().check(text).unwrap();
            let mut request = Request::new(text);
            request.operation_name = name.map(str::to_owned);
            assert_eq!(check_first(&document, name).is_ok(), reads, "{text} {name:?}");
            assert_eq!(check_again(&mut request).is_ok(), reads, "{text} {name:?}");
        }
    }

    #[test]
    fn without_a_name_one_mutation_among_many_is_enough() {
        let text = "query Q { a } mutation M { b }";
        let document = DocumentGuard::default().check(text).unwrap();
        assert!(check_first(&document, None).is_err() && check_again(&mut Request::new(text)).is_err());
    }
}
