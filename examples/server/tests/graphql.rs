//! The GraphQL endpoint: what the documented clients send, and what nobody should.

use super::*;
use crate::graphql_endpoint::Answer;
use serde_json::{Value, json};
use std::time::Instant;

struct Server {
    endpoint: GraphqlEndpoint,
    _database: Database,
}

impl Server {
    async fn new() -> Self {
        let database = Database::new().await;
        Self { endpoint: graphql_endpoint(&database.pool), _database: database }
    }

    async fn post(&self, organization: Option<&str>, body: &str) -> (bool, Value) {
        self.post_as(&caller(organization), body).await
    }

    async fn post_as(&self, caller: &Caller, body: &str) -> (bool, Value) {
        let answer = self.endpoint.answer(caller, body.as_bytes()).await;
        (!matches!(answer, Answer::Unusable(_)), serde_json::to_value(&answer).unwrap())
    }

    /// The data of a request that must succeed.
    async fn data(&self, organization: Option<&str>, request: Value) -> Value {
        let (_, answer) = self.post(organization, &request.to_string()).await;
        assert_eq!(answer.get("errors"), None, "{request}");
        answer["data"].clone()
    }

    /// The first error of a request that must be answered with errors.
    async fn error(&self, organization: Option<&str>, request: Value) -> String {
        let (usable, answer) = self.post(organization, &request.to_string()).await;
        assert!(usable, "{answer}");
        answer["errors"][0]["message"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn the_documents_samples_are_answered() {
    let server = Server::new().await;
    // SalesCloud's command as it is printed, whose document selects a field named `query`.
    let (_, answer) =
        server.post(None, r#"{    "query": "{ query appOrganizations { uuid, label } }"}"#).await;
    assert_eq!(answer["data"]["appOrganizations"], json!([{"uuid": "acme", "label": "Acme Studios"}]));

    let now = server.data(None, json!({"query": "{ systemTimeInMillis }"})).await;
    assert_eq!(now, json!({"systemTimeInMillis": NOW * 1_000}));

    let log = json!({
        "query": "mutation createLog($log: NewLog!) {createLog(log: $log)}",
        "variables": {"log": {"msg": "hello!"}},
    });
    assert_eq!(server.data(Some("acme"), log).await, json!({"createLog": "1"}));
    let logs = server.data(Some("acme"), json!({"query": "{ logs { id msg author createdAt } }"})).await;
    assert_eq!(
        logs["logs"],
        json!([{"id": "1", "msg": "hello!", "author": "ops-bot", "createdAt": NOW * 1_000}])
    );

    let items = r#"query { itemsList(organization:"acme"){ title images{file{sources{original}}} } }"#;
    let items = server.data(Some("acme"), json!({ "query": items })).await;
    assert_eq!(items["itemsList"][0]["title"], "Enamel mug");
    assert!(items["itemsList"][0]["images"][0]["file"]["sources"]["original"].is_string());

    // Ateliere's sample posts an array and leaves undefined variables out.
    let titles = "query Titles($limit: Int) { titles(limit: $limit) { id name } }";
    let (_, answer) =
        server.post(Some("acme"), &json!([{"query": titles, "variables": {"limit": 1}}]).to_string()).await;
    assert_eq!(answer[0]["data"]["titles"].as_array().unwrap().len(), 1);
    let (_, answer) = server.post(Some("acme"), &json!([{ "query": titles }]).to_string()).await;
    assert_eq!(answer[0]["data"]["titles"].as_array().unwrap().len(), 3);
    let (_, answer) = server.post(Some("acme"), r#"[{"query":"{ me { id } }","variables":null}]"#).await;
    assert_eq!(answer, json!([{"data": {"me": {"id": "ops-bot"}}}]));
}

#[tokio::test]
async fn a_body_that_is_no_request_gets_a_graphql_error() {
    let server = Server::new().await;
    // The first is SalesCloud's own first sample: it is signed, and it is not JSON.
    for body in [
        "{ \"query\": { systemTimeInMillis } }",
        "",
        "null",
        "7",
        "\"{a}\"",
        "{}",
        "[]",
        "[7]",
        "{\"query\":null}",
        "{\"query\":7}",
        "{\"query\":\"{a}\",\"variables\":7}",
        "{\"query\":\"{a}\",\"query\":\"{b}\"}",
        "[{\"query\":\"{me{id}}\"},{}]",
        "{\"query\":\"{a}\"} x",
        "\u{feff}{}",
        "[[{\"query\":\"{a}\"}]]",
    ] {
        let (usable, answer) = server.post(Some("acme"), body).await;
        assert!(!usable, "{body}");
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("the body is not a GraphQL request: "), "{body}: {message}");
        assert!(message.len() < 300);
    }
    for hostile in
        ["[".repeat(1 << 20), format!("{{\"query\":\"{{a}}\",\"variables\":{}", "{\"a\":".repeat(100_000))]
    {
        assert!(!server.post(Some("acme"), &hostile).await.0);
    }
}

#[tokio::test]
async fn batches_are_answered_in_order_and_bounded() {
    let server = Server::new().await;
    let request = |query: &str| json!({ "query": query });
    let mutation =
        |name: &str| request(&format!("mutation {{ createTitle(title: {{name: \"{name}\"}}) {{ name }} }}"));
    let batch = json!([mutation("A"), request("{ nonsense }"), request("{{"), mutation("B")]);
    let (usable, answer) = server.post(Some("acme"), &batch.to_string()).await;
    assert!(usable);
    assert_eq!(answer[0]["data"]["createTitle"]["name"], "A");
    assert!(answer[1]["errors"][0]["message"].is_string() && answer[2]["errors"][0]["locations"].is_array());
    assert_eq!(answer[3]["data"]["createTitle"]["name"], "B");

    let many = |count: usize| Value::from(vec![request("{ me { id } }"); count]).to_string();
    assert_eq!(server.post(Some("acme"), &many(10)).await.1.as_array().unwrap().len(), 10);
    assert!(!server.post(Some("acme"), &many(11)).await.0);
}

#[tokio::test]
async fn the_organization_comes_from_the_caller_only() {
    let server = Server::new().await;
    let create =
        json!({"query": "mutation { createTitle(title: {name: \"Ours\", releaseYear: 2026}) { id } }"});
    let id = server.data(Some("acme"), create).await["createTitle"]["id"].clone();
    let with_id = |query: &str| json!({ "query": query, "variables": { "id": id } });
    let show = with_id("query($id: ID!) { title(id: $id) { name releaseYear updatedAt } }");
    let found = server.data(Some("acme"), show.clone()).await;
    assert_eq!(found["title"], json!({"name": "Ours", "releaseYear": 2026, "updatedAt": NOW * 1_000}));
    assert_eq!(server.data(Some("globex"), show.clone()).await, json!({"title": null}));

    let rename = with_id("mutation($id: ID!) { updateTitle(id: $id, changes: {name: \"Theirs\"}) { name } }");
    assert_eq!(server.error(Some("globex"), rename.clone()).await, "there is no such title");
    let delete = with_id("mutation($id: ID!) { deleteTitle(id: $id) }");
    assert_eq!(server.data(Some("globex"), delete.clone()).await, json!({"deleteTitle": false}));
    assert_eq!(server.data(Some("acme"), rename).await["updateTitle"]["name"], "Theirs");
    assert_eq!(server.data(Some("acme"), delete).await, json!({"deleteTitle": true}));
    assert_eq!(server.data(Some("acme"), show).await, json!({"title": null}));

    let items = |organization: &str| json!({"query": format!("{{ itemsList(organization: \"{organization}\") {{ id }} }}")});
    assert_eq!(server.data(Some("globex"), items("globex")).await["itemsList"].as_array().unwrap().len(), 2);
    let refused = server.error(Some("globex"), items("acme")).await;
    assert_eq!(refused, "the request does not act for this organization");
    let none = server.error(None, json!({"query": "{ titles { id } }"})).await;
    assert_eq!(none, "the request names no organization");
}

#[tokio::test]
async fn the_named_operation_runs() {
    let server = Server::new().await;
    let query = "query A { me { id } } query B { me { organization } }";
    let named = |name: Value| json!({ "query": query, "operationName": name });
    assert_eq!(server.data(Some("acme"), named(json!("A"))).await, json!({"me": {"id": "ops-bot"}}));
    assert_eq!(server.data(Some("acme"), named(json!("B"))).await, json!({"me": {"organization": "acme"}}));
    for name in [json!("C"), json!(null), json!("")] {
        server.error(Some("acme"), named(name)).await;
    }
    let single = json!({"query": "{ me { id } }", "operationName": ""});
    assert_eq!(server.data(Some("acme"), single).await, json!({"me": {"id": "ops-bot"}}));
}

#[tokio::test]
async fn introspection_of_the_whole_schema_is_within_the_limits() {
    let server = Server::new().await;
    let types = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    let query = format!(
        "{{ __schema {{ queryType {{ name }} mutationType {{ name }} types {{ kind name description fields(includeDeprecated: \
         true) {{ name args {{ name type {{ {types} }} }} type {{ {types} }} }} inputFields {{ name type {{ {types} }} }} }} }} }}"
    );
    let schema = server.data(Some("acme"), json!({ "query": query })).await;
    let names: Vec<_> =
        schema["__schema"]["types"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert!(names.contains(&json!("NewLog")) && names.contains(&json!("NewTitle")), "{names:?}");
}

#[tokio::test]
async fn hostile_documents_are_answered_quickly() {
    let server = Server::new().await;
    let mut bomb = String::from("{...F0}");
    for i in 0..30 {
        bomb += &format!(" fragment F{i} on Query{{...F{0} ...F{0}}}", i + 1);
    }
    let aliases: String =
        (0..300).map(|i| format!("a{i}: titles(limit: 100) {{ id name synopsis }} ")).collect();
    for query in [
        format!("{{ title(id: {}{}) {{ id }} }}", "[".repeat(4_000), "]".repeat(4_000)),
        format!("{{ title(id: {}1{}) {{ id }} }}", "{a:".repeat(4_000), "}".repeat(4_000)),
        bomb + " fragment F30 on Query{ me { id } }",
        format!("{{ {aliases} }}"),
        format!("{{ {} }}", "nonsense ".repeat(4_000)),
        "query Q { me { id } } query Q { titles { id } }".to_owned(),
        "{ titles(limit: 101) { id } }".to_owned(),
    ] {
        let start = Instant::now();
        server.error(Some("acme"), json!({ "query": query })).await;
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}

/// Who presents a read token.
fn reader() -> Caller {
    Caller { access: Access::Read, ..caller(Some("acme")) }
}

#[tokio::test]
async fn who_may_only_read_runs_queries_and_nothing_else() {
    let server = Server::new().await;
    let change = "createTitle(title: { name: \"Changed\" }) { id }";
    let both = format!("query Q {{ titles {{ name }} }} mutation M {{ {change} }} query P {{ me {{ id }} }}");
    let query = |text: &str| json!({ "query": text });
    let named = |name: &str| json!({ "query": both, "operationName": name });

    for request in [
        query("{ titles { name } }"),
        query("query { titles { name } }"),
        query("# mutation\n{ titles { name } }"),
        query("{ titles { name } mutation: me { id } }"),
        query("query mutation { titles { name } }"),
        query("fragment mutation on Title { name } { titles { ...mutation } }"),
        query(
            "query($text: ID = \"mutation { x }\") { titles { name } me { id @skip(if: false) } t: title(id: \"mutation\") { id } __typename @include(if: true) echo: title(id: $text) { id } }",
        ),
        named("Q"),
        named("P"),
    ] {
        let (_, answer) = server.post_as(&reader(), &request.to_string()).await;
        assert_eq!(answer.get("errors"), None, "{request}: {answer}");
    }
    let refused = [
        query(&format!("mutation {{ {change} }}")),
        query(&format!("mutation($a: Int) {{ {change} }}")),
        query(&format!("\u{feff},\n# query\n mutation M @x {{ {change} }}")),
        query(&format!("fragment F on Mutation {{ {change} }} mutation {{ ...F }}")),
        query("subscription { titles { name } }"),
        named("M"),
        json!({ "query": both, "operationName": "M", "variables": {}, "extensions": {} }),
    ];
    for request in &refused {
        let (_, answer) = server.post_as(&reader(), &request.to_string()).await;
        let error = &answer["errors"][0];
        assert!(
            error["message"].as_str().unwrap().starts_with("these credentials may only read"),
            "{answer}"
        );
        assert_eq!((&error["extensions"]["code"], &answer["data"]), (&json!("FORBIDDEN"), &Value::Null));
    }
    // Which of several operations is meant, nobody guesses.
    for request in [query(&both), named(""), named("N")] {
        let (_, answer) = server.post_as(&reader(), &request.to_string()).await;
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("operationName"), "{answer}");
    }
    // In a batch each counts for itself.
    let batch = json!([refused[0], query("{ me { id } }"), named("M")]);
    let (_, answer) = server.post_as(&reader(), &batch.to_string()).await;
    assert_eq!(answer[1]["data"]["me"]["id"], "ops-bot");
    for at in [0, 2] {
        assert_eq!(answer[at]["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
    for twice in ["query", "operationName"] {
        let body = format!(
            r#"{{"query":"{{a}}","operationName":"Q","{twice}":"mutation M {{ {} }}"}}"#,
            change.replace('"', "\\\"")
        );
        assert!(!server.post_as(&reader(), &body).await.0, "{body}");
    }
    for odd in [
        // Twice where nobody looks, and a request without names.
        r#"{"query":"query Q($a: Int) { me { id } }","variables":{"a":1,"\u0061":2}}"#.to_owned(),
        r#"{"query":"{ me { id } }","extensions":{"a":{"b":1,"b":2}}}"#.to_owned(),
        r#"[["{ me { id } }",{},null]]"#.to_owned(),
        json!([[refused[0]["query"]]]).to_string(),
    ] {
        assert!(!server.post_as(&reader(), &odd).await.0, "{odd}");
    }
    let names = server.data(Some("acme"), query("{ titles { name } }")).await;
    assert!(!names.to_string().contains("Changed"), "{names}");
}

#[tokio::test]
async fn callers_may_do_what_their_permissions_say() {
    let server = Server::new().await;
    let may =
        |words: &str| Caller { permissions: Permissions::parse(words).unwrap(), ..caller(Some("acme")) };
    let read = r#"{"query":"{ titles { id } }"}"#;
    let write = r#"{"query":"mutation { createLog(log: {msg: \"x\"}) }"}"#;
    for (words, request, lacking) in [
        ("*", read, None),
        ("titles:read", read, None),
        ("titles:*", read, None),
        ("titles:read", r#"{"query":"{ title(id: \"none\") { id } }"}"#, None),
        ("* -titles:read", read, Some("titles:read")),
        ("log:write", read, Some("titles:read")),
        ("", read, Some("titles:read")),
        ("log:write", write, None),
        ("*:read", write, Some("log:write")),
    ] {
        let (_, answer) = server.post_as(&may(words), request).await;
        match lacking {
            None => assert_eq!(answer.get("errors"), None, "{words:?}"),
            Some(permission) => {
                let message = format!("the caller lacks the permission `{permission}`");
                assert_eq!(answer["errors"][0]["message"], message, "{words:?}");
                assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
            }
        }
    }
}
