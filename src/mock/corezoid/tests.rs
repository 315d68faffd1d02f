//! What the operations answer, and what they leave behind.

#![expect(clippy::needless_pass_by_value, reason = "operations are written where they are sent")]

use super::{
    call::{self, Answer},
    package::Package,
    session::{Call, Caller, Effect, Session},
    state::State,
};
use serde_json::{Value, json};

/// A state, its caller, and a time that tests move.
struct Desk {
    state: State,
    caller: Caller,
    now: i64,
    effects: Vec<Effect>,
}

impl Desk {
    fn new() -> Self {
        let caller = Caller { login: "13000".to_owned(), ..Caller::default() };
        Self { state: State::default(), caller, now: 1_700_000_000, effects: Vec::new() }
    }

    fn send(&mut self, body: &Value) -> Value {
        let package = Package::read(body.to_string().as_bytes()).unwrap();
        let mut session = Session::new(&mut self.state, &self.caller, "http://mock.test", self.now);
        let answers = package.perform(&mut session, |_| None);
        let effects = std::mem::take(&mut session.effects);
        self.effects.extend(effects);
        package.answer(answers).body
    }

    fn op(&mut self, op: Value) -> Value {
        let answer = self.send(&json!({ "ops": [op] }));
        assert_eq!(answer["request_proc"], "ok");
        answer["ops"][0].clone()
    }

    fn ok(&mut self, op: Value) -> Value {
        let answer = self.op(op);
        assert_eq!(answer["proc"], "ok", "{answer}");
        answer
    }

    fn refused(&mut self, op: Value) -> String {
        let answer = self.op(op);
        assert_ne!(answer["proc"], "ok", "{answer}");
        format!("{}: {}", answer["proc"].as_str().unwrap(), answer["description"].as_str().unwrap())
    }

    fn conv(&mut self) -> u64 {
        self.ok(json!({ "type": "create", "obj": "conv" }))["obj_id"].as_u64().unwrap()
    }

    /// A process of these nodes, whose rules name them by their index: `#0`.
    fn process(&mut self, nodes: &[Value]) -> (u64, Vec<String>) {
        let conv = self.ok(json!({ "type": "create", "obj": "conv", "create_mode": "without_nodes" }));
        let conv = conv["obj_id"].as_u64().unwrap();
        let mut ids = Vec::new();
        for node in nodes {
            let made =
                json!({ "type": "create", "obj": "node", "conv_id": conv, "obj_type": node["obj_type"] });
            ids.push(self.ok(made)["obj_id"].as_str().unwrap().to_owned());
        }
        for (node, id) in nodes.iter().zip(&ids) {
            let mut text = node.to_string();
            for (index, id) in ids.iter().enumerate() {
                text = text.replace(&format!("#{index}"), id);
            }
            let mut op: Value = serde_json::from_str(&text).unwrap();
            (op["type"], op["obj"], op["obj_id"]) = ("modify".into(), "node".into(), id.as_str().into());
            self.ok(op);
        }
        (conv, ids)
    }

    fn task(&mut self, conv: u64, reference: &str) -> Value {
        self.ok(json!({ "type": "show", "obj": "task", "conv_id": conv, "ref": reference }))
    }

    fn call(&mut self) -> Call {
        let effect = self.effects.pop();
        let Some(Effect::Call(call)) = effect else { panic!("no call: {effect:?}") };
        *call
    }

    fn resume(&mut self, call: &Call, answer: &Answer) {
        let mut session = Session::new(&mut self.state, &self.caller, "http://mock.test", self.now);
        call::resume(&mut session, call, answer);
    }
}

