//! The schemes by the names that are typed, and the forms in which their providers hand out keys.

use crate::failure::{Exit, Failure};
use clap::ValueEnum;
use countersign::{
    SignatureVerifier,
    clock::Clock,
    error::ConfigError,
    message::Message,
    scheme::{Ateliere, Corezoid, CorezoidCallback, SalesCloud, SalesCloudWebhook, Scheme, Tenancy},
    secret::Secret,
    sign::Signer,
    signature::{MacKey, Signature},
    store::KeyStore,
};
use http::{Method, Request, header::HOST};
use std::{error::Error, str::FromStr};

/// The name of a scheme.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum SchemeName {
    /// Hexadecimal HMAC-SHA-256 over URL, body and organization.
    Ateliere,
    /// Keyed SHA-1 in the last three segments of the path.
    Corezoid,
    /// Keyed SHA-1 in the query of the calls that Corezoid makes.
    CorezoidCallback,
    /// HMAC-SHA-256 in base64 behind the word `App`.
    #[value(name = "salescloud")]
    SalesCloud,
    /// Hexadecimal HMAC-SHA-256 over date, method, URL and body.
    #[value(name = "salescloud-webhook")]
    SalesCloudWebhook,
}

/// A scheme with its settings.
#[derive(Debug)]
pub enum KnownScheme {
    Ateliere(Ateliere),
    Corezoid(Corezoid),
    CorezoidCallback(CorezoidCallback),
    SalesCloud(SalesCloud),
    SalesCloudWebhook(SalesCloudWebhook),
}

/// What a server may have been told about a scheme.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub public_urls: Vec<String>,
    pub routes: Vec<RouteArg>,
    pub lenient_time: bool,
    pub multipart_routes: Vec<String>,
}

/// A route as it is typed: `/graphql`, or `GET /user_downloads/{file}`.
#[derive(Clone, Debug)]
pub struct RouteArg {
    method: Method,
    template: String,
}

impl FromStr for RouteArg {
    type Err = http::method::InvalidMethod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (method, template) = text.split_once(' ').unwrap_or(("POST", text));
        Ok(Self { method: method.parse()?, template: template.trim_start().to_owned() })
    }
}

impl SchemeName {
    /// The name in the key store and in every document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ateliere => "ateliere",
            Self::Corezoid => "corezoid",
            Self::CorezoidCallback => "corezoid-callback",
            Self::SalesCloud => "salescloud",
            Self::SalesCloudWebhook => "salescloud-webhook",
        }
    }

    /// The scheme as a server has it that was told nothing.
    pub fn plain(self) -> KnownScheme {
        match self {
            Self::Ateliere => KnownScheme::Ateliere(Ateliere::default()),
            Self::Corezoid => KnownScheme::Corezoid(Corezoid::default()),
            Self::CorezoidCallback => KnownScheme::CorezoidCallback(CorezoidCallback::default()),
            Self::SalesCloud => KnownScheme::SalesCloud(SalesCloud::default()),
            Self::SalesCloudWebhook => KnownScheme::SalesCloudWebhook(SalesCloudWebhook::default()),
        }
    }

    /// The scheme as a server has it that was told `settings`.
    pub fn with(self, settings: &Settings) -> Result<KnownScheme, ConfigError> {
        let routes = settings.routes.iter();
        Ok(match self {
            Self::Ateliere => {
                // Every path is open already; only methods can be opted in.
                let scheme = routes
                    .fold(Ateliere::default(), |scheme, route| scheme.with_method(route.method.clone()));
                let plain = settings.public_urls.iter().any(|url| url.starts_with("http://"));
                let scheme = if plain { scheme.with_plain_http() } else { scheme };
                let mut urls = settings.public_urls.iter();
                KnownScheme::Ateliere(urls.try_fold(scheme, |scheme, url| scheme.with_public_url(url))?)
            }
            Self::Corezoid => {
                let scheme = Corezoid::default();
                let scheme = if settings.lenient_time { scheme.with_lenient_time() } else { scheme };
                let mut uploads = settings.multipart_routes.iter();
                let scheme =
                    uploads.try_fold(scheme, |scheme, prefix| scheme.with_multipart_route(prefix))?;
                KnownScheme::Corezoid(routes.clone().try_fold(scheme, |scheme, route| {
                    scheme.with_route(route.method.clone(), &route.template)
                })?)
            }
            Self::CorezoidCallback => KnownScheme::CorezoidCallback(
                routes.clone().try_fold(CorezoidCallback::default(), |scheme, route| {
                    scheme.with_route(route.method.clone(), &route.template)
                })?,
            ),
            Self::SalesCloud => {
                KnownScheme::SalesCloud(routes.clone().try_fold(SalesCloud::default(), |scheme, route| {
                    scheme.with_route(route.method.clone(), &route.template)
                })?)
            }
            Self::SalesCloudWebhook => {
                let scheme = routes.fold(SalesCloudWebhook::default(), |scheme, route| {
                    scheme.with_method(route.method.clone())
                });
                let mut urls = settings.public_urls.iter();
                KnownScheme::SalesCloudWebhook(
                    urls.try_fold(scheme, |scheme, url| scheme.with_public_url(url))?,
                )
            }
        })
    }

    /// A key id as the provider would make it: short and readable, a number, or a UUID.
    pub fn new_key_id(self, clock: &impl Clock) -> String {
        let mut random = [0; 16];
        clock.fill(&mut random);
        match self {
            Self::Ateliere => format!("pk_{}", hex::encode(&random[..10])),
            Self::Corezoid | Self::CorezoidCallback => {
                let number = random[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
                (100_000_000 + number % 900_000_000).to_string()
            }
            Self::SalesCloud => uuid(random),
            Self::SalesCloudWebhook => hex::encode(random),
        }
    }

    /// A public key for a provider that has such.
    pub fn new_public_key(self, clock: &impl Clock) -> Option<String> {
        let mut random = [0; 32];
        clock.fill(&mut random);
        (self == Self::SalesCloud).then(|| hex::encode(random))
    }

    /// Checks that a key can be used: the scheme must sign with it, and read back what it signed.
    pub fn check(
        self,
        key_id: &str,
        organization: Option<&str>,
        public_key: Option<&str>,
    ) -> Result<(), Failure> {
        let refused = Failure::usage(format!("this makes no {} key", self.name()), self.key_form());
        match self.reads_back(key_id, organization, public_key) {
            Ok(true) => Ok(()),
            Ok(false) => Err(refused),
            Err(error) => Err(refused.because(&*error)),
        }
    }

    fn reads_back(
        self,
        key_id: &str,
        organization: Option<&str>,
        public_key: Option<&str>,
    ) -> Result<bool, Box<dyn Error>> {
        let known = self.plain();
        let scheme = known.scheme();
        let any_secret = MacKey::new(scheme.algorithm(), &Secret::from_random([1; 32]));
        let mut signer = known.signer(key_id, any_secret);
        if let (Some(organization), Tenancy::Installed | Tenancy::Named) = (organization, scheme.tenancy()) {
            signer = signer.with_organization(organization);
        }
        if let Some(public_key) = public_key {
            signer = signer.with_public_key(public_key);
        }
        // A path is what keeps the keys of callbacks apart that name no process.
        let path = if key_id.starts_with('/') { key_id } else { "/api/2/json" };
        let mut request = Request::post(path).header(HOST, "localhost").body("")?;
        signer.sign(&mut request)?;
        let (head, _) = request.into_parts();
        let presented = scheme.read(&Message::new(&head, &head.uri)?)?;
        Ok(presented.is_some_and(|presented| presented.parameters.key_id == key_id))
    }

    /// What a key of this scheme looks like.
    const fn key_form(self) -> &'static str {
        match self {
            Self::Ateliere => {
                "the key id is visible ASCII, and `--organization` names the slug of its organization"
            }
            Self::Corezoid => "the key id is the API login: a number, or else one segment of a path",
            Self::CorezoidCallback => {
                "the key id is the `conv_id` of the process that calls, or the path that it calls, like /hooks/orders"
            }
            Self::SalesCloud => {
                "key id and organization are UUIDs, and `--public-key` is the application's, letters and digits"
            }
            Self::SalesCloudWebhook => "the key id is the access key: visible ASCII",
        }
    }
}

