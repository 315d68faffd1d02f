//! `mock`: stand-ins of the providers, for clients in any language.

mod record;
mod state;

use self::{record::Recorder, state::StateFile};
use crate::{
    failure::{Exit, Failure},
    output::{Output, or_dash},
    secret_input::SecretArgs,
};
use clap::{Args, ValueEnum};
use countersign::{
    mock::{Fault, MockBuilder, MockCredential, MockProvider, Provider, Received},
    secret::Secret,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    pin::pin,
    str,
    sync::Arc,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const EXAMPLES: &str = "\
Examples:
  countersign mock ateliere
  countersign mock all -o json
  countersign mock ayyeka --fault 503,rate=10% --fault latency=200ms
  countersign mock corezoid --key-id 13000 --secret-file secret --record got.http

A fault is latency=250ms, 429=5 (seconds of Retry-After), 500, 503, dropped,
half-sent, malformed-json, skew=-400s, wrong-secret or expired; behind commas
stand times=3, rate=10% and on=OPERATION.

Each request is told in one line on stderr, with `-o json` as a JSON document.
What was recorded, `countersign verify --request FILE` reads.";

/// What `mock` needs to know.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MockArgs {
    /// Whom to stand in for
    #[arg(value_enum)]
    provider: Name,

    /// Listen here; with `all`, on this port and the next ones
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,

    /// Take this key id instead of making one
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,

    #[command(flatten)]
    secret: SecretArgs,

    /// The organization that the key acts for
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,

    /// SalesCloud: the public key that travels beside the key id
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,

    /// What shall go wrong; repeatable
    #[arg(long = "fault", value_name = "SPEC")]
    faults: Vec<Fault>,

    /// Draw faults that come by rate from this seed
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Write what is received to this file, or into this folder as a file a request
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Keep the state of the mocks in this file
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// The providers, in the order of their ports where all are started.
macro_rules! providers {
    ($($name:ident = $word:literal: $mock:expr;)+) => {
        #[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
        enum Name {
            $(#[value(name = $word)] $name,)+
            All,
        }

        const ALL: &[Name] = &[$(Name::$name),+];

        impl Name {
            fn start(self, settings: &Settings<'_>, listen: SocketAddr) -> Result<Vec<Running>, Failure> {
                match self {
                    $(Self::$name => Ok(vec![settings.start($mock, listen, $word)?]),)+
                    Self::All => settings.start_all(listen),
                }
            }
        }
    };
}

providers! {
    Ateliere = "ateliere": MockProvider::ateliere();
    SalesCloud = "salescloud": MockProvider::salescloud();
    Corezoid = "corezoid": MockProvider::corezoid();
    Ayyeka = "ayyeka": MockProvider::ayyeka();
}

/// What all mocks are started with.
struct Settings<'s> {
    credential: Option<MockCredential>,
    faults: &'s [Fault],
    seed: u64,
    state: &'s StateFile,
    told: UnboundedSender<Told>,
}

/// A request, and who received it.
type Told = (&'static str, Arc<Received>);

/// A mock that runs.
struct Running {
    name: &'static str,
    base_url: String,
    endpoint: String,
    credential: MockCredential,
    details: Vec<(&'static str, String)>,
    /// Gives the state, and keeps the mock alive.
    state: Box<dyn Fn() -> Value>,
}

impl Settings<'_> {
    fn start_all(&self, listen: SocketAddr) -> Result<Vec<Running>, Failure> {
        let mut running = Vec::new();
        let mut port = listen.port();
        for name in ALL {
            running.extend(name.start(self, SocketAddr::new(listen.ip(), port))?);
            // Zero is a free one each time.
            port = if port == 0 { 0 } else { port.saturating_add(1) };
        }
        Ok(running)
    }

    fn start<P: Provider>(
        &self,
        mock: MockBuilder<P>,
        listen: SocketAddr,
        name: &'static str,
    ) -> Result<Running, Failure> {
        let told = self.told.clone();
        let mut mock = mock.listen(listen).seed(self.seed).keep_requests(0).observe(move |received| {
            // Nobody listens any more once the command ends.
            let _ = told.send((name, Arc::clone(received)));
        });
        if let Some(credential) = &self.credential {
            mock = mock.credential(credential.clone());
        }
        for fault in self.faults {
            mock = mock.fault(fault.clone());
        }
        if let Some(state) = self.state.of(name) {
            mock = mock.state(state);
        }
        let mock = mock.try_start().map_err(|error| {
            let message = format!("the mock of {name} does not start");
            let hint = "choose another `--listen`, key or state file";
            Failure::new(Exit::Failure, "mock", message, hint).because(&error)
        })?;
        Ok(Running {
            name,
            base_url: mock.base_url().to_owned(),
            endpoint: mock.endpoint(),
            credential: mock.credential(),
            details: mock.details(),
            state: Box::new(move || mock.state()),
        })
    }
}

/// Runs until it is told to stop.
pub async fn run(args: MockArgs, output: &Output) -> Result<(), Failure> {
    let credential = credential(&args, output)?;
    let brought = credential.is_some();
    let mut recorder = args.record.map(Recorder::open).transpose()?;
    let mut state = StateFile::open(args.state)?;
    let (told, mut requests) = unbounded_channel();
    let settings = Settings { credential, faults: &args.faults, seed: args.seed, state: &state, told };
    // Before anybody knows where the mocks are.
    let mut end = pin!(ended()?);
    let running = args.provider.start(&settings, args.listen)?;
    drop(settings);
    if !args.listen.ip().is_loopback() {
        output.warn("others can reach this mock, and it is none of the things that guard a server");
    }
    introduce(&running, brought, output)?;
    let mut count = 0_u64;
    loop {
        let (name, received) = tokio::select! {
            biased;
            Some(told) = requests.recv() => told,
            () = &mut end => break,
        };
        count += 1;
        tell(name, &received, output)?;
        if let Some(recorder) = &mut recorder {
            recorder.write(name, &received)?;
        }
        state.keep(&running)?;
    }
    state.keep(&running)?;
    output.say_plainly(format!("stopped after {count} requests"));
    Ok(())
}

/// The credential that was brought along.
fn credential(args: &MockArgs, output: &Output) -> Result<Option<MockCredential>, Failure> {
    let secret = args.secret.read(output)?;
    let (key_id, secret) = match (&args.key_id, &secret) {
        (Some(key_id), Some(secret)) => (key_id, secret),
        (None, None) => return Ok(None),
        _ => {
            let message = "a key id and its secret go together";
            return Err(Failure::usage(message, "give `--key-id` and `--secret-file`, or neither"));
        }
    };
    if args.provider == Name::All {
        let hint = "name one provider, or let the mocks make their keys";
        return Err(Failure::usage("one key cannot be a key of every provider", hint));
    }
    let secret = text(secret)?;
    let mut credential = MockCredential::new(key_id, secret);
    if let Some(organization) = &args.organization {
        credential = credential.with_organization(organization);
    }
    if let Some(public_key) = &args.public_key {
        credential = credential.with_public_key(public_key);
    }
    Ok(Some(credential))
}

fn text(secret: &Secret) -> Result<&str, Failure> {
    str::from_utf8(secret.expose()).map_err(|error| {
        let hint = "every provider's secrets are text";
        Failure::new(Exit::Failure, "bad_secret", "the secret is no text", hint).because(&error)
    })
}

impl Running {
    fn introduction(&self, brought: bool) -> Introduction<'_> {
        let Self { name, base_url, endpoint, credential, details, .. } = self;
        Introduction {
            provider: name,
            base_url,
            endpoint,
            key_id: credential.key_id(),
            secret: (!brought).then(|| credential.secret()),
            organization: credential.organization(),
            public_key: credential.public_key(),
            details: details.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        }
    }
}

/// Waits for Ctrl-C, or for SIGTERM.
fn ended() -> Result<impl Future<Output = ()>, Failure> {
    let cannot = |error: io::Error| {
        let hint = "run the command once more";
        Failure::new(Exit::Failure, "io", "signals cannot be waited for", hint).because(&error)
    };
    #[cfg(unix)]
    let mut terminated = {
        use tokio::signal::unix::{SignalKind, signal};
        [signal(SignalKind::interrupt()).map_err(cannot)?, signal(SignalKind::terminate()).map_err(cannot)?]
    };
    #[cfg(not(unix))]
    let mut interrupted = tokio::signal::windows::ctrl_c().map_err(cannot)?;
    Ok(async move {
        #[cfg(unix)]
        {
            let [interrupted, terminated] = &mut terminated;
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
        }
        #[cfg(not(unix))]
        drop(interrupted.recv().await);
    })
}

/// What is told about a mock that runs. The field names are stable.
#[derive(Serialize)]
struct Introduction<'m> {
    provider: &'static str,
    base_url: &'m str,
    endpoint: &'m str,
    key_id: &'m str,
    /// Only one that the mock made: whoever brought a secret knows it.
    secret: Option<&'m str>,
    organization: Option<&'m str>,
    public_key: Option<&'m str>,
    /// What only this provider has, as the mock names it.
    #[serde(flatten)]
    details: BTreeMap<&'static str, &'m str>,
}