#[test]
fn answers_keep_ids_shape_and_order() {
    let mut desk = Desk::new();
    let body = json!({ "ops": [
        { "id": 1, "type": "create", "obj": "conv" },
        { "type": "modify", "obj": "node", "obj_id": "n1234" },
        { "id": "x", "type": "fly", "obj": "conv" },
        { "type": "list", "obj": "moon" },
        7,
    ] });
    let answer = desk.send(&body);
    let ops = answer["ops"].as_array().unwrap();
    assert_eq!((&ops[0]["id"], &ops[0]["proc"]), (&json!(1), &json!("ok")));
    assert_eq!(ops[1]["proc"], "obj_id_not_found");
    assert_eq!((&ops[1]["id"], &ops[1]["obj_id"]), (&json!(""), &json!("n1234")));
    assert_eq!((&ops[2]["id"], &ops[2]["description"]), (&json!("x"), &json!("undefined request")));
    assert_eq!(ops[3]["description"], "bad object");
    assert_eq!(ops[4]["description"], "bad object");
    let single = desk.send(&json!({ "ops": { "type": "create", "obj": "conv" } }));
    assert_eq!(single["ops"]["proc"], "ok");
    for body in ["", "{}", "[]", "{\"ops\":1}", "{\"ops\":", "\"[object Object]\""] {
        let answer = Package::read(body.as_bytes()).unwrap_err();
        assert_eq!((answer.status, &answer.body["ops"][0]["description"]), (400, &json!("Incorrect body")));
    }
}

