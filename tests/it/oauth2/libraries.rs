//! OAuth libraries as they are: all of them take the type `Bearer`, and simple-oauth2 also `JWT`, which is documented.

use super::{ACCOUNT, AUDIENCE, CLIENT, CLIENT_SECRET, Issuer, client};
use crate::support::client::run;
use countersign::oauth2::TokenType;

const LIBRARIES: [(&str, &str); 4] = [
    ("oauth.py", "requests-oauthlib"),
    ("oauth.py", "authlib"),
    ("oauth.cjs", "simple-oauth2"),
    ("oauth.cjs", "openid-client"),
];

async fn call(
    issuer: &Issuer,
    file: &'static str,
    library: &'static str,
    id: &str,
    secret: &str,
) -> (u64, String) {
    let token_url = format!("http://{}/auth/token", issuer.address);
    let base_url = format!("http://{}/v2.0/site", issuer.address);
    let (id, secret) = (id.to_owned(), secret.to_owned());
    let work = move || {
        let settings =
            [("LIBRARY", library), ("TOKEN_URL", &token_url), ("BASE_URL", &base_url), ("KEY_ID", &id)];
        run(file, &settings, &secret, "")
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn every_library_takes_a_token_of_the_type_bearer() {
    let issuer = Issuer::with(|endpoint| endpoint.with_token_type(TokenType::Bearer)).await;
    // What has to be encoded, and what clients disagree about.
    let secret = "s3/cr+t=%41&:value-of-random-letters";
    issuer.keys.insert_client(client("key-1", &[secret]));
    for (file, library) in LIBRARIES {
        for (id, secret) in [(CLIENT, CLIENT_SECRET), ("key-1", secret)] {
            let (status, body) = call(&issuer, file, library, id, secret).await;
            let expected = format!("ayyeka {id} {ACCOUNT} {AUDIENCE} write [sites:*] 0");
            assert_eq!((status, body), (200, expected), "{library}");
        }
        let (status, body) = call(&issuer, file, library, CLIENT, "a wrong secret of letters").await;
        assert_eq!(status, 0, "{library}: {body}");
    }
}

#[tokio::test]
async fn the_documented_type_is_taken_by_one_of_them() {
    let issuer = Issuer::start().await;
    for (file, library) in LIBRARIES {
        let (status, body) = call(&issuer, file, library, CLIENT, CLIENT_SECRET).await;
        assert_eq!(status, if library == "simple-oauth2" { 200 } else { 0 }, "{library}: {body}");
    }
}
