//! The mock providers: that a client finds them as it would the provider, whatever goes wrong.

mod ateliere;
mod ayyeka;
mod clients;
#[cfg(feature = "cli")]
mod command;
mod corezoid;
mod faults;
mod frame;
mod salescloud;

use countersign::{
    mock::{AteliereMock, MockProvider},
    scheme::Ateliere,
    secret::Secret,
    sign::Signer,
};
use http::Request;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a test waits for what comes at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that signs as Ateliere's do.
struct Client {
    http: reqwest::Client,
    url: String,
    signer: Signer,
}

impl Client {
    fn of(mock: &MockProvider<AteliereMock>) -> Self {
        let key = mock.credential();
        let secret = Secret::new(key.secret()).unwrap();
        let signer = Signer::new(Ateliere::default(), key.key_id(), &secret)
            .with_organization(key.organization().unwrap());
        Self { http: http(), url: mock.endpoint(), signer }
    }

    fn request(&self, body: &Value, headers: &[(&str, &str)]) -> reqwest::Request {
        let mut request = Request::post(&self.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.to_string()).unwrap();
        self.signer.sign(&mut request).unwrap();
        request.try_into().unwrap()
    }

    async fn send(&self, body: &Value) -> reqwest::Result<(u16, Value)> {
        answer(self.http.execute(self.request(body, &[])).await?).await
    }

    async fn titles(&self) -> reqwest::Result<(u16, Value)> {
        self.send(&json!({ "query": "query Titles { titles { name } }" })).await
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

async fn answer(answer: reqwest::Response) -> reqwest::Result<(u16, Value)> {
    Ok((answer.status().as_u16(), answer.json().await?))
}
