//! Signed requests with `reqwest`.

use super::ClientError;
use crate::{error::SignError, sign::Signer, signature::Signature};
use http::Uri;
use reqwest::{Request, RequestBuilder, Response, Url};

/// With the feature `client`.
impl Signer {
    /// Builds a request, signs it, and sends it with the client that it was begun with.
    ///
    /// The URL is signed as it goes out, which is how `reqwest` normalised it: in lower case, with what must be
    /// percent-encoded. An answer is an answer, whatever its status.
    ///
    /// # Errors
    ///
    /// [`Sign`](super::ClientErrorKind::Sign) if the body is a stream (a multipart form of `reqwest` is one), or the
    /// request or the key lacks something that the scheme signs: nothing was sent then.
    /// [`Transport`](super::ClientErrorKind::Transport) if there was no answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let (client, request) = request.build_split();
        let mut request = request.map_err(ClientError::transport)?;
        self.sign_reqwest(&mut request)?;
        client.execute(request).await.map_err(ClientError::transport)
    }

    /// Signs a request as it will be sent. It is changed on success only.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the body is a stream, or as for [`sign`](Self::sign).
    pub fn sign_reqwest(&self, request: &mut Request) -> Result<Signature, SignError> {
        let body = match request.body() {
            None => &[][..],
            Some(body) => body.as_bytes().ok_or(SignError::new(
                "the body is a stream, and the signature covers every byte of it: give it as bytes",
            ))?,
        };
        let target = |error| SignError::with_source("the URL cannot be that of a request", error);
        let sent: Uri = request.url().as_str().parse().map_err(target)?;
        let mut copy = http::Request::new(body);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = sent.clone();
        copy.headers_mut().clone_from(request.headers());
        let signature = self.sign(&mut copy)?;
        let (head, _) = copy.into_parts();
        if head.uri != sent {
            *request.url_mut() = url(&head.uri)?;
        }
        *request.headers_mut() = head.headers;
        Ok(signature)
    }
}

/// The URL that is sent as just this URI.
fn url(uri: &Uri) -> Result<Url, SignError> {
    let text = uri.to_string();
    let url = Url::parse(&text);
    let url = url.map_err(|error| SignError::with_source("the credentials cannot stand in a URL", error))?;
    // Of a login `..`, nothing would be left.
    if url.as_str() != text {
        return Err(SignError::new("the credentials cannot stand in a URL as they are"));
    }
    Ok(url)
}
