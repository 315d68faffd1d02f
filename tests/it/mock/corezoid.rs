//! Corezoid's mock over the wire: packages, synchronous requests, files, forms, direct URLs, and calls to the client.

use super::{PATIENCE, answer, http};
use axum::{Json, Router, extract::State, http::Uri, routing::post};
use countersign::{
    SignatureVerifier, Verified, VerifyLayer,
    credential::{Credential, Principal, SecretVersion},
    mock::{CorezoidMock, Fault, MockProvider, Outcome},
    scheme::{Corezoid, CorezoidCallback, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::MacKey,
    store::MemoryKeyStore,
};
use http::{Method, Request};
use serde_json::{Value, json};
use std::{
    future::IntoFuture as _,
    sync::{Arc, Mutex},
};

/// Between the parts of a form.
const BOUNDARY: &str = "------------------------7c1e";

struct Client {
    http: reqwest::Client,
    base: String,
    signer: Signer,
}

impl Client {
    fn of(mock: &MockProvider<CorezoidMock>) -> Self {
        let key = mock.credential();
        Self::with(mock, key.key_id(), key.secret())
    }

    fn with(mock: &MockProvider<CorezoidMock>, login: &str, secret: &str) -> Self {
        let signer = Signer::new(Corezoid::default(), login, &Secret::new(secret).unwrap());
        Self { http: http(), base: mock.base_url().to_owned(), signer }
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<String>) -> reqwest::Response {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = Request::builder().method(method).uri(url).body(body.into()).unwrap();
        self.signer.sign(&mut request).unwrap();
        self.http.execute(request.try_into().unwrap()).await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.send(Method::POST, path, body.to_string()).await).await.unwrap()
    }

    async fn op(&self, op: Value) -> Value {
        let (status, body) = self.post("/api/2/json", &json!({ "ops": [op] })).await;
        assert_eq!((status, &body["request_proc"]), (200, &json!("ok")), "{body}");
        body["ops"][0].clone()
    }

    async fn conv(&self) -> u64 {
        self.op(json!({ "type": "create", "obj": "conv" })).await["obj_id"].as_u64().unwrap()
    }

    /// A process whose start node has these rules, the last of which leads to its end.
    async fn process(&self, mut logics: Vec<Value>) -> u64 {
        let conv = self.conv().await;
        let nodes = self.op(json!({ "type": "list", "obj": "conv", "obj_id": conv })).await;
        let node = |index: usize| nodes["list"][index]["obj_id"].clone();
        logics.push(json!({ "type": "go", "to_node_id": node(1) }));
        let rules = json!({ "type": "modify", "obj": "node", "obj_id": node(0), "logics": logics });
        assert_eq!(self.op(rules).await["proc"], "ok");
        conv
    }

    async fn task(&self, conv: u64, reference: &str) -> Value {
        self.op(json!({ "type": "show", "obj": "task", "conv_id": conv, "ref": reference })).await
    }

    /// A task at its end. Calls of processes are made beside the request, so it may take a moment.
    async fn processed(&self, conv: u64, reference: &str) -> Value {
        let until_processed = async {
            loop {
                let task = self.task(conv, reference).await;
                if task["status"] == "processed" {
                    return task;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, until_processed).await.unwrap()
    }
}

/// What arrived at a client under test: the query, and the body.
type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// A client under test that verifies calls of the process `conv`, and answers them with `reply`.
async fn listener(conv: &str, secret: &str, reply: Value) -> (String, Calls) {
    let calls = Calls::default();
    let scheme = CorezoidCallback::default().with_route(Method::POST, "/hook").unwrap();
    let keys = MemoryKeyStore::new();
    let key = MacKey::new(scheme.algorithm(), &Secret::new(secret).unwrap());
    keys.insert(
        scheme.name(),
        conv,
        Credential::new(Principal::new("corezoid").unwrap(), [SecretVersion::new(1, key)]),
    );
    let take = move |State(calls): State<Calls>, _: Verified, uri: Uri, Json(body): Json<Value>| async move {
        calls.lock().unwrap().push((uri.query().unwrap_or_default().to_owned(), body));
        Json(reply)
    };
    let app = Router::new().route("/hook", post(take)).with_state(Arc::clone(&calls));
    let app = app.layer(VerifyLayer::new(SignatureVerifier::new(scheme, keys)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    (url, calls)
}

#[tokio::test]
async fn a_package_is_answered_in_its_order_and_told_in_the_log() {
    let mock = MockProvider::corezoid().start().await;
    let client = Client::of(&mock);
    let conv = client.conv().await;
    let body = json!({ "ops": [
        { "id": "1", "type": "create", "obj": "task", "conv_id": conv, "ref": "r", "data": { "n": "é" } },
        { "id": "2", "type": "create", "obj": "task", "conv_id": conv, "ref": "r" },
        { "id": "3", "type": "show", "obj": "task", "conv_id": conv, "ref": "r" },
    ] });
    for path in ["/api/2/json", "/api/1/json"] {
        mock.clear_requests();
        let (status, answer) = client.post(path, &body).await;
        assert_eq!((status, &answer["ops"][1]["description"]), (200, &json!("not unical reference")));
        assert_eq!(
            (&answer["ops"][2]["status"], &answer["ops"][2]["data"]),
            (&json!("processed"), &json!({ "n": "é" }))
        );
        let requests = mock.requests();
        assert_eq!(requests[0].operations(), ["create task", "create task", "show task"]);
        assert_eq!(
            (requests[0].outcome(), requests[0].key_id()),
            (Outcome::Accepted, Some(mock.credential().key_id()))
        );
    }
    mock.stub("show task").reply(json!({ "proc": "ok", "status": "stubbed" })).expect(1);
    let (_, answer) = client.post("/api/2/json", &body).await;
    assert_eq!(
        (&answer["ops"][1]["proc"], &answer["ops"][2]["status"]),
        (&json!("error"), &json!("stubbed"))
    );
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_as_the_vendor_s_clients_expect() {
    let mock = MockProvider::corezoid().start().await;
    let mut client = Client::of(&mock);
    let body = r#"{"ops":[]}"#;
    let wrong = Client::with(&mock, mock.credential().key_id(), "another-secret-altogether");
    let (status, answered) = answer(wrong.send(Method::POST, "/api/2/json", body).await).await.unwrap();
    assert_eq!((status, &answered["request_proc"]), (401, &json!("fail")));
    let request = &mock.requests()[0];
    assert!(request.signature_base().unwrap().ends_with("{SECRET}{\"ops\":[]}{SECRET}"), "{request:?}");
    // A browser's session is no signature.
    for path in ["/api/2/json", "/api/1/json"] {
        let request =
            client.http.post(format!("{}{path}", client.base)).header("authorization", "Simulator x");
        let (status, answered) = answer(request.body(body).send().await.unwrap()).await.unwrap();
        assert_eq!(
            (status, &answered["ops"][0]["description"]),
            (200, &json!("cookie or headers are not valid"))
        );
    }
    assert_eq!(mock.requests()[1].outcome(), Outcome::Denied);
    let wrong_method = client.send(Method::PUT, "/api/2/json", body).await;
    assert_eq!(wrong_method.status(), 405);
    assert_eq!(
        wrong_method.text().await.unwrap(),
        "The specified method is not allowed against this resource"
    );
    let (status, answered) =
        answer(client.send(Method::POST, "/api/2/json", "[object Object]").await).await.unwrap();
    assert_eq!((status, &answered["ops"][0]["description"]), (400, &json!("Incorrect body")));
    // The same request twice in a second is the vendor's own client's way.
    let mut request = Request::post(mock.endpoint()).body(body.to_owned()).unwrap();
    client.signer.sign(&mut request).unwrap();
    let request: reqwest::Request = request.try_into().unwrap();
    for _ in 0..2 {
        assert_eq!(client.http.execute(request.try_clone().unwrap()).await.unwrap().status(), 200);
    }
    mock.fault(Fault::too_many_requests(1).times(1));
    let limited = client.send(Method::POST, "/api/2/json", body).await;
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    mock.rotate_secret();
    assert_eq!(client.send(Method::POST, "/api/2/json", body).await.status(), 401);
    client = Client::of(&mock);
    assert_eq!(client.send(Method::POST, "/api/2/json", body).await.status(), 200);
}

#[tokio::test]
async fn keys_that_are_made_over_the_api_open_it() {
    let mock = MockProvider::corezoid().start().await;
    let client = Client::of(&mock);
    let made = client
        .op(json!({ "type": "create", "obj": "user", "title": "bot", "logins": [{ "type": "api" }] }))
        .await;
    let login = &made["users"][0]["logins"][0];
    let (id, secret) = (login["obj_id"].to_string(), login["key"].as_str().unwrap());
    assert!(Client::with(&mock, &id, secret).conv().await < client.conv().await);
    let again = MockProvider::corezoid().state(mock.state()).start().await;
    Client::with(&again, &id, secret).conv().await;
}

#[tokio::test]
async fn synchronous_requests_wait_for_what_the_process_replies() {
    let mock = MockProvider::corezoid().start().await;
    let client = Client::of(&mock);
    let create = |conv: u64, timeout: Option<u64>| {
        let mut body = json!({ "ops": [{ "id": "7", "type": "create", "obj": "task", "conv_id": conv, "data": { "a": 1 } }] });
        if let Some(timeout) = timeout {
            body["timeout"] = timeout.into();
        }
        body
    };
    // A process that comes to its end replies with the task's data: ours.
    let conv = client.conv().await;
    let sync = format!("{}/api/1/json", mock.sync_url());
    for (path, timeout) in [("/api/1/json", Some(30)), (&*sync, Some(30)), (&*sync, None)] {
        let (status, answer) = client.post(path, &create(conv, timeout)).await;
        let expected = json!({ "id": "7", "proc": "ok", "obj": "task", "data": { "a": 1 } });
        assert_eq!((status, &answer["ops"][0]), (200, &expected));
    }
    // As documented: the process calls back.
    let rule = json!({ "type": "api", "method": "POST", "url": "{{__callback_url}}", "extra": { "b": "{{a}}" },
                       "extra_type": { "b": "number" }, "send_sys": false });
    let conv = client.process(vec![rule]).await;
    let (_, answer) = client.post("/api/1/json", &create(conv, Some(30))).await;
    assert_eq!(answer["ops"][0]["data"], json!({ "b": 1 }));
    let conv = client.process(vec![json!({ "type": "api_callback" })]).await;
    let (status, answer) = client.post("/api/1/json", &create(conv, Some(0))).await;
    assert_eq!((status, &answer["ops"][0]["description"]), (200, &json!("Timeout for create task")));
}

#[tokio::test]
async fn exports_are_downloaded_by_a_signed_get() {
    let mock = MockProvider::corezoid().start().await;
    let client = Client::of(&mock);
    let conv = client.conv().await;
    for format in ["json", "zip"] {
        let op = json!({ "type": "create", "obj": "obj_scheme", "obj_type": "conv", "obj_id": conv, "format": format,
                         "async": false, "with_alias": true });
        let (_, made) = client.post("/api/2/download", &json!({ "ops": [op] })).await;
        let url = made["ops"][0]["download_url"].as_str().unwrap();
        assert!(url.starts_with(mock.base_url()) && url.ends_with(format), "{url}");
        let file = client.send(Method::GET, url, "").await;
        assert_eq!(file.headers()["content-type"], format!("application/{format}"));
        let content = file.bytes().await.unwrap();
        match format {
            "json" => {
                let scheme: Value = serde_json::from_slice(&content).unwrap();
                assert_eq!(scheme[0]["scheme"]["nodes"].as_array().unwrap().len(), 2);
            }
            _ => assert!(content.starts_with(b"PK\x03\x04") && content.ends_with(b"\0\0")),
        }
        assert_eq!(client.http.get(url).send().await.unwrap().status(), 404, "{url} without a signature");
    }
    let (status, _) =
        answer(client.send(Method::GET, "/user_downloads/conv_1_2.json", "").await).await.unwrap();
    assert_eq!(status, 404);
}

#[tokio::test]
async fn schemes_and_tasks_are_uploaded_as_forms() {
    let mock = MockProvider::corezoid().start().await;
    let client = Client::of(&mock);
    let upload = async |parts: &[(&'static str, String)]| {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let scheme = Corezoid::default().with_multipart_route("/api/2/upload").unwrap();
        let key = mock.credential();
        let signer = Signer::new(scheme, key.key_id(), &Secret::new(key.secret()).unwrap());
        let mut request = Request::post(format!("{}/api/2/upload", mock.base_url()))
            .header("content-type", content_type)
            .body(form(parts))
            .unwrap();
        signer.sign(&mut request).unwrap();
        answer(client.http.execute(request.try_into().unwrap()).await.unwrap()).await.unwrap()
    };
    let scheme = |later: &str| {
        [
            ("type", "create".to_owned()),
            ("obj", "obj_scheme".to_owned()),
            ("scheme", "[{}]".to_owned()),
            ("folder_id", "0".to_owned()),
            ("async", later.to_owned()),
        ]
    };
    let (status, answer) = upload(&scheme("false")).await;
    assert_eq!((status, &answer["request_proc"]), (200, &json!("ok")), "{answer}");
    assert_eq!(answer["ops"][0]["scheme"][0]["obj_type"], "conv", "{answer}");
    assert_eq!(mock.requests()[0].operations(), ["create obj_scheme"]);
    let (_, later) = upload(&scheme("true")).await;
    let info = format!("/api/2/upload/info?hash={}", later["ops"][0]["hash"].as_str().unwrap());
    let (status, info) = super::answer(client.send(Method::GET, &info, "").await).await.unwrap();
    assert_eq!((status, &info["ops"][0]["status"]), (200, &json!("success")), "{info}");

    let conv = client.conv().await;
    let table = [
        ("type", "create".to_owned()),
        ("obj", "task".to_owned()),
        ("conv_id", conv.to_string()),
        ("divider", "|".to_owned()),
        ("names_in_first_row", "true".to_owned()),
        ("reference_col_name", "id".to_owned()),
        ("from_file", "id|name\nx|Ann\ny|Bob\nx|Cay\n".to_owned()),
    ];
    let (_, answer) = upload(&table).await;
    let counts = ["ok_count", "err_count", "all_count"].map(|count| answer["ops"][0][count].as_u64());
    assert_eq!(counts, [Some(2), Some(1), Some(3)]);
    assert_eq!(client.task(conv, "y").await["data"], json!({ "id": "y", "name": "Bob" }));
}

/// A form as curl and the vendor's client for Go write it.
fn form(parts: &[(&str, String)]) -> String {
    let part = |(name, value): &(&str, String)| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    parts.iter().map(part).collect::<String>() + &format!("--{BOUNDARY}--\r\n")
}

#[tokio::test]
async fn direct_urls_take_tasks_from_whoever_knows_them() {
    let mock = MockProvider::corezoid().start().await;
    let client = Client::of(&mock);
    let conv = client.conv().await;
    let hash =
        client.op(json!({ "type": "get", "obj": "callback_hash", "conv_id": conv })).await["callback_hash"]
            .clone();
    let url = format!("{}/api/1/json/public/{conv}/{}", mock.base_url(), hash.as_str().unwrap());
    let send = async |url: &str, body: &str| {
        answer(client.http.post(url).body(body.to_owned()).send().await.unwrap()).await.unwrap().1
    };
    let made = send(&url, r#"{"any":{"thing":1}}"#).await;
    assert_eq!(made["ops"]["obj"], "task");
    let shown = client.op(json!({ "type": "show", "obj": "task", "obj_id": made["ops"]["obj_id"] })).await;
    assert_eq!(shown["data"], json!({ "any": { "thing": 1 } }));
    let made = send(&url, r#"{"ops":[{"ref":"r","type":"create","obj":"task","data":{"a":1}}]}"#).await;
    assert_eq!(made["ops"][0]["ref"], "r");
    assert_eq!(send(&url.replace("json", "nvp"), "a=1&b=%C3%A9+x").await["ops"]["proc"], "ok");
    let denied = json!({ "request_proc": "ok", "ops": { "proc": "error", "description": "Access denied" } });
    assert_eq!(send(&url[..url.len() - 1], "{}").await, denied);
    client.op(json!({ "type": "modify", "obj": "conv_auth", "conv_id": conv, "obj_type": "basic", "data": { "user": "u", "pass": "p" } })).await;
    assert_eq!(send(&url, "{}").await, denied);
    let request = client.http.post(&url).basic_auth("u", Some("p")).body("{}");
    assert_eq!(answer(request.send().await.unwrap()).await.unwrap().1["ops"]["proc"], "ok");
    assert_eq!(mock.requests().last().unwrap().outcome(), Outcome::Open);
}

#[tokio::test]
async fn processes_call_the_client_under_test_with_a_signature() {
    const SECRET: &str = "a-node-s-own-secret";
    let mock = MockProvider::corezoid().start().await;
    let client = Client::of(&mock);
    let (url, calls) = listener(
        "1023",
        SECRET,
        json!({ "request_proc": "ok", "ops": [{ "proc": "ok", "res_data": { "x": 1 } }] }),
    )
    .await;
    let body = json!({ "ops": [{ "ref": "130605", "type": "data", "extra": { "param1": "é" } }] });
    let answered = mock.send_callback(&url, 1023, SECRET, &body).await.unwrap();
    assert_eq!(answered.status(), 200);
    assert_eq!(mock.send_callback(&url, 1023, "another-secret", &body).await.unwrap().status(), 401);
    assert_eq!(mock.send_callback(&url, 1024, SECRET, &body).await.unwrap().status(), 401);
    let (query, received) = calls.lock().unwrap().remove(0);
    assert!(query.starts_with("conv_signature=") && query.ends_with("&conv_id=1023"), "{query}");
    assert_eq!(received, body);

    // The same from any other language.
    let order = json!({ "url": url, "conv_id": 1023, "secret": SECRET, "body": body });
    let ordered =
        client.http.post(format!("{}/mock/callback", mock.base_url())).json(&order).send().await.unwrap();
    assert_eq!(answer(ordered).await.unwrap().1["status"], 200);
    calls.lock().unwrap().clear();

    // And by a process of its own.
    let rule = |url: &str| {
        json!({ "type": "api", "method": "POST", "url": url, "format": "corezoid",
        "extra": { "n": "{{n}}" }, "api_secret_outer": SECRET })
    };
    let conv = client.process(vec![rule("http://127.0.0.1:9/")]).await;
    let (url, calls) = listener(
        &conv.to_string(),
        SECRET,
        json!({ "request_proc": "ok", "ops": [{ "proc": "ok", "res_data": { "x": 1 } }] }),
    )
    .await;
    let nodes = client.op(json!({ "type": "list", "obj": "conv", "obj_id": conv })).await;
    let node = |index: usize| nodes["list"][index]["obj_id"].clone();
    let logics = json!([rule(&url), { "type": "go", "to_node_id": node(1) }]);
    client.op(json!({ "type": "modify", "obj": "node", "obj_id": node(0), "logics": logics })).await;
    client
        .op(json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": "r", "data": { "n": "5" } }))
        .await;
    let task = client.processed(conv, "r").await;
    assert_eq!(task["data"]["x"], 1);
    let (_, received) = calls.lock().unwrap().remove(0);
    assert_eq!((&received["ops"][0]["ref"], &received["ops"][0]["extra"]["n"]), (&json!("r"), &json!("5")));
}

#[tokio::test]
async fn settings_are_there_for_anybody_and_seeds_for_clients_with_numbers() {
    let mock = MockProvider::corezoid().start().await;
    let client = Client::of(&mock);
    let conf = client.http.get(format!("{}/system/conf", mock.base_url())).send().await.unwrap();
    assert_eq!(answer(conf).await.unwrap().1["web_settings"]["path"]["api"], "/api/2/json");
    let create = |conv: Value| json!({ "type": "create", "obj": "task", "conv_id": conv, "data": {} });
    assert_eq!(client.op(create(1635.into())).await["description"], "object not found");
    mock.add_process(1635);
    assert_eq!(client.op(create("1635".into())).await["proc"], "ok");
    let order =
        client.http.post(format!("{}/mock/process", mock.base_url())).json(&json!({ "number": 1664 }));
    assert_eq!(order.send().await.unwrap().status(), 200);
    assert_eq!(client.op(create(1664.into())).await["proc"], "ok");
    mock.set_companies(["i738314881"]);
    let named = |company: &str| json!({ "type": "create", "obj": "conv", "company_id": company });
    assert_eq!(client.op(named("i738314881")).await["proc"], "ok");
    let refused = client.op(named("i1")).await;
    assert_eq!(refused["key"], "company_id");
    let refused = client.op(named("i100000000")).await;
    assert_eq!(refused["description"], "Company of object do not matches companyId of request");
}