impl KnownScheme {
    pub fn scheme(&self) -> &dyn Scheme {
        match self {
            Self::Ateliere(scheme) => scheme,
            Self::Corezoid(scheme) => scheme,
            Self::CorezoidCallback(scheme) => scheme,
            Self::SalesCloud(scheme) => scheme,
            Self::SalesCloudWebhook(scheme) => scheme,
        }
    }

    /// The verifier of a server that was told `settings`.
    pub fn verifier(
        &self,
        keys: impl KeyStore,
        settings: &Settings,
    ) -> Result<SignatureVerifier, ConfigError> {
        Ok(match self {
            // Its paths are open already; what is left to be told is where they name an organization.
            Self::Ateliere(scheme) => settings
                .routes
                .iter()
                .try_fold(SignatureVerifier::new(scheme.clone(), keys), |verifier, route| {
                    verifier.with_organization_path(&route.template)
                })?,
            Self::Corezoid(scheme) => SignatureVerifier::new(scheme.clone(), keys),
            Self::CorezoidCallback(scheme) => SignatureVerifier::new(scheme.clone(), keys),
            Self::SalesCloud(scheme) => SignatureVerifier::new(scheme.clone(), keys),
            Self::SalesCloudWebhook(scheme) => SignatureVerifier::new(scheme.clone(), keys),
        })
    }

    pub fn signer(&self, key_id: &str, key: MacKey) -> Signer {
        match self {
            Self::Ateliere(scheme) => Signer::with_key(scheme.clone(), key_id, key),
            Self::Corezoid(scheme) => Signer::with_key(scheme.clone(), key_id, key),
            Self::CorezoidCallback(scheme) => Signer::with_key(scheme.clone(), key_id, key),
            Self::SalesCloud(scheme) => Signer::with_key(scheme.clone(), key_id, key),
            Self::SalesCloudWebhook(scheme) => Signer::with_key(scheme.clone(), key_id, key),
        }
    }

    /// A signature in the provider's encoding.
    pub fn encode(&self, signature: &Signature) -> String {
        match self {
            Self::SalesCloud(_) => signature.to_base64(),
            _ => signature.to_hex(),
        }
    }
}

/// The failure of a command whose URL or route cannot be meant.
pub fn misconfigured(error: &ConfigError) -> Failure {
    Failure::new(Exit::Usage, "usage", error.to_string(), "add `--help` to see examples")
}

/// A random UUID (RFC 9562 §5.4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
