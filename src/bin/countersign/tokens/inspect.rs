//! `tokens inspect`: what a JWT says about itself, and that nobody has verified it.

use super::no_token;
use crate::{
    failure::{Exit, Failure},
    output::Output,
    times,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use serde_json::{Map, Value, json};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

/// No header takes more.
const LONGEST: u64 = 64 * 1024;

const EXAMPLES: &str = "\
Examples:
  countersign tokens inspect token.jwt
  pbpaste | countersign tokens inspect -

Anybody can write a JWT that says anything. Whether this one was signed by
whom it names, only a server with the right keys can tell.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct InspectArgs {
    /// The file that holds the token; `-` is stdin. A token never stands on the command line
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

/// Shows the header and the claims.
pub fn inspect(args: &InspectArgs, output: &Output) -> Result<(), Failure> {
    let text = read(&args.file)?;
    // As it stands in a header.
    let token = text.split_ascii_whitespace().last().ok_or_else(|| no_token("there is nothing"))?;
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(no_token("it has not three parts with points between them"));
    };
    let (header, claims) = (object(header, "header")?, object(claims, "claims")?);
    let times = moments(&claims);
    let document = json!({
        "verified": false,
        "header": header,
        "claims": claims,
        "times": times,
        "signature_bytes": URL_SAFE_NO_PAD.decode(signature).ok().map(|bytes| bytes.len()),
    });
    if output.is_json() {
        return output.document(&document);
    }
    output.warn("not verified: anybody can write a token that says this");
    let fields = |part: &str, of: &Map<String, Value>| {
        let mut fields: Vec<_> =
            of.iter().map(|(name, value)| (format!("{part} {name}"), value.to_string())).collect();
        for (name, text) in &mut fields {
            if let Some(moment) = times.get(name.trim_start_matches("claim ")).filter(|_| part == "claim") {
                *text = format!("{text} ({})", moment.as_str().unwrap_or_default());
            }
        }
        fields
    };
    let fields = [fields("header", &header), fields("claim", &claims)].concat();
    let fields: Vec<_> = fields.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    output.record(&fields, &document)
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file.to_str() {
        Some(typed) if typed.starts_with("ey") && typed.matches('.').count() == 2 => {
            // It is not repeated: whoever keeps what is said here would keep the token.
            let hint = "put it into a file, or on stdin: other programs can read what is typed";
            return Err(Failure::usage("a token never stands on the command line", hint));
        }
        Some("-") => io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text),
        _ => File::open(file).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text)),
    };
    read.map_err(|error| {
        let message = format!("the token cannot be read from {}", file.display());
        Failure::new(Exit::Failure, "io", message, "check the path and the rights of the file")
            .because(&error)
    })?;
    match text.len() as u64 > LONGEST {
        true => Err(no_token("it has more than 64 KiB")),
        false => Ok(text),
    }
}

/// Decodes one part.
fn object(part: &str, name: &str) -> Result<Map<String, Value>, Failure> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| no_token(&format!("its {name} is no base64url")))?;
    serde_json::from_slice(&bytes).map_err(|_| no_token(&format!("its {name} is no JSON object")))
}

/// The claims that are moments, as people read them.
fn moments(claims: &Map<String, Value>) -> Map<String, Value> {
    let moment = |name: &str| {
        let seconds = claims.get(name)?.as_u64().filter(|&seconds| seconds <= times::LAST_SECOND)?;
        Some((name.to_owned(), times::format(UNIX_EPOCH + Duration::from_secs(seconds)).into()))
    };
    ["exp", "iat", "nbf"].into_iter().filter_map(moment).collect()
}
