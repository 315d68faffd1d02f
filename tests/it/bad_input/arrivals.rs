//! 115 raw request targets over a real socket, each signed just as it is sent.

use super::{request, server, wire};
use crate::support::vectors::read;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A recorded request.
#[derive(Deserialize)]
struct Raw {
    id: String,
    host: Option<String>,
    /// Bytes, read as Latin-1.
    target_latin1: String,
    /// What another server with hyper in it answered, without a guard.
    status: String,
    /// What its handler saw.
    axum: Option<serde_json::Value>,
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

impl Raw {
    /// The `Host` headers that were sent.
    fn hosts(&self) -> Vec<&str> {
        let seen = self.axum.as_ref().and_then(|seen| seen["hosts"].as_array());
        match seen.filter(|hosts| hosts.len() > 1) {
            Some(hosts) => hosts.iter().map(|host| host.as_str().unwrap()).collect(),
            None => self.host.as_deref().into_iter().collect(),
        }
    }

    /// The target that was sent. Of the longest one only the beginning was recorded.
    fn target(&self) -> Vec<u8> {
        let mut target = latin1(&self.target_latin1);
        if let Some(length) = self.id.strip_prefix("raw: long target ") {
            target.resize(length.parse().unwrap(), b'a');
        }
        target
    }

    /// The request, signed as a client signs that sends what it was told, byte for byte.
    fn wire(&self) -> Vec<u8> {
        let (hosts, target) = (self.hosts(), self.target());
        let mut url = latin1(hosts.first().unwrap_or(&""));
        url.extend(&target);
        let signature = request::ateliere(&String::from_utf8_lossy(&url), "{}");
        let mut wire = [b"POST ", &*target, b" HTTP/1.1\r\n"].concat();
        for host in hosts {
            wire.extend([b"host: ", &*latin1(host), b"\r\n"].concat());
        }
        let rest = format!(
            "oz-key-id: pk_test_5e1f\r\noz-signature: {signature}\r\nx-organization-slug: acme-studios\r\n\
             content-length: 2\r\n\r\n{{}}"
        );
        wire.extend(rest.as_bytes());
        wire
    }
}

#[tokio::test]
async fn a_raw_target_passes_where_it_names_the_resource_that_was_signed() {
    let address = server::ateliere().await;
    let all = read::<Vec<Raw>>("axum-arrival.json");
    let mut became = BTreeMap::<_, Vec<&str>>::new();
    for raw in &all {
        let answer = wire::http1(address, &raw.wire(), false).await.expect("an answer");
        let outcome = answer.headers().get("outcome").map_or("-", |outcome| outcome.to_str().unwrap());
        let reached = raw.status == "200";
        // Nothing is lost between the two, and hyper has not changed its mind.
        assert_eq!(reached, outcome != "-", "{}", raw.id);
        became.entry((answer.status().as_u16(), outcome.to_owned())).or_default().push(&raw.id);
    }
    let count = |status, outcome: &str| became[&(status, outcome.to_owned())].len();
    assert_eq!(count(200, "ok"), 91);
    // A fragment is cut off before any service sees it, so that another text arrives than was signed.
    assert_eq!(
        became[&(401, "bad_signature".to_owned())],
        ["raw: fragment in target", "raw: fragment in query"]
    );
    assert_eq!(
        became[&(400, "malformed".to_owned())],
        [
            "raw: absolute-form",
            "raw: absolute-form https",
            "raw: asterisk",
            "raw: no host header",
            "raw: two host headers",
            "raw: empty host",
            "raw: host with userinfo",
            "raw: host with path",
            "raw: host with space",
            "raw: host non-ascii",
            "raw: relative target",
        ]
    );
    // What hyper answers by itself.
    assert_eq!((count(400, "-"), count(414, "-")), (10, 1));
    assert_eq!((became.len(), all.len()), (5, 115));
}