fn introduce(running: &[Running], brought: bool, output: &Output) -> Result<(), Failure> {
    let items: Vec<_> = running.iter().map(|mock| mock.introduction(brought)).collect();
    if output.is_json() {
        return output.document(&json!({ "items": items, "next": null }));
    }
    for item in &items {
        let mut fields = vec![
            ("mock", item.provider.to_owned()),
            ("base URL", item.base_url.to_owned()),
            ("endpoint", item.endpoint.to_owned()),
            ("key id", item.key_id.to_owned()),
            ("secret", item.secret.map_or_else(|| "as given".to_owned(), str::to_owned)),
        ];
        let rest = [("organization", item.organization), ("public key", item.public_key)];
        fields.extend(
            rest.into_iter().filter(|field| field.1.is_some()).map(|(name, text)| (name, or_dash(text))),
        );
        fields.extend(item.details.iter().map(|(name, value)| (*name, (*value).to_owned())));
        output.record(&fields, item)?;
    }
    Ok(())
}

/// Tells of a request: a line for people, a document for programs.
fn tell(name: &'static str, received: &Received, output: &Output) -> Result<(), Failure> {
    let client = received.client();
    output.event(
        format!("{name}: {received}"),
        &json!({
            "provider": name,
            "method": received.method().as_str(),
            "path": received.path(),
            "operations": received.operations(),
            "client": client.map(|client| client.0),
            "version": client.and_then(|client| client.1),
            "key_id": received.key_id(),
            "status": received.status(),
            "outcome": received.outcome().to_string(),
            "fault": received.fault().map(|fault| fault.to_string()),
            "cause": received.cause(),
            "canonical": received.signature_base(),
        }),
    )
}
