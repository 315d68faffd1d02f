//! The ops endpoint: the documented exchanges, what real clients send, companies kept apart, and bodies that harm.

mod objects;

use super::*;
use crate::ops::OpsEndpoint;
use axum::body::to_bytes;
use countersign::clock::ManualClock;
use serde_json::{Value, json};
use std::sync::Arc;

struct Server {
    endpoint: OpsEndpoint,
    database: Database,
}

impl Server {
    async fn new() -> Self {
        let database = Database::new().await;
        let clock = Arc::new(ManualClock::at(NOW));
        let endpoint = OpsEndpoint::new(database.pool.clone(), clock, "https://ops.example.com/");
        Self { endpoint, database }
    }

    async fn post(&self, caller: &Caller, body: &str) -> (u16, Value) {
        let answer = self.endpoint.answer(caller, body.as_bytes()).await;
        (answer.status.as_u16(), answer.body)
    }

    /// The answer to one operation by the company `acme`.
    async fn op(&self, op: Value) -> Value {
        self.op_of(&caller(Some("acme")), op).await
    }

    async fn op_of(&self, caller: &Caller, op: Value) -> Value {
        let (status, answer) = self.post(caller, &json!({ "ops": [op] }).to_string()).await;
        assert_eq!((status, &answer["request_proc"]), (200, &json!("ok")), "{answer}");
        answer["ops"][0].clone()
    }

    /// The answer to one operation that must succeed.
    async fn ok(&self, op: Value) -> Value {
        let answer = self.op(op.clone()).await;
        assert_eq!(answer["proc"], "ok", "{op}: {answer}");
        answer
    }

    async fn conv(&self) -> Value {
        self.ok(json!({ "type": "create", "obj": "conv" })).await["obj_id"].clone()
    }
}

fn described(description: &str) -> Value {
    json!({ "id": "", "proc": "error", "obj": "conv", "description": description })
}

#[tokio::test]
async fn the_documented_exchange_is_answered_as_printed() {
    let server = Server::new().await;
    let package = r#"{
"ops": [
{
"id": 1,
"type": "create",
"obj": "conv"
},
{
"type": "modify",
"obj": "node",
"obj_id": "n1234"
}
]
}"#;
    let (status, mut answer) = server.post(&caller(Some("acme")), package).await;
    assert_eq!(status, 200);
    let created = answer["ops"][0].take();
    assert_eq!(
        (&created["id"], &created["obj"], &created["proc"]),
        (&json!(1), &json!("conv"), &json!("ok"))
    );
    assert!(created["obj_id"].is_i64() && created["hash"].as_str().unwrap().len() == 40);
    let missing = json!({ "id": "", "obj": "node", "obj_id": "n1234", "proc": "obj_id_not_found",
        "description": "object not found" });
    assert_eq!(answer, json!({ "request_proc": "ok", "ops": [null, missing] }));
}

#[tokio::test]
async fn the_id_comes_back_verbatim() {
    let server = Server::new().await;
    let list = |id: Value| json!({ "id": id, "type": "list", "obj": "company" });
    for id in [json!(7), json!("3403c54d"), json!(""), json!(-1.5), json!(true), json!(null), json!([1])] {
        assert_eq!(server.op(list(id.clone())).await["id"], id);
    }
    assert_eq!(server.op(json!({ "type": "list", "obj": "company" })).await["id"], "");
}

