//! The guard on ordinary, ambiguous and hostile documents.

use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn refusal(text: &str) -> DocumentError {
    DocumentGuard::default().check(text).expect_err(text)
}

/// Runs the guard where a server would: on a worker thread with the stack that runtimes give it.
fn on_a_small_stack(text: String) -> Result<(), DocumentError> {
    let check = move || DocumentGuard::default().check(&text).map(|_| ());
    std::thread::Builder::new().stack_size(2 << 20).spawn(check).unwrap().join().unwrap()
}

#[test]
fn documents_of_real_clients_pass_unchanged() {
    for text in [
        "{a}",
        "\u{feff}{a}",
        "{ query appOrganizations { uuid, label } }",
        "query Titles($limit: Int) { titles(limit: $limit) { id name } }",
        "mutation createLog($log: NewLog!) {createLog(log: $log)}",
        "query { itemsList(organization:\"7b37\"){ title images{file{sources{original}}} } }",
        "query Q{a} mutation M{b} subscription S{c}",
        "fragment F on Q{a} query{...F ...F ... on Q{b} ...{c} ...Missing}",
        "# mutation\n{a(s:\"mutation M{b}\" t:\"\"\"block \\\"\"\" {{{[[[\"\"\")}",
        "query Q($a:[[Int!]!]={b:[1,2.5e3,null,E,{}]}@d){a@skip(if:true)}",
    ] {
        let passed = DocumentGuard::default().check(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(passed.text(), text);
    }
}

#[test]
fn documents_that_could_mean_two_things_are_refused() {
    let same = |name: &str| DocumentError::DuplicateOperation { name: name.to_owned() };
    assert_eq!(refusal("query Q{a} mutation Q{b}"), same("Q"));
    assert_eq!(refusal("query Q{a} query R{a} query Q{a}"), same("Q"));
    assert_eq!(refusal("{a} mutation M{b}"), DocumentError::AnonymousBesideOthers);
    assert_eq!(refusal("mutation M{b} query{a}"), DocumentError::AnonymousBesideOthers);
    assert_eq!(refusal("{a} {b}"), DocumentError::AnonymousBesideOthers);
    let fragments = "{...F} fragment F on Q{a} fragment F on Q{b}";
    assert_eq!(refusal(fragments), DocumentError::DuplicateFragment { name: "F".to_owned() });
}

#[test]
fn what_no_executor_can_run_is_refused() {
    assert_eq!(refusal("fragment F on Q{a}"), DocumentError::NoOperation);
    assert_eq!(refusal("type T{a:Int}"), DocumentError::NotExecutable);
    assert_eq!(refusal("{a} extend type T{a:Int}"), DocumentError::NotExecutable);
    for text in [
        "",
        "{",
        "}",
        "{a",
        "{}",
        "query",
        "{a}\0",
        "\"",
        "\"\"\"",
        "{ \"query\": { a } }",
        "{a(x:\"\\u{D800}\")}",
    ] {
        assert!(matches!(refusal(text), DocumentError::Syntax { .. }), "{text:?}: {:?}", refusal(text));
    }
}

#[test]
fn a_syntax_error_says_where_and_stays_short() {
    let DocumentError::Syntax { line, column, .. } = refusal("{\n  ä(x: 1\n}") else {
        panic!("no syntax error")
    };
    assert_eq!((line, column), (2, 3));
    let long = refusal(&format!("{{a(x:{})", "b".repeat(1 << 20)));
    assert!(long.to_string().len() < 1_000, "{} bytes", long.to_string().len());
}

#[test]
fn nesting_of_any_depth_is_refused_quickly_on_a_small_stack() {
    for depth in [100, 1_600, 7_800, 8_000, 50_000, 200_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for text in [
            format!("{{a(x:{open}{close})}}"),
            format!("{{a(x:{open}"),
            format!("{{a(x:{}1{})}}", "{y:".repeat(depth), "}".repeat(depth)),
            format!("{{a(x:{})}}", "[{y:".repeat(depth)),
            format!("query($x:{open}Int{close}){{a}}"),
            format!("query($x:Int={open}{close}){{a}}"),
            format!("{{a@d(x:{open}{close})}}"),
            format!("type T@d(x:{open}{close}){{a:Int}}"),
            "{a".repeat(depth) + &"}".repeat(depth),
            "{...".repeat(depth),
        ] {
            let start = Instant::now();
            on_a_small_stack(text).unwrap_err();
            assert!(start.elapsed() < Duration::from_secs(2), "{depth}: {:?}", start.elapsed());
        }
    }
}

#[test]
fn the_limits_are_the_last_that_pass() {
    let nested = |levels: usize| "{a".repeat(levels) + &"}".repeat(levels);
    let guard = DocumentGuard::default().with_recursion_limit(5);
    assert!(guard.check(&nested(5)).is_ok());
    assert_eq!(guard.check(&nested(6)).unwrap_err(), DocumentError::TooDeep { limit: 5 });

    let guard = DocumentGuard::default().with_token_limit(100);
    let fields = |count: usize| format!("{{{}}}", "a ".repeat(count));
    assert!(guard.check(&fields(48)).is_ok());
    assert_eq!(guard.check(&fields(100)).unwrap_err(), DocumentError::TooManyTokens { limit: 100 });

    let guard = DocumentGuard::default().with_selection_limit(4);
    assert!(guard.check("{a b{c d}}").is_ok());
    assert_eq!(guard.check("{a b{c d} e}").unwrap_err(), DocumentError::TooManySelections { limit: 4 });
}

#[test]
fn fragments_count_wherever_they_are_spread() {
    let mut bomb = String::from("{...F0}");
    for i in 0..40 {
        bomb += &format!(" fragment F{i} on Q{{...F{0} ...F{0}}}", i + 1);
    }
    let start = Instant::now();
    let refused = on_a_small_stack(bomb + " fragment F40 on Q{a}").unwrap_err();
    assert_eq!(refused, DocumentError::TooManySelections { limit: 10_000 });
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn fragments_nest_and_cannot_contain_themselves() {
    let chain = |length: usize| {
        let link = |i: usize| format!(" fragment F{i} on Q{{...F{}}}", i + 1);
        format!("{{...F0}}{} fragment F{length} on Q{{a}}", (0..length).map(link).collect::<String>())
    };
    assert!(DocumentGuard::default().check(&chain(62)).is_ok());
    for text in
        [&chain(63), "{...F} fragment F on Q{...F}", "{...A} fragment A on Q{b{...B}} fragment B on Q{...A}"]
    {
        assert_eq!(refusal(text), DocumentError::TooDeep { limit: 64 });
    }
}

#[test]
fn two_mebibytes_of_anything_are_answered_quickly() {
    for piece in [
        "a", " ", "\n", ",", "#", "\"", "\\", "\"\"\"", "{", "...", "0", "-", "é", "a:", "$", "!", "@a",
        "\u{0}",
    ] {
        let start = Instant::now();
        let _ = on_a_small_stack(piece.repeat((2 << 20) / piece.len()));
        let _ = on_a_small_stack(format!("{{a(x:{}", piece.repeat((2 << 20) / piece.len())));
        assert!(start.elapsed() < Duration::from_secs(5), "{piece:?}: {:?}", start.elapsed());
    }
}

proptest! {
    /// The parser asserts things about itself; whatever arrives must not make an assertion fail.
    #[test]
    fn no_document_makes_the_guard_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "query ", "mutation ", "fragment ", "on ", "type ", "extend ", "schema ", "input ", "directive ", "a ", "B ",
            "{", "}", "(", ")", "[", "]", "...", ":", "=", "$", "!", "@", "|", "&", ",", "\"", "\"\"\"", "\\", "#", "\n",
            "\r", "1", "-1.5e3", "true", "null", "\\u{", "\\ud83d", "é", "\0", "\u{feff}",
        ]), 0..200),
        limits in (0_usize..70, 0_usize..300, 0_usize..50),
    ) {
        let guard = DocumentGuard::default()
            .with_recursion_limit(limits.0)
            .with_token_limit(limits.1)
            .with_selection_limit(limits.2);
        let _ = guard.check(&pieces.concat());
    }

    #[test]
    fn no_text_makes_the_guard_panic(text in any::<String>()) {
        let _ = DocumentGuard::default().check(&text);
    }
}