#[test]
fn a_process_lives_from_its_making_to_its_end() {
    let mut desk = Desk::new();
    let folder =
        desk.ok(json!({ "type": "create", "obj": "folder", "title": "Billing", "folder_id": 0 }))["obj_id"]
            .clone();
    let made = desk.ok(json!({
        "type": "create", "obj": "conv", "title": "Pay", "folder_id": folder.to_string(), "status": "actived",
    }));
    let conv = made["obj_id"].clone();
    assert_eq!(made["hash"].as_str().unwrap().len(), 40);
    let nodes = desk.ok(json!({ "type": "list", "obj": "conv", "obj_id": conv }));
    let types: Vec<_> =
        nodes["list"].as_array().unwrap().iter().map(|node| node["obj_type"].as_i64()).collect();
    assert_eq!(types, [Some(1), Some(2)]);
    let changed = desk
        .ok(json!({ "type": "modify", "obj": "conv", "obj_id": conv, "status": "paused", "title": "P2" }));
    assert_eq!((&changed["old_status"], &changed["is_changed"]), (&json!(1), &json!(true)));
    let shown = desk.ok(json!({ "type": "show", "obj": "conv", "obj_id": conv.to_string() }));
    assert_eq!((&shown["title"], &shown["status"]), (&json!("P2"), &json!("paused")));
    assert_eq!((&shown["parent_obj_id"], &shown["parent_obj_type"]), (&folder, &json!("folder")));
    let inside = |desk: &mut Desk| {
        desk.ok(json!({ "type": "list", "obj": "folder", "obj_id": folder }))["list"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(inside(&mut desk), 1);
    let op = |kind: &str| json!({ "type": kind, "obj": "conv", "obj_id": conv });
    assert_eq!(desk.refused(op("destroy")), "obj_id_not_found: object not found");
    desk.ok(op("delete"));
    assert_eq!(desk.refused(op("delete")), "obj_id_not_found: object not found");
    assert_eq!(inside(&mut desk), 0);
    assert_eq!(desk.ok(op("restore"))["parent_folder_id"], folder);
    desk.ok(op("delete"));
    assert_eq!(desk.ok(op("destroy"))["obj_type"], "conv");
    assert_eq!(desk.refused(op("show")), "obj_id_not_found: object not found");
    assert!(desk.state.nodes.is_empty());
}

#[test]
fn companies_are_kept_apart() {
    let mut desk = Desk::new();
    let made = desk.ok(json!({ "type": "create", "obj": "conv", "company_id": "i100" }));
    let conv = made["obj_id"].clone();
    let show =
        |company: Value| json!({ "type": "show", "obj": "conv", "obj_id": conv, "company_id": company });
    let other = "error: Company of object do not matches companyId of request";
    assert_eq!(desk.ok(show(Value::Null))["company_id"], "i100");
    desk.ok(show("i100".into()));
    assert_eq!(desk.refused(show("i200".into())), other);
    assert_eq!(desk.refused(show("".into())), "error: Value is not valid");
    desk.caller.company = Some("i200".to_owned());
    assert_eq!(desk.refused(show(Value::Null)), other);
    assert_eq!(desk.refused(show("i100".into())), other);
    desk.caller.company = Some("i100".to_owned());
    desk.ok(show(Value::Null));
    desk.caller.only_reads = true;
    desk.ok(show(Value::Null));
    assert_eq!(desk.refused(json!({ "type": "create", "obj": "conv" })), "error: User has no rights");
}

#[test]
fn references_are_unique_in_a_process() {
    let mut desk = Desk::new();
    let (conv, other) = (desk.conv(), desk.conv());
    let create = |conv: u64, reference: Value| json!({ "type": "create", "obj": "task", "conv_id": conv.to_string(), "ref": reference, "data": { "a": 1 } });
    let made = desk.ok(create(conv, "r1".into()));
    assert_eq!(made["obj_id"].as_str().unwrap().len(), 24);
    assert_eq!(desk.refused(create(conv, "r1".into())), "error: not unical reference");
    desk.ok(create(other, "r1".into()));
    desk.ok(create(conv, Value::Null));
    desk.ok(create(conv, Value::Null));
    assert_eq!(desk.ok(create(conv, 7.into()))["ref"], "7");
    assert!(desk.refused(create(conv, "".into())).ends_with("less than minimum allowed: 1"));
    assert!(desk.refused(create(conv, "r".repeat(256).into())).ends_with("more than maximum allowed: 255"));
    assert_eq!(desk.refused(create(1, "r".into())), "error: object not found");
    desk.ok(json!({ "type": "delete", "obj": "task", "conv_id": conv, "ref": "r1" }));
    desk.ok(create(conv, "r1".into()));
    let changed =
        json!({ "type": "modify", "obj": "task", "conv_id": conv, "ref": "r1", "data": { "b": [2] } });
    desk.ok(changed);
    let shown = desk.task(conv, "r1");
    assert_eq!((&shown["data"], &shown["status"]), (&json!({ "a": 1, "b": [2] }), &json!("processed")));
}

#[test]
fn tasks_follow_the_rules_of_nodes() {
    let mut desk = Desk::new();
    let (conv, nodes) = desk.process(&[
        json!({ "obj_type": 1, "logics": [{ "type": "go", "to_node_id": "#1" }] }),
        json!({ "obj_type": 0, "logics": [
            { "type": "set_param", "extra": { "sum": "{{a.0}}", "text": "<{{name}}>", "id": "{{root.ref}}" },
              "extra_type": { "sum": "number" } },
            { "type": "go_if_const", "to_node_id": "#2",
              "conditions": [{ "param": "sum", "const": "10", "fun": "more", "cast": "number" }] },
            { "type": "go", "to_node_id": "#3" },
        ] }),
        json!({ "obj_type": 2 }),
        json!({ "obj_type": 2 }),
    ]);
    let create = |reference: &str, number: Value| {
        json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": reference,
                "data": { "a": [number], "name": "é" } })
    };
    desk.ok(create("much", 11.into()));
    desk.ok(create("text", "11".into()));
    desk.ok(create("less", 9.into()));
    let task = desk.task(conv, "much");
    assert_eq!((&task["node_id"], &task["node_prev_id"]), (&json!(nodes[2]), &json!(nodes[1])));
    assert_eq!(task["data"], json!({ "a": [11], "name": "é", "sum": 11, "text": "<é>", "id": "much" }));
    assert_eq!(desk.task(conv, "text")["node_id"], nodes[2]);
    assert_eq!(desk.task(conv, "less")["node_id"], nodes[3]);
    let listed =
        desk.ok(json!({ "type": "list", "obj": "node", "obj_id": nodes[2], "conv_id": conv, "limit": 1 }));
    assert_eq!((&listed["count"], listed["list"].as_array().unwrap().len()), (&json!(2), 1));
    let stat = desk
        .ok(json!({ "type": "show", "obj": "stat", "conv_id": conv, "node_id": nodes[1], "group": "time" }));
    assert_eq!((&stat["data"][0]["in"], &stat["data"][0]["out"]), (&json!(3), &json!(3)));
}

