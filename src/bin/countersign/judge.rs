//! A recorded request before the crate's own layer: what `verify` and `explain` have in common.

use crate::{
    config::{Keys, Store, StoreArgs},
    failure::Failure,
    output::Output,
    probe::{self, Verdict},
    schemes::{KnownScheme, RouteArg, SchemeName, Settings, misconfigured},
    secret_input::SecretArgs,
    sign::read_input,
    times,
    wire::{self, Recorded},
};
use bytes::Bytes;
use clap::{Args, value_parser};
use countersign::{
    VerifyError,
    clock::{Clock as _, ManualClock, SystemClock},
    credential::{Credential, KeyId, Organization, Principal, SecretVersion},
    message::Message,
    scheme::Presented,
    secret::Secret,
    signature::MacKey,
    store::MemoryKeyStore,
    verify::Tolerance,
};
use http::request::Parts;
use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How a recorded request is judged.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// Judge as of this moment, in Unix seconds, instead of now
    #[arg(long, value_name = "UNIX", value_parser = value_parser!(u64).range(..=times::LAST_SECOND))]
    now: Option<u64>,

    /// How far a signed time may lie from now, or `off`
    #[arg(long, value_name = "SECONDS|off", default_value = "300")]
    tolerance: ToleranceArg,

    /// Ateliere, SalesCloud's webhooks: a URL under which clients know the server; repeatable
    #[arg(long = "public-url", value_name = "URL")]
    public_urls: Vec<String>,

    /// Open another route, as the server does: `/graphql`, `GET /user_downloads/{file}`; repeatable
    #[arg(long = "route", value_name = "ROUTE")]
    routes: Vec<RouteArg>,

    /// Corezoid: accept times with a fraction
    #[arg(long)]
    lenient_time: bool,

    /// Corezoid: open a route for uploads, whose reduced form is signed: `/api/2/upload`; repeatable
    #[arg(long = "multipart-route", value_name = "PATH")]
    multipart_routes: Vec<String>,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Clone, Copy, Debug)]
struct ToleranceArg(Tolerance);

impl FromStr for ToleranceArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("off", _) => Ok(Self(Tolerance::off())),
            (_, Ok(seconds)) => Ok(Self(Tolerance::within(Duration::from_secs(seconds)))),
            _ => Err("write whole seconds, or `off`"),
        }
    }
}

/// A request, and what a server would make of it.
#[derive(Debug)]
pub struct Judged {
    pub known: KnownScheme,
    pub public_urls: Vec<String>,
    pub head: Parts,
    pub body: Bytes,
    pub verdict: Verdict,
    pub notes: Vec<String>,
    /// The secret that was given, or else the store that was asked.
    pub keys: Result<Secret, Store>,
}

impl JudgeArgs {
    /// Reads a recorded request.
    pub fn record(&self, request: &str) -> Result<Recorded, Failure> {
        if self.secret.secret_stdin && request == "-" {
            return Err(Failure::usage(
                "secret and request cannot both come from stdin",
                "put one of them into a file",
            ));
        }
        wire::read(&read_input(request)?)
    }

    /// The secret that was given, or else the store.
    pub async fn keys(&self, output: &Output) -> Result<Result<Secret, Store>, Failure> {
        match self.secret.read(output)? {
            Some(secret) => Ok(Ok(secret)),
            None => self.store.open_existing().await.map(Err),
        }
    }

    /// The moment as of which is judged.
    pub fn time(&self) -> SystemTime {
        self.now.map_or_else(|| SystemClock.now(), |now| UNIX_EPOCH + Duration::from_secs(now))
    }

    /// The same, in Unix seconds.
    pub fn moment(&self) -> u64 {
        self.time().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Lets the layer decide over the request, which is not read before everything else is known to be right.
    pub async fn judge(
        self,
        scheme: SchemeName,
        recorded: impl FnOnce(&Self) -> Result<Recorded, Failure>,
        output: &Output,
    ) -> Result<Judged, Failure> {
        let settings = Settings {
            public_urls: self.public_urls.clone(),
            routes: self.routes.clone(),
            lenient_time: self.lenient_time,
            multipart_routes: self.multipart_routes.clone(),
        };
        let known = scheme.with(&settings).map_err(|error| misconfigured(&error))?;
        let Recorded { request, mut notes } = recorded(&self)?;
        let keys = self.keys(output).await?;
        let (head, body) = request.clone().into_parts();
        let presented = read(&known, &head).ok().flatten();
        let read_side: Keys = match &keys {
            Ok(secret) => Arc::new(only(&known, presented.as_ref(), secret)),
            Err(store) => {
                notes.extend(caveat(store, &known, presented.as_ref()).await);
                store.keys()
            }
        };
        let verifier = known.verifier(read_side, &settings).map_err(|error| misconfigured(&error))?;
        let mut verifier = verifier.with_tolerance(self.tolerance.0);
        if let Some(now) = self.now {
            verifier = verifier.with_clock(ManualClock::at(now));
        }
        let verdict = probe::verify(verifier, request).await;
        Ok(Judged { public_urls: settings.public_urls, known, head, body, verdict, notes, keys })
    }
}

impl Judged {
    /// What the request presents.
    pub fn presented(&self) -> Result<Option<Presented<'_>>, VerifyError> {
        read(&self.known, &self.head)
    }
}

fn read<'m>(known: &KnownScheme, head: &'m Parts) -> Result<Option<Presented<'m>>, VerifyError> {
    known.scheme().read(&Message::new(head, &head.uri)?)
}

/// What to know about the presented key, if the store has it.
async fn caveat(store: &Store, known: &KnownScheme, presented: Option<&Presented<'_>>) -> Option<String> {
    let key_id = KeyId::new(presented?.parameters.key_id).ok()?;
    store.caveat(known.scheme().name(), &key_id).await.map(str::to_owned)
}

/// A store that holds the presented key and nothing else, with the secret that was given.
fn only(known: &KnownScheme, presented: Option<&Presented<'_>>, secret: &Secret) -> MemoryKeyStore {
    let store = MemoryKeyStore::new();
    let Some(parameters) = presented.map(|presented| &presented.parameters) else { return store };
    // Names that cannot be stored are refused by the layer, too.
    let (Ok(key_id), Ok(owner)) = (KeyId::new(parameters.key_id), Principal::new("nobody")) else {
        return store;
    };
    let scheme = known.scheme();
    let key = MacKey::new(scheme.algorithm(), secret);
    let mut credential = Credential::new(owner, [SecretVersion::new(1, key)]);
    credential.public_key = parameters.public_key.map(Arc::from);
    if let Some(organization) =
        parameters.organization.as_deref().and_then(|text| Organization::new(text).ok())
    {
        store.install(scheme.name(), &key_id, &organization);
        credential.organization = Some(organization);
    }
    store.insert(scheme.name(), key_id.as_str(), credential);
    store
}