#[tokio::test]
async fn bodies_of_real_clients_are_performed() {
    let server = Server::new().await;
    let recorded = include_str!("../../../../tests/vectors/corezoid/ops-bodies.json");
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let insert_conv = "INSERT INTO ref_conv (id, workspace, title, description, conv_type, status, hash, owner, created_at, \
                       changed_at) VALUES ($1, 'organization/i738314881', '', '', 'process', 'active', '', '', 0, 0)";
    for id in [123, 1234, 1635, 1664, 5555, 15476, 66666, 123_456, 789_846, 790_828] {
        sqlx::query(insert_conv).bind(id).execute(&server.database.pool).await.unwrap();
        let insert_node = "INSERT INTO ref_node (id, conv_id, title, description, obj_type, content, created_at) \
                           VALUES ($1, $2, '', '', 1, '{}', 0)";
        sqlx::query(insert_node)
            .bind(format!("n{id}"))
            .bind(id)
            .execute(&server.database.pool)
            .await
            .unwrap();
    }
    let insert_folder = "INSERT INTO ref_folder (id, workspace, title, description, created_at, changed_at) \
                         VALUES (58, 'organization/i738314881', '', '', 0, 0)";
    sqlx::query(insert_folder).execute(&server.database.pool).await.unwrap();
    for request in recorded["bodies"].as_array().unwrap() {
        let (status, answer) =
            server.post(&caller(Some("i738314881")), request["body"].as_str().unwrap()).await;
        assert_eq!((status, &answer["request_proc"]), (200, &json!("ok")), "{request}: {answer}");
        let ops = if answer["ops"].is_object() {
            vec![answer["ops"].clone()]
        } else {
            answer["ops"].as_array().unwrap().clone()
        };
        for op in ops {
            let unknown = op["obj"] == "company_users" && op["description"] == "bad object";
            assert!(unknown || op["proc"] == "ok", "{request}: {op}");
        }
    }
    // sdk-erlang sends one operation without an array around it, and gets one answer without an array.
    let erlang =
        r#"{"ops":{"ref":"ref-erl-2","type":"create","obj":"task","conv_id":1234,"data":{"k":"v"}}}"#;
    let (_, answer) = server.post(&caller(Some("i738314881")), erlang).await;
    assert_eq!(answer["ops"]["ref"], "ref-erl-2");
}

