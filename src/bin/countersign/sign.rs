//! `sign`: signs a request as a client of the provider does, and prints it in the form in which it will be sent.

use crate::{
    config::StoreArgs,
    failure::{Exit, Failure},
    output::Output,
    schemes::{KnownScheme, SchemeName, Settings, misconfigured},
    secret_input::SecretArgs,
    times, wire,
};
use bytes::Bytes;
use clap::{Args, ValueEnum, value_parser};
use countersign::{
    clock::{Clock, ManualClock, SystemClock},
    credential::{Credential, KeyId, Organization, Standing},
    error::SignError,
    scheme::Tenancy,
    sign::Signer,
    signature::MacKey,
    store::{Lookup, Record},
};
use http::{HeaderValue, Method, Request, Uri, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{self, Read},
    path::Path,
    time::UNIX_EPOCH,
};

const EXAMPLES: &str = "\
Examples:
  countersign sign --scheme ateliere --key-id pk_1 --body query.json \\
      --url https://api.example.com/graphql
  printf '{\"ops\":[]}' | countersign sign --scheme corezoid --key-id 13000 \\
      --secret-file secret --body - --url https://api.example.com/api/2/json

Without a secret, the key and its secret are taken from the key store.";

/// What `sign` needs to know.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SignArgs {
    /// How the provider signs
    #[arg(long, value_enum)]
    scheme: SchemeName,

    /// The key to sign with
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: KeyId,

    /// The organization to act for: Ateliere's slug, SalesCloud's UUID
    #[arg(long, value_parser = Organization::new)]
    organization: Option<Organization>,

    /// SalesCloud: the application's public key
    #[arg(long, value_name = "TEXT")]
    public_key: Option<String>,

    /// The method
    #[arg(long, default_value = "POST")]
    method: Method,

    /// The URL as the client types it; for Corezoid, and what it calls, without login, time and signature
    #[arg(long)]
    url: Uri,

    /// Corezoid: sign the reduced form of a multipart body if the URL has this path, like `/api/2/upload`
    #[arg(long = "multipart-route", value_name = "PATH")]
    multipart_routes: Vec<String>,

    /// The body: a file, or `-` for stdin
    #[arg(long, value_name = "FILE")]
    body: Option<String>,

    /// Sign for this moment, in Unix seconds, instead of now
    #[arg(long, value_name = "UNIX", value_parser = value_parser!(u64).range(..=times::LAST_SECOND))]
    now: Option<u64>,

    /// What to print; with `-o json` always the document
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t)]
    form: Form,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// The forms of a signed request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Form {
    /// A command line.
    #[default]
    Curl,
    /// The headers to add.
    Headers,
    /// The request as it travels, which `verify` reads.
    Http,
    /// A document with the signed text in it.
    Json,
    /// The URL to send to.
    Url,
}

/// Signs.
pub async fn run(args: SignArgs, output: &Output) -> Result<(), Failure> {
    if args.secret.secret_stdin && args.body.as_deref() == Some("-") {
        return Err(Failure::usage(
            "secret and body cannot both come from stdin",
            "put one of them into a file",
        ));
    }
    let now = args.now.map_or_else(seconds_now, Ok)?;
    let settings = Settings { multipart_routes: args.multipart_routes.clone(), ..Settings::default() };
    let known = args.scheme.with(&settings).map_err(|error| misconfigured(&error))?;
    let signer = signer(&args, &known, output).await?.with_clock(ManualClock::at(now));
    let mut request = unsigned(&args)?;
    let canonical = signer.signature_base(&request).map_err(|error| cannot_sign(&error))?;
    let signature = signer.sign(&mut request).map_err(|error| cannot_sign(&error))?;
    let form = if output.is_json() { Form::Json } else { args.form };
    match form {
        Form::Curl => output.print(curl(&request, args.body.as_deref())?.as_bytes()),
        Form::Headers => headers(&request, output),
        Form::Http => output.print(&wire::write(&request)),
        Form::Json => output.document(&document(&request, &canonical, &known.encode(&signature))),
        Form::Url => output.print(format!("{}\n", request.uri()).as_bytes()),
    }
}

fn seconds_now() -> Result<u64, Failure> {
    let since = SystemClock.now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|error| {
        Failure::new(Exit::Failure, "clock", "the clock stands before 1970", "set it, or use `--now`")
            .because(&error)
    })
}

async fn signer(args: &SignArgs, known: &KnownScheme, output: &Output) -> Result<Signer, Failure> {
    let mut organization = args.organization.clone();
    let mut public_key = args.public_key.clone();
    let key = match args.secret.read(output)? {
        Some(secret) => MacKey::new(known.scheme().algorithm(), &secret),
        None => {
            let credential = stored(args, known, output).await?;
            if known.scheme().tenancy() == Tenancy::Named {
                organization = organization.or_else(|| credential.organization.clone());
            }
            public_key = public_key.or_else(|| credential.public_key.as_deref().map(str::to_owned));
            // A credential has a secret from its beginning on, newest first.
            let newest = credential.secrets.into_iter().next();
            newest.ok_or_else(|| no_key(args, known))?.key
        }
    };
    let mut signer = known.signer(args.key_id.as_str(), key);
    if let Some(organization) = &organization {
        signer = signer.with_organization(organization.as_str());
    }
    if let Some(public_key) = &public_key {
        signer = signer.with_public_key(public_key);
    }
    Ok(signer)
}