#[test]
fn a_task_waits_for_a_callback_but_not_for_ever() {
    let mut desk = Desk::new();
    let (conv, nodes) = desk.process(&[
        json!({ "obj_type": 1, "logics": [{ "type": "go", "to_node_id": "#1" }] }),
        json!({ "obj_type": 0, "logics": [{ "type": "api_callback" }, { "type": "go", "to_node_id": "#2" }],
                "semaphors": [{ "type": "time", "value": 10, "dimension": "min", "to_node_id": "#3" }] }),
        json!({ "obj_type": 2 }),
        json!({ "obj_type": 2 }),
    ]);
    for reference in ["called", "forgotten"] {
        desk.ok(json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": reference }));
    }
    assert_eq!(
        (desk.task(conv, "called")["status"].as_str(), &desk.task(conv, "called")["node_id"]),
        (Some("active"), &json!(nodes[1]))
    );
    desk.ok(json!({ "type": "modify", "obj": "task", "conv_id": conv, "ref": "called", "data": { "paid": true } }));
    desk.now += 599;
    assert_eq!(desk.task(conv, "called")["node_id"], nodes[2]);
    assert_eq!(desk.task(conv, "forgotten")["node_id"], nodes[1]);
    desk.now += 1;
    assert_eq!(desk.task(conv, "forgotten")["node_id"], nodes[3]);
}

#[test]
fn steps_are_made_by_hand_in_debug_mode() {
    let mut desk = Desk::new();
    let conv =
        desk.ok(json!({ "type": "create", "obj": "conv", "status": "debug" }))["obj_id"].as_u64().unwrap();
    desk.ok(json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "r" }));
    let task = desk.task(conv, "r");
    assert_eq!(task["status"], "active");
    let step = |kind: &str| json!({ "type": kind, "obj": "task", "conv_id": conv, "obj_id": task["obj_id"], "data": { "k": kind } });
    let next = desk.ok(step("step_next"));
    assert_eq!(
        (&next["prev_node_name"], &next["node_name"], &next["status"]),
        (&json!("Start"), &json!("Final"), &json!("processed"))
    );
    let back = desk.ok(step("step_prev"));
    assert_eq!(
        (&back["node_name"], &back["status"], &back["data"]),
        (&json!("Start"), &json!("active"), &json!({ "k": "step_prev" }))
    );
    let mut goto = step("step_goto");
    goto["node_id"] = next["node_id"].clone();
    assert_eq!(desk.ok(goto.clone())["status"], "processed");
    goto["node_id"] = "elsewhere".into();
    assert_eq!(desk.refused(goto), "error: object not found");
    // A process that runs has made the step already.
    desk.ok(json!({ "type": "modify", "obj": "conv", "obj_id": conv, "status": "active" }));
    desk.ok(json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "s" }));
    let id = desk.task(conv, "s")["obj_id"].clone();
    let made = desk.ok(json!({ "type": "step_next", "obj": "task", "conv_id": conv, "obj_id": id }));
    assert_eq!((&made["prev_node_name"], &made["node_name"]), (&json!("Start"), &json!("Final")));
}

#[test]
fn a_process_that_is_not_active_takes_no_tasks() {
    let mut desk = Desk::new();
    let conv = desk.conv();
    let status = |status: &str| json!({ "type": "modify", "obj": "conv", "obj_id": conv, "status": status });
    let create = || json!({ "type": "create", "obj": "task", "conv_id": conv });
    for stopped in ["paused", "blocked"] {
        desk.ok(status(stopped));
        assert_eq!(desk.refused(create()), "conveyor_is_not_active: conveyor is not active");
    }
    desk.ok(status("debug"));
    let task = desk.ok(create())["obj_id"].clone();
    let show = json!({ "type": "show", "obj": "task", "obj_id": task });
    assert_eq!(desk.ok(show.clone())["status"], "active");
    desk.ok(status("paused"));
    assert_eq!(desk.ok(show)["status"], "processed");
    desk.ok(status("active"));
    desk.ok(create());
}