#[tokio::test]
async fn companies_and_accounts_are_kept_apart_and_the_rest_of_a_package_goes_on() {
    const OTHER: &str = "Company of object do not matches companyId of request";
    let server = Server::new().await;
    let conv = server.conv().await;
    let node = server.ok(json!({ "type": "list", "obj": "conv", "obj_id": conv })).await["list"][0]["obj_id"]
        .clone();
    let folder = server.ok(json!({ "type": "create", "obj": "folder" })).await["obj_id"].clone();
    let task = json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "r" });
    let task_id = server.ok(task.clone()).await["obj_id"].clone();
    let theirs = [
        json!({ "type": "show", "obj": "conv", "obj_id": conv }),
        json!({ "type": "delete", "obj": "conv", "obj_id": conv }),
        json!({ "type": "create", "obj": "conv", "folder_id": folder }),
        json!({ "type": "list", "obj": "folder", "obj_id": folder }),
        json!({ "type": "modify", "obj": "node", "obj_id": node }),
        json!({ "type": "create", "obj": "node", "conv_id": conv }),
        json!({ "type": "show", "obj": "task", "obj_id": task_id }),
        json!({ "type": "show", "obj": "task", "conv_id": conv, "ref": "r" }),
        json!({ "type": "create", "obj": "obj_scheme", "obj_id": conv, "obj_type": "conv" }),
        task,
    ];
    let personal = Caller { principal: "someone".to_owned(), ..caller(None) };
    for stranger in [caller(Some("globex")), caller(None), personal] {
        for op in &theirs {
            let mine = json!({ "id": 2, "type": "create", "obj": "folder" });
            let (_, answer) = server.post(&stranger, &json!({ "ops": [op, mine] }).to_string()).await;
            assert_eq!(answer["ops"][0]["description"], OTHER, "{op}");
            assert_eq!((&answer["ops"][1]["id"], &answer["ops"][1]["proc"]), (&json!(2), &json!("ok")));
        }
    }
    let named = |company: Value| json!({ "type": "create", "obj": "folder", "company_id": company });
    assert_eq!(server.op(named(json!("globex"))).await["description"], OTHER);
    assert_eq!(server.op_of(&caller(None), named(json!("acme"))).await["description"], OTHER);
    server.ok(named(json!("acme"))).await;
    server.ok(named(json!(null))).await;
    for company in [json!(""), json!("ab"), json!(7), json!("x".repeat(37))] {
        let refused = server.op(named(company.clone())).await;
        assert_eq!(
            (&refused["description"], &refused["key"]),
            (&json!("Value is not valid"), &json!("company_id"))
        );
        assert_eq!(refused["value"], company);
    }
    let companies = server.ok(json!({ "type": "list", "obj": "company" })).await;
    assert_eq!(companies["list"][0]["company_id"], "acme");
    assert_eq!(companies["list"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_the_documented_words() {
    let server = Server::new().await;
    let conv = server.conv().await;
    assert_eq!(server.op(json!({ "type": "fly", "obj": "conv" })).await, described("undefined request"));
    assert_eq!(server.op(json!({ "obj": "conv" })).await, described("undefined request"));
    assert_eq!(
        server.op(json!({ "type": "list", "obj": "company_users" })).await["description"],
        "bad object"
    );
    for op in [json!({ "type": "create" }), json!(7), json!(null), json!([]), json!({ "type": 1, "obj": 2 })]
    {
        assert_eq!(server.op(op).await["description"], "bad object");
    }
    let long = "x".repeat(256);
    for (op, key, value) in [
        (json!({ "type": "show", "obj": "conv" }), "obj_id", Some(json!(null))),
        (json!({ "type": "show", "obj": "conv", "obj_id": "abc" }), "obj_id", Some(json!("abc"))),
        (json!({ "type": "show", "obj": "conv", "obj_id": 1.5 }), "obj_id", Some(json!(1.5))),
        (json!({ "type": "create", "obj": "conv", "title": 7 }), "title", Some(json!(7))),
        (json!({ "type": "create", "obj": "conv", "title": long }), "title", None),
        (json!({ "type": "create", "obj": "conv", "conv_type": "x" }), "conv_type", Some(json!("x"))),
        (json!({ "type": "create", "obj": "conv", "status": [1] }), "status", None),
        (
            json!({ "type": "create", "obj": "node", "conv_id": conv, "obj_type": 4 }),
            "obj_type",
            Some(json!(4)),
        ),
        (json!({ "type": "create", "obj": "node", "conv_id": conv, "logics": {} }), "logics", None),
        (json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "" }), "ref", Some(json!(""))),
        (json!({ "type": "create", "obj": "task", "conv_id": conv, "data": [] }), "data", None),
        (
            json!({ "type": "create", "obj": "task", "conv_id": conv, "data": { "x": "y".repeat(512_000) } }),
            "data",
            None,
        ),
        (json!({ "type": "show", "obj": "task" }), "ref", Some(json!(null))),
        (
            json!({ "type": "create", "obj": "obj_scheme", "obj_id": conv, "format": "zip" }),
            "format",
            Some(json!("zip")),
        ),
    ] {
        let refused = server.op(op.clone()).await;
        assert!(
            refused["description"].as_str().unwrap().starts_with("Value is not valid"),
            "{op}: {refused}"
        );
        assert_eq!(
            (refused["key"].as_str(), refused.get("value")),
            (Some(key), value.as_ref()),
            "{op}: {refused}"
        );
    }
    let sql = "x'); DROP TABLE ref_conv; --";
    server.ok(json!({ "type": "create", "obj": "conv", "title": sql })).await;
    server.ok(json!({ "type": "show", "obj": "conv", "obj_id": conv })).await;
}

