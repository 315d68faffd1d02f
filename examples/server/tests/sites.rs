//! The sites API behind a layer: what its clients get, and that nobody gets another's.

use super::*;
use crate::sites::{self, sites_routes};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use countersign::{
    SignatureVerifier, VerifyLayer,
    credential::{Credential, Organization, Permissions, Principal, SecretVersion},
    middleware::{MessageErrors, RequestIdLayer},
    scheme::{Ateliere, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::MacKey,
    store::MemoryKeyStore,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// The routes over a database in which two organizations have sites, guarded by a scheme that signs URLs.
struct Api {
    _database: Database,
    routes: Router,
}

fn secret() -> Secret {
    Secret::new("a secret of this test only, 32 bytes or more").unwrap()
}

fn scheme() -> Ateliere {
    Ateliere::default().with_method(Method::GET).with_method(Method::DELETE)
}

impl Api {
    async fn new() -> Self {
        let database = Database::new().await;
        let keys = MemoryKeyStore::new();
        for (organization, permissions) in [("2091", "*"), ("globex", "sites:read"), ("initech", "titles:*")]
        {
            let now = i64::try_from(NOW).unwrap();
            sites::seed(&database.pool, &format!("organization/{organization}"), now).await.unwrap();
            let key = MacKey::new(scheme().algorithm(), &secret());
            let principal = Principal::new("ops-bot").unwrap();
            let mut credential = Credential::new(principal, [SecretVersion::new(1, key)]);
            credential.organization = Some(Organization::new(organization).unwrap());
            credential.permissions = Permissions::parse(permissions).unwrap();
            keys.insert(scheme().name(), organization, credential);
        }
        let guard = VerifyLayer::new(SignatureVerifier::new(scheme(), keys));
        let routes = sites_routes(database.pool.clone())
            .layer(guard.with_rejection(MessageErrors::default()))
            .layer(RequestIdLayer::new());
        Self { _database: database, routes }
    }

    async fn ask(&self, method: Method, organization: &str, target: &str) -> (StatusCode, Value) {
        let url = format!("https://api.example.com/v2.0{target}");
        let mut request = Request::builder().method(method).uri(url).body(String::new()).unwrap();
        let signer = Signer::new(scheme(), organization, &secret()).with_organization(organization);
        signer.sign(&mut request).unwrap();
        let (mut head, body) = request.into_parts();
        head.headers.insert("host", "api.example.com".parse().unwrap());
        head.uri = head.uri.path_and_query().unwrap().as_str().parse().unwrap();
        let request = Request::from_parts(head, Body::from(body));
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let answer: Value = serde_json::from_slice(&to_bytes(body, 1 << 21).await.unwrap()).unwrap();
        if !head.status.is_success() {
            assert_eq!(answer["request_id"], head.headers["x-request-id"].to_str().unwrap(), "{answer}");
            assert_eq!(head.headers["content-type"], "application/json");
        }
        (head.status, answer)
    }

    async fn get(&self, target: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, "2091", target).await;
        assert_eq!(status, StatusCode::OK, "{target}: {answer}");
        answer
    }

    /// Status and message of what is refused.
    async fn refused(&self, organization: &str, target: &str) -> (u16, String) {
        let (status, answer) = self.ask(Method::GET, organization, target).await;
        assert_eq!(answer.as_object().map(serde_json::Map::len), Some(2), "{target}: {answer}");
        (status.as_u16(), answer["message"].as_str().unwrap().to_owned())
    }
}

fn ids(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|entry| entry["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn sites_and_streams_have_the_documented_shape() {
    let api = Api::new().await;
    let sites = api.get("/site").await;
    assert_eq!(ids(&sites), [1, 2]);
    let site = json!({
        "id": 1,
        "creation_date": "2023-11-14T22:13:20Z",
        "display_name": "Northern reservoir",
        "status": "Active",
        "longitude": "24.6559",
        "latitude": "60.2055",
        "account_organization_id": 2091,
    });
    assert_eq!(sites[0], site);
    assert_eq!(api.get("/site/1").await, site);
    let streams = api.get("/site/1/streams").await;
    let stream = json!({
        "id": 1,
        "site_id": 1,
        "creation_date": "2023-11-14T22:13:20Z",
        "display_name": "Pressure measurement",
        "status_id": 1,
        "type_id": 13,
        "type_display_name": "Pressure",
        "units": "bar",
        "value_scale": "4",
    });
    assert_eq!((ids(&streams), &streams[0]), (vec![1, 2], &stream));
    assert_eq!(api.get("/stream/1").await, stream);
    assert_eq!(ids(&api.get("/stream").await), [1, 2, 3, 4]);
    // An organization without a number has none in the answer.
    let (_, others) = api.ask(Method::GET, "globex", "/site").await;
    assert_eq!((ids(&others), others[0].get("account_organization_id")), (vec![3, 4], None));
}

#[tokio::test]
async fn samples_come_by_identifier_and_by_range() {
    let api = Api::new().await;
    let last = json!({"id": 96, "stream_id": 1, "sample_date": "2023-11-14T22:13:20Z", "value": "7.9215"});
    assert_eq!(api.get("/stream/1/sample/last").await, last);
    let recent = api.get("/stream/1/sample").await;
    assert_eq!((recent.as_array().unwrap().len(), &recent[95]), (96, &last));
    assert_eq!(ids(&api.get("/stream/1/sample?lastSampleId=94").await), [94, 95, 96]);

    // The last three quarters of an hour are four samples.
    let (from, to) = (NOW - 2_700, NOW);
    let range = |rest: &str| format!("/stream/1/sample/range?fromDate={from}&toDate={to}{rest}");
    let all = api.get(&range("")).await;
    assert_eq!((ids(&all["samples"]), &all["hasMore"]), (vec![93, 94, 95, 96], &json!(false)));
    for (rest, expected, has_more) in [
        ("&limit=4", vec![93, 94, 95, 96], false),
        ("&limit=3", vec![93, 94, 95], true),
        ("&limit=1&offset=0", vec![93], true),
        ("&limit=1&offset=1", vec![93], true),
        ("&limit=2&offset=3", vec![95, 96], false),
        ("&offset=5", vec![], false),
        ("&limit=9223372036854775807&offset=9223372036854775807", vec![], false),
    ] {
        let batch = api.get(&range(rest)).await;
        assert_eq!((ids(&batch["samples"]), &batch["hasMore"]), (expected, &json!(has_more)), "{rest}");
    }
}

#[tokio::test]
async fn an_answer_has_at_most_so_many_samples_as_documented() {
    let api = Api::new().await;
    let mut all =
        String::from("INSERT INTO ref_sample (stream_id, sampled_at, value) VALUES (3, 1000000000, '1')");
    for second in 1..=10_000 {
        all += &format!(",(3,{},'1')", 1_000_000_000 + second);
    }
    sqlx::query(sqlx::AssertSqlSafe(all)).execute(&api._database.pool).await.unwrap();
    for limit in ["", "&limit=10000", "&limit=10001"] {
        let target = format!("/stream/3/sample/range?fromDate=1000000000&toDate=1000010000{limit}");
        let batch = api.get(&target).await;
        assert_eq!((ids(&batch["samples"]).len(), &batch["hasMore"]), (10_000, &json!(true)));
        let rest = api.get(&format!("{target}&offset=10001")).await;
        assert_eq!((ids(&rest["samples"]).len(), &rest["hasMore"]), (1, &json!(false)));
    }
    assert_eq!(ids(&api.get("/stream/3/sample").await).len(), 100);
}

#[tokio::test]
async fn what_belongs_to_others_is_not_found() {
    let api = Api::new().await;
    let range = "sample/range?fromDate=1000000000&toDate=1800000000";
    for (target, id, what) in [
        ("/site/{id}", 1, "Site"),
        ("/site/{id}/streams", 1, "Stream"),
        ("/stream/{id}", 1, "Stream"),
        ("/stream/{id}/sample", 1, "Sample"),
        ("/stream/{id}/sample/last", 1, "Sample"),
        (&format!("/stream/{{id}}/{range}"), 1, "Sample"),
    ] {
        let target = |id: i64| target.replace("{id}", &id.to_string());
        api.get(&target(id)).await;
        let expected = (404, format!("{what} not found"));
        assert_eq!(api.refused("globex", &target(id)).await, expected);
        // As if it were nowhere.
        assert_eq!(api.refused("globex", &target(99)).await, expected);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_the_same_shape() {
    let api = Api::new().await;
    let whole = "must be a whole number of 946688461 or more";
    for (target, why) in [
        ("/site?page=2", "unknown parameter \"page\"".to_owned()),
        ("/site/1?fields=id", "unknown parameter \"fields\"".to_owned()),
        ("/site/one", "the id in the path must be a whole number of 1 or more".to_owned()),
        ("/site/0", "the id in the path must be a whole number of 1 or more".to_owned()),
        ("/site/-1/streams", "the id in the path must be a whole number of 1 or more".to_owned()),
        ("/stream/9223372036854775808", "the id in the path must be a whole number of 1 or more".to_owned()),
        ("/stream/1/sample?lastSampleId=0", "lastSampleId must be a whole number of 1 or more".to_owned()),
        ("/stream/1/sample?lastSampleId=1&lastSampleId=2", "lastSampleId is there twice".to_owned()),
        ("/stream/1/sample/range", "fromDate is missing".to_owned()),
        ("/stream/1/sample/range?fromDate=1000000000", "toDate is missing".to_owned()),
        ("/stream/1/sample/range?fromDate=2023-11-14&toDate=1000000000", format!("fromDate {whole}")),
        ("/stream/1/sample/range?fromDate=946688460&toDate=1000000000", format!("fromDate {whole}")),
        ("/stream/1/sample/range?fromDate=1000000000&toDate=1e9", format!("toDate {whole}")),
        (
            "/stream/1/sample/range?fromDate=1000000001&toDate=1000000000",
            "fromDate is after toDate".to_owned(),
        ),
        (
            "/stream/1/sample/range?fromDate=1000000000&toDate=1000000001&limit=0",
            "limit must be a whole number of 1 or more".to_owned(),
        ),
        (
            "/stream/1/sample/range?fromDate=1000000000&toDate=1000000001&offset=%2B1",
            "offset must be a whole number of 0 or more".to_owned(),
        ),
    ] {
        assert_eq!(api.refused("2091", target).await, (400, format!("Bad request: {why}")), "{target}");
    }
    assert_eq!(api.refused("2091", "/site/%FF").await.0, 400);
    let (status, answer) = api.ask(Method::DELETE, "2091", "/site/1").await;
    assert_eq!((status.as_u16(), &answer["message"]), (405, &json!("Method Not Allowed")));
}

#[tokio::test]
async fn who_lacks_the_permission_sees_nothing() {
    let api = Api::new().await;
    for target in ["/site", "/site/5", "/stream", "/stream/9/sample/last", "/site?page=2"] {
        assert_eq!(api.refused("initech", target).await, (403, "Forbidden".to_owned()), "{target}");
    }
}
