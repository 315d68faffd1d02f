//! The mock of Ateliere: its small catalogue, batches, and who called.

use super::{Client, answer};
use countersign::mock::{ClientUsage, MockProvider};
use serde_json::json;

#[tokio::test]
async fn titles_are_created_changed_and_deleted() {
    let mock = MockProvider::ateliere().start().await;
    let client = Client::of(&mock);
    let create = "mutation Create($title: NewTitle!) { createTitle(title: $title) { id name releaseYear } }";
    let body =
        json!({ "query": create, "variables": { "title": { "name": "Solaris", "releaseYear": 1972 } } });
    let (_, created) = client.send(&body).await.unwrap();
    let title = &created["data"]["createTitle"];
    assert_eq!((&title["name"], &title["releaseYear"]), (&json!("Solaris"), &json!(1972)));
    let change =
        "mutation($id: ID!) { updateTitle(id: $id, changes: { name: \"Солярис\" }) { name releaseYear } }";
    let (_, changed) =
        client.send(&json!({ "query": change, "variables": { "id": title["id"] } })).await.unwrap();
    assert_eq!(changed["data"]["updateTitle"], json!({ "name": "Солярис", "releaseYear": 1972 }));
    let delete =
        json!({ "query": "mutation($id: ID!) { deleteTitle(id: $id) }", "variables": { "id": title["id"] } });
    // As the document's sample sends it.
    let (_, deleted) = client.send(&json!([delete, delete])).await.unwrap();
    assert_eq!(deleted, json!([{ "data": { "deleteTitle": true } }, { "data": { "deleteTitle": false } }]));
}

#[tokio::test]
async fn what_is_no_graphql_is_told_so() {
    let mock = MockProvider::ateliere().start().await;
    let client = Client::of(&mock);
    let (status, unusable) = client.send(&json!("no object")).await.unwrap();
    assert_eq!(status, 400);
    assert!(unusable["errors"][0]["message"].as_str().unwrap().contains("not a GraphQL request"));
    let nested = format!("{{ a(x: {}{}) }}", "[".repeat(3_000), "]".repeat(3_000));
    let (status, refused) = client.send(&json!({ "query": nested })).await.unwrap();
    assert_eq!((status, &refused["data"]), (200, &json!(null)));
    let (_, refused) = client.send(&json!({ "query": "{ nothing }" })).await.unwrap();
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("nothing"));
}

#[tokio::test]
async fn clients_are_counted_by_name_and_version() {
    let mock = MockProvider::ateliere().start().await;
    let client = Client::of(&mock);
    let body = json!({ "query": "{ me { keyId } }" });
    let (name, version) = ("oz-client-name", "oz-client-version");
    for headers in [
        &[(name, "importer"), (version, "1.2")][..],
        &[(name, "importer"), (version, "1.2")],
        &[(name, "importer")],
        &[(name, "importer"), (version, "")],
        &[],
    ] {
        let request = client.request(&body, headers);
        assert_eq!(answer(client.http.execute(request).await.unwrap()).await.unwrap().0, 200);
    }
    mock.rotate_secret();
    let refused = client.http.execute(client.request(&body, &[(name, "stranger")])).await.unwrap();
    assert_eq!(refused.status(), 401);
    let usage = |name: Option<&str>, version: Option<&str>, requests| ClientUsage {
        name: name.map(str::to_owned),
        version: version.map(str::to_owned),
        requests,
    };
    let expected =
        [usage(None, None, 1), usage(Some("importer"), None, 2), usage(Some("importer"), Some("1.2"), 2)];
    assert_eq!(mock.usage(), expected);
}
