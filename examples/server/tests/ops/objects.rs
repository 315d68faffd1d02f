//! What the operations do to processes, folders, nodes, tasks and exports.

use super::*;

#[tokio::test]
async fn a_process_lives_from_creation_to_destruction() {
    let server = Server::new().await;
    let conv = json!({ "type": "create", "obj": "conv", "title": "Orders", "description": "d", "folder_id": 0,
        "conv_type": "state", "status": "actived", "company_id": "acme" });
    let id = server.ok(conv).await["obj_id"].clone();
    let conv = |action: &str| json!({ "type": action, "obj": "conv", "obj_id": id, "company_id": "acme" });
    let shown = server.ok(conv("show")).await;
    assert_eq!(shown["title"], "Orders");
    assert_eq!(
        (&shown["status"], &shown["conv_type"], &shown["company_id"]),
        (&json!("active"), &json!("state"), &json!("acme"))
    );
    assert_eq!((&shown["create_time"], &shown["parent_obj_id"]), (&json!(NOW), &json!(0)));

    let mut modify = conv("modify");
    modify["status"] = "paused".into();
    let changed = server.ok(modify.clone()).await;
    assert_eq!((&changed["old_status"], &changed["new_status"]), (&json!("active"), &json!("paused")));
    assert_eq!(
        (&changed["is_changed"], &server.ok(modify).await["is_changed"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(server.ok(conv("list")).await["list"].as_array().unwrap().len(), 2);

    server.ok(conv("delete")).await;
    for action in ["delete", "list", "modify", "show"] {
        assert_eq!(server.op(conv(action)).await["proc"], "obj_id_not_found", "{action}");
    }
    assert_eq!(server.ok(conv("restore")).await["parent_folder_id"], 0);
    assert_eq!(server.op(conv("destroy")).await["proc"], "obj_id_not_found");
    server.ok(conv("delete")).await;
    server.ok(conv("destroy")).await;
    assert_eq!(server.op(conv("restore")).await["proc"], "obj_id_not_found");
}

#[tokio::test]
async fn folders_hold_folders_and_processes() {
    let server = Server::new().await;
    let folder =
        json!({ "type": "create", "obj": "folder", "title": "Тека <1>", "description": "", "folder_id": 0 });
    let outer = server.ok(folder).await["obj_id"].clone();
    let inner =
        server.ok(json!({ "type": "create", "obj": "folder", "folder_id": outer })).await["obj_id"].clone();
    let conv = server.ok(json!({ "type": "create", "obj": "conv", "folder_id": outer, "title": "P" })).await;
    assert_eq!(conv["folder_id"], outer);

    let listed = server.ok(json!({ "type": "list", "obj": "folder", "obj_id": outer })).await;
    assert_eq!(
        (&listed["parent_folder_id"], &listed["parent_folder_title"]),
        (&json!(0), &json!("Root folder"))
    );
    let entries: Vec<_> =
        listed["list"].as_array().unwrap().iter().map(|e| (e["obj"].clone(), e["obj_id"].clone())).collect();
    assert_eq!(entries, [(json!("folder"), inner.clone()), (json!("conv"), conv["obj_id"].clone())]);
    let root = server.ok(json!({ "type": "list", "obj": "folder", "obj_id": 0 })).await;
    assert_eq!(root["list"][0]["title"], "Тека <1>");

    server
        .ok(json!({ "type": "modify", "obj": "folder", "obj_id": inner, "title": "In", "description": null }))
        .await;
    let shown = server.ok(json!({ "type": "show", "obj": "folder", "obj_id": inner })).await;
    assert_eq!((&shown["title"], &shown["parent_obj_id"]), (&json!("In"), &outer));
    server.ok(json!({ "type": "delete", "obj": "folder", "obj_id": outer })).await;
    let root = server.ok(json!({ "type": "list", "obj": "folder", "obj_id": 0 })).await;
    assert_eq!(root["list"], json!([]));
    server.ok(json!({ "type": "destroy", "obj": "folder", "obj_id": outer })).await;
    let gone = server.op(json!({ "type": "show", "obj": "conv", "obj_id": conv["obj_id"] })).await;
    assert_eq!(gone["proc"], "obj_id_not_found");
    let nowhere = server.op(json!({ "type": "create", "obj": "conv", "folder_id": outer })).await;
    assert_eq!(nowhere, described("object not found"));
    let root = server.op(json!({ "type": "modify", "obj": "folder", "obj_id": 0, "title": "x" })).await;
    assert_eq!(root["proc"], "error");
}

#[tokio::test]
async fn nodes_keep_their_rules() {
    let server = Server::new().await;
    let conv =
        server.ok(json!({ "type": "create", "obj": "conv", "create_mode": "without_nodes" })).await["obj_id"]
            .clone();
    let create = json!({ "id": "tmp", "type": "create", "obj": "node", "conv_id": conv, "title": "N", "obj_type": 0, "version": 7 });
    let created = server.ok(create).await;
    assert_eq!((&created["id"], &created["version"]), (&json!("tmp"), &json!(7)));
    let id = created["obj_id"].clone();
    assert_eq!(id.as_str().unwrap().len(), 24);
    let logics = json!([{ "type": "go_if_const", "conditions": [] }, { "type": "go", "to_node_id": "x" }]);
    let modify = json!({ "type": "modify", "obj": "node", "obj_id": id, "conv_id": conv, "logics": logics,
        "position": [520, 204], "extra": { "icon": "" }, "title": "M" });
    server.ok(modify).await;
    let again = json!({ "type": "modify", "obj": "node", "obj_id": id, "semaphors": [{ "type": "time" }], "obj_type": 3 });
    server.ok(again).await;
    let shown = server.ok(json!({ "type": "show", "obj": "node", "obj_id": id, "conv_id": conv })).await;
    assert_eq!((&shown["title"], &shown["logics"], &shown["obj_type"]), (&json!("M"), &logics, &json!(3)));
    assert_eq!((&shown["semaphors"], &shown["position"]), (&json!([{ "type": "time" }]), &json!([520, 204])));

    let node =
        |action: &str, conv: Value| json!({ "type": action, "obj": "node", "obj_id": id, "conv_id": conv });
    assert_eq!(server.op(node("show", json!(987_654))).await["proc"], "obj_id_not_found");
    assert_eq!(server.ok(node("delete", conv.clone())).await["obj"], "conv");
    assert_eq!(server.op(node("delete", conv)).await["proc"], "obj_id_not_found");
}

#[tokio::test]
async fn tasks_move_through_the_nodes() {
    let server = Server::new().await;
    let conv = server.conv().await;
    let nodes = server.ok(json!({ "type": "list", "obj": "conv", "obj_id": conv })).await["list"].clone();
    let (start, end) = (nodes[0]["obj_id"].clone(), nodes[1]["obj_id"].clone());
    let by_ref =
        |action: &str| json!({ "type": action, "obj": "task", "conv_id": conv.to_string(), "ref": "r1" });
    let mut create = by_ref("create");
    create["data"] = json!({ "phone": "+380", "n": 1 });
    let id = server.ok(create.clone()).await["obj_id"].clone();
    assert!(server.op(create).await["description"].as_str().unwrap().contains("already"));
    let task = server.ok(by_ref("show")).await;
    assert_eq!((&task["obj_id"], &task["node_id"], &task["node_prev_id"]), (&id, &start, &Value::Null));
    assert_eq!((&task["status"], &task["create_time"]), (&json!("active"), &json!(NOW)));

    let mut modify = by_ref("modify");
    modify["data"] = json!({ "n": 2, "x": [] });
    server.ok(modify).await;
    let moved = server
        .ok(json!({ "type": "step_next", "obj": "task", "obj_id": id, "conv_id": conv, "data": { "y": 3 } }))
        .await;
    assert_eq!(
        (&moved["prev_node_id"], &moved["node_id"], &moved["status"]),
        (&start, &end, &json!("processed"))
    );
    assert_eq!(moved["data"], json!({ "phone": "+380", "n": 2, "x": [], "y": 3 }));
    let step = |action: &str| json!({ "type": action, "obj": "task", "obj_id": id });
    assert_eq!(server.op(step("step_next")).await["description"], "the task has no node to go to");
    assert_eq!(server.ok(step("step_prev")).await["node_id"], start);
    let mut goto = step("step_goto");
    goto["node_id"] = "elsewhere".into();
    assert_eq!(server.op(goto.clone()).await["description"], "object not found");
    goto["node_id"] = end.clone();
    server.ok(goto).await;

    let in_node = server.ok(json!({ "type": "list", "obj": "node", "obj_id": end, "conv_id": conv, "limit": 10, "offset": 0 })).await;
    assert_eq!((&in_node["count"], &in_node["list"][0]["obj_id"]), (&json!(1), &id));
    assert_eq!(
        server.ok(json!({ "type": "list", "obj": "task", "conv_id": conv })).await["list"][0]["ref"],
        "r1"
    );
    let mut delete = step("delete");
    delete["node_id"] = start.clone();
    assert_eq!(server.op(delete.clone()).await["proc"], "obj_id_not_found");
    delete["node_id"] = end;
    server.ok(delete).await;
    assert_eq!(server.op(by_ref("show")).await["description"], "object not found");
    // A task needs neither reference nor data, and several may have none.
    let bare = json!({ "type": "create", "obj": "task", "conv_id": conv });
    assert_eq!(server.ok(bare.clone()).await["ref"], Value::Null);
    server.ok(bare).await;
}

#[tokio::test]
async fn an_export_is_downloaded_by_its_company_only() {
    let server = Server::new().await;
    let conv = server.conv().await;
    let export = json!({ "async": false, "format": "json", "obj": "obj_scheme", "obj_id": conv, "obj_type": "conv",
        "type": "create", "with_alias": true });
    let made = server.ok(export.clone()).await;
    let url = made["download_url"].as_str().unwrap().to_owned();
    let file = url.strip_prefix("https://ops.example.com/user_downloads/").unwrap();
    assert_eq!((file, &made["statistics_id"]), (format!("conv_{conv}_1.json").as_str(), &json!(file)));
    let download = async |caller: &Caller, file: &str| {
        let response = server.endpoint.download(caller, file).await;
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_slice::<Value>(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap(),
        )
    };
    let (status, scheme) = download(&caller(Some("acme")), file).await;
    assert_eq!((status, scheme[0]["scheme"]["nodes"].as_array().unwrap().len()), (200, 2));
    assert_eq!(scheme[0]["scheme"]["nodes"][0]["condition"]["logics"][0]["type"], "go");
    for (organization, file) in [
        (Some("globex"), file),
        (None, file),
        (Some("acme"), "conv_1_99.json"),
        (Some("acme"), "../x"),
        (Some("acme"), "conv_1_1.json.json"),
        (Some("acme"), "conv_99999999999999999999_1.json"),
    ] {
        assert_eq!(download(&caller(organization), file).await.0, 404, "{file}");
    }
    for _ in 0..10 {
        server.ok(export.clone()).await;
    }
    assert_eq!(download(&caller(Some("acme")), file).await.0, 404, "the eleventh export replaces the first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn operations_at_the_same_time_do_not_disturb_each_other() {
    let server = Arc::new(Server::new().await);
    let conv = server.conv().await;
    let clients: Vec<_> = (0..16).map(|client| {
        let (server, conv) = (Arc::clone(&server), conv.clone());
        tokio::spawn(async move {
            for n in 0..10 {
                // Every client also tries to create the one task that only one of them can create.
                let shared = json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": format!("shared-{n}") });
                let own = json!({ "type": "create", "obj": "task", "conv_id": conv, "ref": format!("{client}-{n}") });
                let add = json!({ "type": "modify", "obj": "task", "conv_id": conv, "ref": "shared-0", "data": { format!("{client}-{n}"): n } });
                let (_, answer) = server.post(&caller(Some("acme")), &json!({ "ops": [shared, own, add] }).to_string()).await;
                assert_eq!((&answer["ops"][1]["proc"], &answer["ops"][2]["proc"]), (&json!("ok"), &json!("ok")), "{answer}");
                assert_ne!(answer["ops"][0]["description"], "internal error");
            }
        })
    }).collect();
    for client in clients {
        client.await.unwrap();
    }
    let shown = server.ok(json!({ "type": "show", "obj": "conv", "obj_id": conv })).await;
    assert_eq!(shown["size"], 10 + 16 * 10);
    let task = server.ok(json!({ "type": "show", "obj": "task", "conv_id": conv, "ref": "shared-0" })).await;
    assert_eq!(task["data"].as_object().unwrap().len(), 160);
}
