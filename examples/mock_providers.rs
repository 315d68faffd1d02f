//! A small client of Ateliere Connect and its integration test, against the mock.
//!
//! ```text
//! cargo run --example mock_providers --features mock
//! cargo test --example mock_providers --features mock
//! ```

use anyhow::{Context as _, Result, bail};
use countersign::{
    mock::{AteliereMock, Fault, MockProvider},
    scheme::Ateliere,
    secret::Secret,
    sign::Signer,
};
use http::{Request, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use std::time::Duration;

/// How often the client tries before it gives up.
const ATTEMPTS: u32 = 3;

/// The client: it signs, and comes again when it is told to.
struct Catalogue {
    http: reqwest::Client,
    url: String,
    signer: Signer,
}

impl Catalogue {
    fn new(url: String, key_id: &str, secret: &str, organization: &str) -> Result<Self> {
        let secret = Secret::new(secret)?;
        let signer = Signer::new(Ateliere::default(), key_id, &secret).with_organization(organization);
        Ok(Self { http: reqwest::Client::builder().no_proxy().build()?, url, signer })
    }

    async fn create(&self, name: &str) -> Result<String> {
        let query = "mutation Create($title: NewTitle!) { createTitle(title: $title) { id } }";
        let data = self.ask(query, json!({ "title": { "name": name } })).await?;
        Ok(data["createTitle"]["id"].as_str().context("no id")?.to_owned())
    }

    async fn names(&self) -> Result<Vec<String>> {
        let data = self.ask("query Titles { titles { name } }", json!({})).await?;
        let titles = data["titles"].as_array().context("no titles")?;
        Ok(titles.iter().filter_map(|title| title["name"].as_str()).map(str::to_owned).collect())
    }

    async fn ask(&self, query: &str, variables: Value) -> Result<Value> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        for _ in 0..ATTEMPTS {
            let mut request = Request::post(&self.url)
                .header("oz-client-name", "example")
                .header("oz-client-version", "1.0")
                .body(body.clone())?;
            self.signer.sign(&mut request)?;
            let answer = self.http.execute(request.try_into()?).await?;
            if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                let pause = answer.headers().get(RETRY_AFTER).context("no Retry-After")?.to_str()?.parse()?;
                tokio::time::sleep(Duration::from_secs(pause)).await;
                continue;
            }
            let mut answer: Value = answer.error_for_status()?.json().await?;
            if let Some(error) = answer["errors"].get(0) {
                bail!("refused: {error}");
            }
            return Ok(answer["data"].take());
        }
        bail!("still too many requests")
    }
}

fn client(mock: &MockProvider<AteliereMock>) -> Result<Catalogue> {
    let key = mock.credential();
    Catalogue::new(
        mock.endpoint(),
        key.key_id(),
        key.secret(),
        key.organization().context("no organization")?,
    )
}

#[tokio::main]
async fn main() -> Result<()> {
    let mock = MockProvider::ateliere().start().await;
    let catalogue = client(&mock)?;
    println!("created title {}", catalogue.create("Solaris").await?);
    println!("titles: {:?}", catalogue.names().await?);
    // What a provider in trouble answers.
    mock.fault(Fault::too_many_requests(0).times(1));
    println!("titles once more: {:?}", catalogue.names().await?);
    for request in mock.requests() {
        println!("received {request}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::mock::Outcome;

    #[tokio::test]
    async fn what_is_created_can_be_listed() {
        let mock = MockProvider::ateliere().start().await;
        let catalogue = client(&mock).unwrap();
        catalogue.create("Solaris").await.unwrap();
        assert_eq!(catalogue.names().await.unwrap(), ["Solaris"]);
        assert!(mock.requests().iter().all(|request| request.outcome() == Outcome::Accepted));
        assert_eq!(mock.requests()[0].client(), Some(("example", Some("1.0"))));
    }

    #[tokio::test]
    async fn it_comes_again_when_it_is_told_to() {
        let mock = MockProvider::ateliere().start().await;
        mock.fault(Fault::too_many_requests(0).times(2));
        mock.stub("Titles").reply(json!({ "data": { "titles": [{ "name": "Stalker" }] } })).expect(1);
        assert_eq!(client(&mock).unwrap().names().await.unwrap(), ["Stalker"]);
        assert_eq!(mock.requests().len(), 3);
    }

    #[tokio::test]
    async fn it_says_what_it_is_refused_for() {
        let mock = MockProvider::ateliere().start().await;
        let catalogue = client(&mock).unwrap();
        mock.rotate_secret();
        catalogue.names().await.unwrap_err();
        let request = &mock.requests()[0];
        assert_eq!(request.outcome().to_string(), "bad_signature");
        assert!(request.signature_base().unwrap().starts_with(r#"{"url":"127.0.0.1:"#));
    }
}
