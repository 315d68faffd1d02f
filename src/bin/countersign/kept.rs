//! What a running server found out about a refusal, asked of its admin listener.

use crate::{
    failure::{Exit, Failure},
    output::{Output, visible},
};
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long the server may take, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST: u64 = 1 << 20;

/// Shows what a server has kept under the id of a refusal.
pub async fn show(id: &str, server: &str, output: &Output) -> Result<Exit, Failure> {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !plain || id.is_empty() || id.len() > 64 {
        return Err(Failure::usage("this is no request id", "copy it from the answer's `x-request-id`"));
    }
    let authority = server
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .filter(|rest| !rest.contains('/'));
    let Some(authority) = authority else {
        return Err(Failure::usage("this is no admin listener", "write it like `http://127.0.0.1:9464`"));
    };
    let asked = timeout(PATIENCE, ask(authority, &format!("/explanations/{id}"))).await;
    let unreachable = || {
        let hint = "is the server running, with `--admin-listen`?";
        Failure::new(Exit::Unreachable, "server_unreachable", format!("{server} does not answer"), hint)
    };
    let answer = asked.map_err(|_| unreachable())?.map_err(|error| unreachable().because(&error))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        let hint = "explanations are kept for keys under `countersign keys debug`, the latest 256";
        return Err(Failure::new(
            Exit::NotFound,
            "not_found",
            format!("the server keeps nothing under `{id}`"),
            hint,
        ));
    }
    let document: Value = serde_json::from_str(body).map_err(|error| unreachable().because(&error))?;
    if output.is_json() {
        output.document(&document)?;
    } else {
        output.print(visible(document["told"].as_str().unwrap_or_default()).as_bytes())?;
    }
    Ok(Exit::Invalid)
}

/// One request, to a server that closes the connection behind its answer.
async fn ask(authority: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    Ok(answer)
}