#[test]
fn processes_call_each_other_and_never_without_end() {
    let mut desk = Desk::new();
    let (called, _) = desk.process(&[
        json!({ "obj_type": 1, "logics": [
            { "type": "api_rpc_reply", "mode": "key_value", "res_data": { "twice": "{{n}}{{n}}" } },
            { "type": "go", "to_node_id": "#1" },
        ] }),
        json!({ "obj_type": 2 }),
    ]);
    let (caller, nodes) = desk.process(&[
        json!({ "obj_type": 1, "logics": [
            { "type": "api_rpc", "conv_id": called, "extra": { "n": "{{number}}" }, "err_node_id": "#2" },
            { "type": "go", "to_node_id": "#1" },
        ] }),
        json!({ "obj_type": 2 }),
        json!({ "obj_type": 3 }),
    ]);
    let create = |conv: u64| json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "r", "data": { "number": "12" } });
    desk.ok(create(caller));
    let task = desk.task(caller, "r");
    assert_eq!((&task["data"]["twice"], &task["node_id"]), (&json!("1212"), &json!(nodes[1])));
    let (circle, _) = desk.process(&[
        json!({ "obj_type": 1, "logics": [{ "type": "go", "to_node_id": "#1" }] }),
        json!({ "obj_type": 0, "logics": [
            { "type": "api_copy", "mode": "create", "conv_id": "{{root.conv_id}}" },
            { "type": "api_copy", "mode": "create", "conv_id": "{{root.conv_id}}" },
            { "type": "go", "to_node_id": "#0" },
        ] }),
    ]);
    desk.ok(create(circle));
    assert!(desk.state.tasks.len() < 20_000);
}

