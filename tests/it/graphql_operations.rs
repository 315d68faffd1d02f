//! Which operation of a document runs: the guard, the executor's parser and the executor must all say the same.

use async_graphql::{Context, EmptySubscription, Object, Schema, parser, parser::types::OperationType};
use countersign::graphql::{DocumentGuard, OperationKind};
use proptest::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

fn kind(text: &str, name: Option<&str>) -> Result<OperationKind, String> {
    let document = DocumentGuard::default().check(text).map_err(|error| error.to_string())?;
    document.operation(name).map(|operation| operation.kind()).map_err(|error| error.to_string())
}

#[test]
fn the_operation_is_found_whatever_the_document_looks_like() {
    use OperationKind::{Mutation, Query, Subscription};
    for (text, name, expected) in [
        ("{ a }", None, Query),
        ("query { a }", None, Query),
        ("mutation { a }", None, Mutation),
        ("subscription { a }", None, Subscription),
        ("mutation M { a }", Some("M"), Mutation),
        ("query Q { a } mutation M { a }", Some("Q"), Query),
        ("query Q { a } mutation M { a }", Some("M"), Mutation),
        ("mutation M { a } query Q { a } subscription S { a }", Some("S"), Subscription),
        ("query mutation { a } mutation query { a }", Some("mutation"), Query),
        ("query mutation { a } mutation query { a }", Some("query"), Mutation),
        ("# mutation { a }\n{ a }", None, Query),
        ("{ mutation: a(text: \"mutation { a }\") mutation }", None, Query),
        ("{ a(text: \"\"\"} mutation M { a } {\"\"\") }", None, Query),
        ("fragment mutation on Query { a } query { ...mutation }", None, Query),
        ("#{ a }\nmutation { a }", None, Mutation),
        ("\u{feff}mutation { a }", None, Mutation),
        (",,,mutation,{ a }", None, Mutation),
        ("fragment F on Mutation { a } mutation { ...F }", None, Mutation),
    ] {
        assert_eq!(kind(text, name), Ok(expected), "{text} {name:?}");
    }
}

#[test]
fn a_document_without_such_an_operation_runs_none() {
    for (text, name) in [
        ("{ a }", Some("Q")),
        ("{ a }", Some("")),
        ("query Q { a }", Some("q")),
        ("query Q { a } query R { a }", None),
        ("query Q { a } fragment F on Query { a }", Some("F")),
    ] {
        assert!(kind(text, name).is_err(), "{text} {name:?}");
    }
}

/// A schema in which both sides have the same field, and changes are counted.
struct Reads;
struct Changes;
struct Counter(Arc<AtomicUsize>);

#[Object]
impl Reads {
    async fn a(&self, #[graphql(default)] text: String) -> usize {
        text.len()
    }

    async fn mutation(&self) -> usize {
        0
    }
}

#[Object]
impl Changes {
    async fn a(&self, context: &Context<'_>, #[graphql(default)] text: String) -> usize {
        context.data_unchecked::<Counter>().0.fetch_add(1, Ordering::Relaxed) + text.len()
    }

    async fn mutation(&self, context: &Context<'_>) -> usize {
        context.data_unchecked::<Counter>().0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Runs a document, and says how many fields of the mutation were run, and whether the executor found no fault.
fn execute(text: &str, name: Option<&str>) -> (usize, bool) {
    let counter = Arc::new(AtomicUsize::new(0));
    let schema = Schema::build(Reads, Changes, EmptySubscription).finish();
    let mut request = async_graphql::Request::new(text);
    request.operation_name = name.map(str::to_owned);
    let request = request.data(Counter(Arc::clone(&counter)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let response = runtime.block_on(schema.execute(request));
    (counter.load(Ordering::Relaxed), response.is_ok())
}

/// Documents of a few definitions, in which the words of operations stand in all places; now and then one is broken.
fn document() -> impl Strategy<Value = String> {
    let word = |words: &[&'static str]| prop::sample::select(words.to_vec());
    let noise = word(&["", " ", "\n", ",", "\u{feff}", "# mutation M { a }\n", "#", "\"", "{", "}"]);
    let keyword = word(&["", "query", "query", "mutation", "mutation", "subscription", "fragment"]);
    let name = word(&["", "Q", "M", "query", "mutation", "F on Reads", "F on Changes"]);
    let selection = word(&[
        "{ a }",
        "{ mutation }",
        "{ query: mutation }",
        "{ ...F }",
        "{ a(text: \"mutation M { a }\") }",
        "{ a(text: \"\"\"} mutation { a }\"\"\") }",
    ]);
    let definition = (noise, keyword, name, selection)
        .prop_map(|(noise, keyword, name, selection)| format!("{noise} {keyword} {name} {selection}"));
    prop::collection::vec(definition, 1..4).prop_map(|definitions| definitions.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// What is said to be a query never runs as anything else; what the executor runs as a mutation was said to be one.
    #[test]
    fn guard_and_executor_never_choose_differently(
        text in document(),
        name in prop::sample::select(vec![None, Some("Q"), Some("M"), Some("mutation"), Some("query")]),
    ) {
        let Ok(kind) = kind(&text, name) else { return Ok(()) };
        let (changes, ran) = execute(&text, name);
        prop_assert!(kind == OperationKind::Mutation || changes == 0, "{kind:?}: {text}");
        prop_assert!(kind != OperationKind::Mutation || !ran || changes > 0, "ran as something else: {text}");
        if let Some(theirs) = kind_by_executor(&text, name) {
            prop_assert_eq!(theirs, kind, "{}", text);
        }
    }
}

/// What the executor's own parser says, if the document parses there.
fn kind_by_executor(text: &str, name: Option<&str>) -> Option<OperationKind> {
    let document = parser::parse_query(text).ok()?;
    let named = |theirs: Option<&str>| name.is_none() || theirs == name;
    let mut operations = document.operations.iter();
    let (_, operation) = operations.find(|(theirs, _)| named(theirs.map(|theirs| theirs.as_str())))?;
    Some(match operation.node.ty {
        OperationType::Query => OperationKind::Query,
        OperationType::Mutation => OperationKind::Mutation,
        OperationType::Subscription => OperationKind::Subscription,
    })
}
