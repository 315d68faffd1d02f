//! URLs that a client of Ateliere may have signed instead of the one that arrived.

use crate::{
    explain::{
        Case,
        body::percent_decoded,
        cause::{Cause, Choices},
    },
    message::Message,
};

const SAME: &str = "sign the URL that is requested, character for character";

/// The URL that arrived, and others that a client may have meant.
pub(super) fn urls(case: &Case<'_>, message: &Message<'_>) -> Choices<Vec<u8>> {
    let (authority, target) = (message.authority().unwrap_or_default(), message.target());
    let mut urls = Choices::new(format!("{authority}{target}").into_bytes());
    paths(message, &mut urls);
    hosts(message, &mut urls);
    proxies(case, message, &mut urls);
    urls
}

/// Other spellings of path and query.
fn paths(message: &Message<'_>, urls: &mut Choices<Vec<u8>>) {
    let (authority, target) = (message.authority().unwrap_or_default(), message.target());
    let (path, query) = (message.path(), message.query());
    let question = if query.is_empty() { String::new() } else { format!("?{query}") };
    let bare = path.trim_end_matches('/');
    let decoded = percent_decoded(target.as_bytes()).and_then(|decoded| String::from_utf8(decoded).ok());
    let at = |target: &str| format!("{authority}{target}");
    const WHOLE: &str = "sign host, path and query";
    for (url, hypothesis, found, change) in [
        (
            at(&format!("{path}/{question}")),
            "url_slash_added",
            "a slash was signed at the end of the path, and not sent",
            SAME,
        ),
        (
            at(&format!("{bare}{question}")),
            "url_slash_dropped",
            "the slash at the end of the path was sent, and not signed",
            SAME,
        ),
        (at(path), "url_query_dropped", "the query was sent, and not signed", "sign the URL with its query"),
        (at(""), "url_path_dropped", "only the host was signed", WHOLE),
        (target.to_owned(), "url_host_dropped", "the URL was signed without the host", WHOLE),
        (path.to_owned(), "url_host_dropped", "only the path was signed", WHOLE),
        (at(&target.to_lowercase()), "url_path_case", "path and query were signed in lower case", SAME),
        (
            at(&decoded.unwrap_or_else(|| target.to_owned())),
            "url_decoded",
            "the URL was signed before it was percent-encoded",
            "sign the URL that is requested",
        ),
        (at(&target.replace("%20", "+")), "url_decoded", "spaces were signed as `+`", SAME),
        (
            at(&format!("{target}#")),
            "url_fragment",
            "the `#` of a fragment was signed",
            "sign the URL without a fragment",
        ),
    ] {
        urls.or(url.into_bytes(), Cause::new(hypothesis, found, change));
    }
}

/// Other names of the host, and other ports.
fn hosts(message: &Message<'_>, urls: &mut Choices<Vec<u8>>) {
    let (authority, target) = (message.authority().unwrap_or_default(), message.target());
    let (host, port) = split_port(authority);
    let mut or = |authority: &str, cause: Cause| urls.or(format!("{authority}{target}").into_bytes(), cause);
    let change = "sign the host with its port, as in JavaScript's `location.host`";
    or(host, Cause::new("url_port_dropped", "the port was sent, and not signed", change));
    for port in [443, 80, 8080, 8443, 3000, 4000, 5000, 8000] {
        let change = "sign the host as it is sent in `Host`; a proxy in between may have changed it";
        let cause = Cause::new("url_port_added", "a port was signed that is not in `Host`", change);
        or(&format!("{host}:{port}"), cause);
    }
    for (authority, letters) in [(authority.to_lowercase(), "lower"), (authority.to_uppercase(), "upper")] {
        or(&authority, Cause::new("url_host_case", format!("the host was signed in {letters} case"), SAME));
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    for name in ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"] {
        let found = "the server was named otherwise in the signed URL";
        or(&format!("{name}{port}"), Cause::new("url_loopback_name", found, SAME));
    }
}

/// What a proxy in between may have changed.
fn proxies(case: &Case<'_>, message: &Message<'_>, urls: &mut Choices<Vec<u8>>) {
    const PROXY: &str = "tell the server the URL that clients use (`--public-url`), or let the proxy pass `Host` and path on unchanged";
    let (authority, target) = (message.authority().unwrap_or_default(), message.target());
    let mut hosts = vec![authority.to_owned()];
    let mut prefixes: Vec<String> = Vec::new();
    let headers = &case.head.headers;
    let values = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value
            .split(',')
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            // Whoever sends more wants work.
            .take(4)
            .collect::<Vec<_>>()
    };
    for name in ["x-forwarded-host", "x-original-host", "x-host", "forwarded", "origin"] {
        for value in values(name) {
            let host = value.split(';').find_map(|part| part.trim().strip_prefix("host=")).unwrap_or(&value);
            hosts.push(without_scheme(host.trim_matches('"')).to_owned());
        }
    }
    for url in &case.public_urls {
        let url = without_scheme(url);
        let (host, path) = url.split_at(url.find('/').unwrap_or(url.len()));
        hosts.push(host.to_owned());
        prefixes.push(path.trim_end_matches('/').to_owned());
        urls.or(url.into(), Cause::new("url_public", "the public URL was signed", PROXY));
    }
    for name in ["x-forwarded-prefix", "x-forwarded-path", "x-script-name"] {
        prefixes.extend(values(name));
    }
    prefixes.extend(
        [
            "/api", "/v1", "/v2", "/api/v1", "/graphql", "/prod", "/dev", "/stage", "/staging", "/gateway",
            "/proxy",
        ]
        .map(str::to_owned),
    );
    for host in &hosts {
        urls.or(
            format!("{host}{target}").into_bytes(),
            Cause::new("proxy_host", "the host was signed that clients use, and a proxy sent another", PROXY),
        );
        for prefix in &prefixes {
            let cause = Cause::new(
                "proxy_prefix_stripped",
                format!("the path was signed with `{prefix}`, which a proxy has removed"),
                PROXY,
            );
            urls.or(format!("{host}{prefix}{target}").into_bytes(), cause);
        }
        if let Some(at) = target.get(1..).and_then(|rest| rest.find('/')) {
            let cause = Cause::new(
                "proxy_prefix_added",
                "the path was signed without its first segment, which a proxy has added",
                PROXY,
            );
            urls.or(format!("{host}{}", &target[at + 1..]).into_bytes(), cause);
        }
        for name in ["x-original-uri", "x-original-url", "x-rewrite-url"] {
            for uri in values(name) {
                urls.or(
                    format!("{host}{uri}").into_bytes(),
                    Cause::new(
                        "proxy_path",
                        "the path was signed that clients use, and a proxy sent another",
                        PROXY,
                    ),
                );
            }
        }
    }
}

fn without_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    }
}
