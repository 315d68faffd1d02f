//! Clients: signed requests with [`reqwest`], and access tokens that are got and renewed when they are needed.
//!
//! ```no_run
//! use countersign::{client::TokenClient, scheme::Corezoid, secret::Secret, sign::Signer};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let http = reqwest::Client::new();
//!
//! // A request that is signed.
//! let secret = Secret::new(std::env::var("COREZOID_SECRET")?)?;
//! let signer = Signer::new(Corezoid::default(), "13000", &secret);
//! let answer = signer.send(http.post("https://api.corezoid.com/api/2/json").body(r#"{"ops":[]}"#)).await?;
//!
//! // A request that carries a token.
//! let secret = Secret::new(std::env::var("AYYEKA_SECRET")?)?;
//! let token_url = "https://restapi.ayyeka.com/auth/token".parse()?;
//! let ayyeka = TokenClient::new(http.clone(), token_url, &std::env::var("AYYEKA_KEY")?, secret)?;
//! let sites = ayyeka.send(http.get("https://restapi.ayyeka.com/v2.0/site")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! This crate asks `reqwest` for no TLS: enable the feature of your choice in your own dependency on it.
//!
//! # Security
//!
//! A client that follows redirects sends a signed request on as it is, to wherever it is told. Build it with
//! `redirect(Policy::none())` where the server is not wholly trusted.

mod answer;
mod error;
mod signed;
mod token;

pub use self::{
    error::{ClientError, ClientErrorKind},
    token::{AccessToken, TokenClient},
};
