//! Nothing that a server prints, serves or answers could be sent again: what it was sent, rightly or wrongly signed, is
//! looked for in its log, its metrics and its answers. Every other test that starts a server has that searched as well.

use crate::support::{
    planted::{plant, search},
    server::Server,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use countersign::{
    clock::SystemClock,
    scheme::{Corezoid, SalesCloud},
    secret::Secret,
    sign::Signer,
};
use http::{Request, header::HOST};

/// A signed request as a line of a shell, and its path.
fn corezoid(server: &Server, secret: &str, body: &str) -> String {
    let url = format!("{}/api/2/json", server.url);
    let host = server.url.trim_start_matches("http://");
    let mut request = Request::post(url).header(HOST, host).body(body.to_owned()).unwrap();
    let signer =
        Signer::new(Corezoid::default(), &server.demo("COREZOID_KEY_ID"), &Secret::new(secret).unwrap());
    signer.with_clock(SystemClock).sign(&mut request).unwrap();
    let path = request.uri().path().to_owned();
    plant(path.rsplit('/').next().unwrap());
    path
}

/// Plants the signatures in the lines that the server has printed to be pasted.
fn plant_signatures(server: &Server) {
    for line in server.printed.lines() {
        for header in line.split('\'').filter_map(|word| word.split_once(": ")) {
            match header {
                (name, value) if name.eq_ignore_ascii_case("oz-signature") => plant(value),
                (name, value) if name.eq_ignore_ascii_case("authorization") => {
                    plant(value.rsplit(' ').next().unwrap());
                }
                _ => {}
            }
        }
    }
}

#[test]
fn nothing_that_could_be_sent_again_is_printed_served_or_answered() {
    let server = Server::start(&["--usage-interval", "1"]);
    plant_signatures(&server);
    let ask = |words: &str| server.shell(&format!("curl --silent --include {words}"));
    let mut answers = String::new();
    // What works when it is pasted, and the same with another body, method, path, or on another route.
    for line in server.printed.lines().filter(|line| line.contains("curl")) {
        answers += &server.shell(&line.replace("--data-binary '", "--data-binary ' "));
        answers += &server.shell(&line.replace("/graphql", "/acme/graphql?signature=1"));
    }
    let secret = server.demo("COREZOID_SECRET");
    let (right, wrong) = (
        corezoid(&server, &secret, "{\"ops\":[]}"),
        corezoid(&server, "a wrong secret of the right length", "{\"ops\":[]}"),
    );
    for path in
        [&right, &wrong, &right.replace("/api/2", "/api/3"), &format!("{right}/more"), &format!("/x{right}")]
    {
        for method in ["POST", "GET"] {
            answers += &ask(&format!("-X {method} --data-binary '{{\"ops\":[]}}' '{}{path}'", server.url));
        }
    }
    // Tokens, good and bad, and the credentials that they are issued for.
    let (id, secret) = (server.demo("AYYEKA_KEY_ID"), server.demo("AYYEKA_SECRET"));
    plant(&BASE64_STANDARD.encode(format!("{id}:{secret}")));
    let grant = "--data grant_type=client_credentials";
    let issued =
        server.shell(&format!("curl --silent --user '{id}:{secret}' {grant} {}/auth/token", server.url));
    let issued: serde_json::Value = serde_json::from_str(&issued).unwrap();
    let token = issued["access_token"].as_str().unwrap();
    plant(token);
    plant(token.rsplit('.').next().unwrap());
    for header in
        [format!("Bearer {token}"), format!("Bearer {token}x"), token.to_owned(), format!("Basic {token}")]
    {
        answers += &ask(&format!("-H 'Authorization: {header}' {}/v2.0/site", server.url));
        answers +=
            &ask(&format!("-H 'Authorization: {header}' '{}/v2.0/site?access_token={token}'", server.url));
    }
    answers += &ask(&format!("--user '{id}:{secret}x' {grant} {}/auth/token", server.url));
    let other = Secret::new("another secret that no key of this server has").unwrap();
    let signer = Signer::new(SalesCloud::default(), &server.demo("SALESCLOUD_KEY_ID"), &other);
    let mut request = Request::post(format!("{}/", server.url)).body(String::new()).unwrap();
    request.headers_mut().insert(HOST, server.url.trim_start_matches("http://").parse().unwrap());
    let signer = signer
        .with_public_key(&server.demo("SALESCLOUD_PUBLIC_KEY"))
        .with_organization(&server.demo("SALESCLOUD_ORGANIZATION"));
    signer.sign(&mut request).unwrap();
    let headers = request.headers().iter().filter(|(name, _)| **name != HOST);
    let headers: Vec<_> =
        headers.map(|(name, value)| format!("-H '{name}: {}'", value.to_str().unwrap())).collect();
    plant(request.headers()["authorization"].to_str().unwrap().rsplit(' ').next().unwrap());
    answers += &ask(&format!("-X POST {} {}/", headers.join(" "), server.url));

    search("an answer", &answers);
    search("the metrics", &server.shell(&format!("curl --silent {}/metrics", server.operators())));
    let told = server.log();
    search("the log", &told);
    // The search finds something where there is something to be found.
    for word in ["request refused", "bad_signature", "request verified", "REDACTED", &id] {
        assert!(told.contains(word), "the log does not tell of {word}: {told}");
    }
    assert!(answers.contains("401") && answers.contains("200 OK"), "{answers}");
    // What is printed until the server ends is searched when it does.
}