#[test]
fn a_call_is_made_and_its_answer_moves_the_task() {
    let mut desk = Desk::new();
    let (conv, nodes) = desk.process(&[
        json!({ "obj_type": 1, "logics": [
            { "type": "api", "method": "POST", "url": "http://x.test/{{path}}?a=1", "extra": { "n": "{{n}}" },
              "extra_type": { "n": "number" }, "api_secret_outer": "{{key}}", "err_node_id": "#2",
              "extra_headers": { "X-Path": "{{path}}" } },
            { "type": "go", "to_node_id": "#1" },
        ] }),
        json!({ "obj_type": 2 }),
        json!({ "obj_type": 2 }),
    ]);
    let called = |desk: &mut Desk, reference: &str, answer: &Answer| {
        let data = json!({ "path": "p", "n": "5", "key": "a-secret" });
        desk.ok(json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": reference, "data": data }));
        let call = desk.call();
        assert_eq!(
            (&*call.method, &*call.url, call.secret.as_deref()),
            ("POST", "http://x.test/p?a=1", Some("a-secret"))
        );
        assert_eq!(call.headers, [("X-Path".to_owned(), "p".to_owned())]);
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(
            (&body["n"], &body["sys"]["ref"], &body["sys"]["conv_id"]),
            (&json!(5), &json!(reference), &json!(conv))
        );
        desk.resume(&call, answer);
        desk.task(conv, reference)
    };
    let of = |status: u16, body: &str| Answer::Of(status, body.as_bytes().to_vec());
    let task = called(&mut desk, "fine", &of(200, r#"{"answerParam":"ok"}"#));
    assert_eq!((&task["node_id"], &task["data"]["answerParam"]), (&json!(nodes[1]), &json!("ok")));
    let native = r#"{"request_proc":"ok","ops":[{"ref":"r","proc":"ok","res_data":{"res":"0"}}]}"#;
    assert_eq!(called(&mut desk, "native", &of(200, native))["data"]["res"], "0");
    let tag = |task: &Value| task["data"]["__conveyor_api_return_type_tag__"].clone();
    for (reference, answer, expected) in [
        ("down", Answer::None, "api_bad_answer"),
        ("status", of(500, "{}"), "api_bad_answer"),
        ("text", of(200, "ok"), "api_no_valid_json"),
        ("proc", of(200, r#"{"ops":[]}"#), "api_no_request_proc"),
        ("ops", of(200, r#"{"request_proc":"ok","ops":[]}"#), "api_no_ops"),
        ("long", of(200, &"x".repeat(128_001)), "api_task_size_overflow_limit"),
    ] {
        let task = called(&mut desk, reference, &answer);
        assert_eq!((tag(&task), &task["node_id"]), (json!(expected), &json!(nodes[2])), "{reference}");
    }
}

#[test]
fn what_is_exported_can_be_read_in_again() {
    let mut desk = Desk::new();
    let folder = desk.ok(json!({ "type": "create", "obj": "folder", "title": "F" }))["obj_id"].clone();
    desk.ok(json!({ "type": "create", "obj": "conv", "folder_id": folder, "title": "P" }));
    let export = json!({ "type": "create", "obj": "obj_scheme", "obj_type": "folder", "obj_id": folder, "format": "json" });
    let url = desk.ok(export)["download_url"].as_str().unwrap().to_owned();
    let file = url.strip_prefix("http://mock.test/user_downloads/").unwrap();
    let scheme: Value = serde_json::from_slice(&desk.state.files[file]).unwrap();
    assert_eq!(scheme[1]["scheme"]["nodes"].as_array().unwrap().len(), 2);
    let copy = json!({ "obj": "obj_copy", "obj_type": "folder", "obj_id": folder, "title": "G" });
    let copied = desk.ok(copy)["scheme"].clone();
    assert_eq!((&copied[0]["title"], &copied[1]["title"]), (&json!("G"), &json!("P")));
    let conv = copied[1]["obj_id"].as_u64().unwrap();
    desk.ok(json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "r" }));
    assert_eq!(desk.task(conv, "r")["status"], "processed");
}

#[test]
fn projects_stages_aliases_and_variables_hang_together() {
    let mut desk = Desk::new();
    let project = desk.ok(json!({ "type": "create", "obj": "project", "title": "Shop", "short_name": "shop",
        "stages": [{ "title": "production", "immutable": true }, { "title": "develop" }] }));
    let stage = project["stages"][1].clone();
    let conv = desk.ok(json!({ "type": "create", "obj": "conv", "folder_id": stage }))["obj_id"].clone();
    let alias = json!({ "type": "create", "obj": "alias", "short_name": "pay", "stage_id": stage });
    let id = desk.ok(alias.clone())["obj_id"].clone();
    assert_eq!(desk.refused(alias), "error: short_name already exists");
    desk.ok(json!({ "type": "link", "obj": "alias", "obj_id": id, "obj_to_id": conv, "obj_to_type": "conv", "link": true }));
    desk.ok(json!({ "type": "create", "obj": "task", "obj_alias": "pay", "stage_id": stage, "ref": "r" }));
    assert_eq!(desk.task(conv.as_u64().unwrap(), "r")["status"], "processed");
    let shown = desk.ok(json!({ "type": "show", "obj": "folder", "obj_id": stage }));
    assert_eq!((&shown["obj_type"], &shown["parent_obj_type"]), (&json!(10), &json!("project")));
    desk.ok(
        json!({ "type": "create", "obj": "env_var", "short_name": "key", "stage_id": stage, "value": "v" }),
    );
    let listed = desk.ok(json!({ "type": "list", "obj": "env_var", "stage_id": stage }));
    assert_eq!(listed["list"][0]["value"], "v");
    let stages = desk.ok(json!({ "type": "list", "obj": "project", "obj_id": project["obj_id"] }));
    assert_eq!(stages["list"].as_array().unwrap().len(), 2);
}

#[test]
fn a_state_outlives_being_written_down() {
    let mut desk = Desk::new();
    let conv = desk.conv();
    desk.ok(json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "r" }));
    let written = serde_json::to_value(&desk.state).unwrap();
    desk.state = serde_json::from_value(written).unwrap();
    assert_eq!(desk.task(conv, "r")["status"], "processed");
    assert_eq!(
        desk.refused(json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "r" })),
        "error: not unical reference"
    );
}