#[tokio::test]
async fn bodies_that_are_no_package_get_400() {
    let server = Server::new().await;
    let nested = |depth: usize| format!("{{\"ops\":[{{\"x\":{}{}}}]}}", "[".repeat(depth), "]".repeat(depth));
    let many = json!({ "ops": vec![json!({ "obj": "x" }); 101] }).to_string();
    for (body, description) in [
        ("", "Incorrect body"),
        ("ops=1", "Incorrect body"),
        ("[]", "Incorrect body"),
        ("{}", "Incorrect body"),
        ("{\"ops\":7}", "Incorrect body"),
        ("{\"ops\":null}", "Incorrect body"),
        ("\"[object Object]\"", "Incorrect body"),
        (&many, "Incorrect body: it holds more than 100 operations"),
        (&nested(200), "Incorrect body: it is nested deeper than 128 levels"),
        (&nested(1_000_000), "Incorrect body: it is nested deeper than 128 levels"),
    ] {
        let (status, answer) = server.post(&caller(Some("acme")), body).await;
        let expected =
            json!({ "request_proc": "error", "ops": [{ "proc": "error", "description": description }] });
        assert_eq!((status, answer), (400, expected), "{:.80}", body);
    }
    let empty = server.post(&caller(Some("acme")), "{\"ops\":[]}").await;
    assert_eq!(empty, (200, json!({ "request_proc": "ok", "ops": [] })));
    assert_eq!(server.post(&caller(Some("acme")), &nested(100)).await.0, 200);
}

/// A short package must not be answered with more than the server's memory holds.
#[tokio::test]
async fn a_package_is_answered_up_to_a_limit() {
    let server = Server::new().await;
    let conv = server.conv().await;
    for _ in 0..3 {
        let data = json!({ "blob": "x".repeat(500_000) });
        server.ok(json!({ "type": "create", "obj": "task", "conv_id": conv, "data": data })).await;
    }
    let list = json!({ "type": "list", "obj": "task", "conv_id": conv, "limit": 1_000 });
    let package = json!({ "ops": vec![list; 10] }).to_string();
    let (status, answer) = server.post(&caller(Some("acme")), &package).await;
    assert_eq!(status, 200);
    let answers = answer["ops"].as_array().unwrap();
    // Three lists of 1.5 MB reach the limit of 4 MiB; what comes after them is refused.
    for (place, answer) in answers.iter().enumerate() {
        let proc = if place < 3 { "ok" } else { "error" };
        assert_eq!(answer["proc"], proc, "{place}");
    }
    assert_eq!(answers[9]["description"], "Too many requests: limit is reached");
    assert!(answer.to_string().len() < 5_000_000);
}

#[tokio::test]
async fn a_wrong_method_is_answered_in_html() {
    let response = crate::ops::method_not_allowed().await;
    assert_eq!(response.status(), 405);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let text = to_bytes(response.into_body(), 1 << 10).await.unwrap();
    assert_eq!(text, "The specified method is not allowed against this resource");
}

#[tokio::test]
async fn callers_do_what_their_rights_say() {
    let server = Server::new().await;
    let package = json!({ "ops": [{ "type": "create", "obj": "conv" }, { "type": "list", "obj": "folder", "obj_id": 0 }] });
    for (words, access, procs) in [
        ("*", Access::Write, ["ok", "ok"]),
        ("ops:*", Access::Write, ["ok", "ok"]),
        ("*:read", Access::Write, ["error", "ok"]),
        ("* -ops:write", Access::Write, ["error", "ok"]),
        ("*", Access::Read, ["error", "ok"]),
        ("ops:write", Access::Write, ["ok", "error"]),
        ("titles:*", Access::Write, ["error", "error"]),
    ] {
        let permissions = Permissions::parse(words).unwrap();
        let caller = Caller { permissions, access, ..caller(Some("acme")) };
        let (_, answer) = server.post(&caller, &package.to_string()).await;
        for (op, proc) in answer["ops"].as_array().unwrap().iter().zip(procs) {
            assert_eq!(op["proc"], proc, "{words:?}: {op}");
            assert!(proc == "ok" || op["description"] == "User has no rights", "{op}");
        }
    }
}