/// The key as the key store has it.
async fn stored(args: &SignArgs, known: &KnownScheme, output: &Output) -> Result<Credential, Failure> {
    let store = args.store.open_existing().await?;
    let lookup = Lookup::Key { scheme: known.scheme().name(), key_id: args.key_id.as_str() };
    match store.find(lookup).await? {
        Some(Record::Credential(credential)) => {
            if credential.standing(SystemClock.now()) != Standing::InForce {
                output.warn("the key is not in force: servers refuse what it signs");
            }
            if let Some(caveat) = store.caveat(known.scheme().name(), &args.key_id).await {
                output.note(caveat);
            }
            Ok(credential)
        }
        _ => Err(no_key(args, known)),
    }
}

fn no_key(args: &SignArgs, known: &KnownScheme) -> Failure {
    let message = format!("there is no {} key `{}`", known.scheme().name(), args.key_id);
    let hint = "see `countersign keys list`, or sign with a secret of your own: `--secret-file`";
    Failure::new(Exit::NotFound, "key_not_found", message, hint)
}

fn cannot_sign(error: &SignError) -> Failure {
    let hint = "`--organization` and `--public-key` name what the scheme signs beside the body";
    Failure::new(Exit::Usage, "cannot_sign", error.to_string(), hint)
}

/// The request without credentials.
fn unsigned(args: &SignArgs) -> Result<Request<Bytes>, Failure> {
    let absolute = matches!(args.url.scheme_str(), Some("http" | "https"));
    let authority = args.url.authority().filter(|authority| absolute && !authority.as_str().contains('@'));
    if authority.is_none() {
        let message = format!("`{}` is not an absolute URL without user information", args.url);
        return Err(Failure::usage(message, "write it like https://api.example.com/graphql"));
    }
    let mut request = Request::new(args.body.as_deref().map_or_else(|| Ok(Bytes::new()), read_input)?);
    *request.method_mut() = args.method.clone();
    *request.uri_mut() = args.url.clone();
    if !request.body().is_empty() {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(request)
}

/// Reads a file, or stdin for `-`.
pub fn read_input(path: &str) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes),
        path => std::fs::read(Path::new(path)),
    };
    read.map(Into::into).map_err(|error| {
        let message = format!("{} cannot be read", if path == "-" { "stdin" } else { path });
        Failure::new(Exit::Failure, "io", message, "check the path, or use `-` for stdin").because(&error)
    })
}

fn headers(request: &Request<Bytes>, output: &Output) -> Result<(), Failure> {
    let mut text = Vec::new();
    for (name, value) in request.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    output.note(format!("send them to {}", request.uri()));
    output.print(&text)
}

fn document(request: &Request<Bytes>, canonical: &str, signature: &str) -> Value {
    let text = |value: &HeaderValue| Value::from(String::from_utf8_lossy(value.as_bytes()));
    let headers: Map<_, _> =
        request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    json!({
        "method": request.method().as_str(),
        "url": request.uri().to_string(),
        "headers": headers,
        "body_sha256": hex::encode(Sha256::digest(request.body())),
        "canonical": canonical,
        "signature": signature,
    })
}

/// A command line for a POSIX shell.
fn curl(request: &Request<Bytes>, body: Option<&str>) -> Result<String, Failure> {
    let url = request.uri().to_string();
    let mut words = vec!["curl".to_owned(), "--request".to_owned(), request.method().to_string()];
    // curl would otherwise sign one URL and send another.
    if url.contains("/.") {
        words.push("--path-as-is".to_owned());
    }
    if url.contains(['[', ']', '{', '}']) {
        words.push("--globoff".to_owned());
    }
    words.push(quoted(&url));
    for (name, value) in request.headers() {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| not_for_a_shell("a header"))?;
        words.push(format!("--header {}", quoted(&format!("{name}: {value}"))));
    }
    match body {
        Some(path) if path != "-" => words.push(format!("--data-binary {}", quoted(&format!("@{path}")))),
        Some(_) => {
            let text = std::str::from_utf8(request.body()).ok().filter(|text| !text.contains('\0'));
            words.push(format!("--data-raw {}", quoted(text.ok_or_else(|| not_for_a_shell("the body"))?)));
        }
        None => {}
    }
    Ok(words.join(" ") + "\n")
}

fn not_for_a_shell(what: &str) -> Failure {
    let hint = "give the body as a file, or use `--as http`";
    Failure::new(Exit::Failure, "not_for_a_shell", format!("{what} cannot stand in a command line"), hint)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
