//! What an operator can choose, by flag or environment.

use anyhow::bail;
use clap::{
    Parser, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use countersign::{oauth2::TokenType, verify::Tolerance};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// A server that puts signature verification in front of a GraphQL API and an operations endpoint.
#[derive(Debug, Parser)]
#[command(name = "server")]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "COUNTERSIGN_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Where keys and data are: an embedded SQLite database, or postgres://…
    // A URL may hold a password, which help must not show.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite://data/countersign.db",
        value_name = "URL"
    )]
    pub database_url: String,

    /// Address of the listener for operators: metrics, and why requests were refused (`countersign explain REQUEST_ID`).
    /// 127.0.0.1:9464 unless it is taken; port 0 takes a free one. Beyond loopback it shows metrics only.
    #[arg(long, env = "COUNTERSIGN_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,

    /// How often the usage of clients is written, in seconds; a crash loses that much of it.
    #[arg(long, env = "COUNTERSIGN_USAGE_INTERVAL", default_value_t = 10, value_name = "SECONDS")]
    pub usage_interval: u64,

    /// The database server itself, to listen to, where DATABASE_URL leads through a pooler: postgres://…
    #[arg(long, env = "LISTEN_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub listen_database_url: Option<String>,

    /// How long to wait for a database that cannot be reached yet, in seconds.
    #[arg(long, env = "COUNTERSIGN_DATABASE_WAIT", default_value_t = 0, value_name = "SECONDS")]
    pub database_wait: u64,

    /// File with the keys that seal secrets; made on first start beside an embedded database.
    #[arg(long, env = "COUNTERSIGN_KEYRING_FILE", default_value = "data/keyring", value_name = "FILE")]
    pub keyring_file: PathBuf,

    /// URL under which clients know this server; may be given several times. Required unless the listener is loopback.
    /// With one there are no demonstration keys.
    #[arg(long = "public-url", env = "COUNTERSIGN_PUBLIC_URL", value_delimiter = ',', value_name = "URL")]
    pub public_urls: Vec<String>,

    /// Accepted distance of a signed time in seconds, or `off`.
    #[arg(long, env = "COUNTERSIGN_TOLERANCE", default_value = "300", value_parser = tolerance, value_name = "SECONDS|off")]
    pub tolerance: Tolerance,

    /// What the token endpoint calls its tokens: `JWT` as Ayyeka's document does, or `Bearer`, without which most OAuth
    /// libraries refuse them.
    #[arg(long, env = "COUNTERSIGN_TOKEN_TYPE", default_value = "JWT", value_parser = token_types())]
    pub token_type: TokenType,

    /// Who the tokens say has issued them.
    #[arg(long, env = "COUNTERSIGN_TOKEN_ISSUER", default_value = "Cloud", value_name = "TEXT")]
    pub token_issuer: String,

    /// For whom the tokens say they are.
    #[arg(long, env = "COUNTERSIGN_TOKEN_AUDIENCE", default_value = "2091", value_name = "TEXT")]
    pub token_audience: String,

    /// How the sites API takes its tokens.
    #[arg(long, env = "COUNTERSIGN_TOKEN_AUTH", default_value = "strict")]
    pub token_auth: TokenAuth,

    /// Longest body, in bytes.
    #[arg(long, env = "COUNTERSIGN_BODY_LIMIT", default_value_t = 2 << 20, value_name = "BYTES")]
    pub body_limit: u64,

    /// `development` explains every refused request into the log and to its caller, in the header
    /// `x-countersign-explanation`. It is refused where strangers could reach the server: beyond loopback, and with a
    /// public URL.
    #[arg(long, env = "COUNTERSIGN_PROFILE", default_value = "production")]
    pub profile: ServerProfile,

    /// Explain every refused request into the log: for development.
    #[arg(long, env = "COUNTERSIGN_EXPLAIN_ALL")]
    pub explain_all: bool,

    /// Make no demonstration keys, and refuse those that were made.
    #[arg(long, env = "COUNTERSIGN_NO_DEMO")]
    pub no_demo: bool,
}

/// For whom the server runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ServerProfile {
    /// For others: a caller that is refused is told as little as can be
    Production,
    /// For whoever writes a client on this machine: a caller that is refused is told why
    Development,
}

/// How a token stands in `Authorization`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TokenAuth {
    /// Behind the word `Bearer`, as RFC 6750 says
    Strict,
    /// Behind any word or none, as Ayyeka's own server takes it
    Goa,
}

fn token_types() -> impl TypedValueParser<Value = TokenType> {
    PossibleValuesParser::new(["JWT", "Bearer"]).map(|name| match &*name {
        "Bearer" => TokenType::Bearer,
        _ => TokenType::Jwt,
    })
}

fn tolerance(text: &str) -> Result<Tolerance, &'static str> {
    match (text, text.parse()) {
        ("off", _) => Ok(Tolerance::off()),
        (_, Ok(seconds)) => Ok(Tolerance::within(Duration::from_secs(seconds))),
        _ => Err("write whole seconds, or `off`"),
    }
}

/// What keeps keys and data.
#[derive(Clone, Copy, Debug)]
pub enum Engine {
    Postgres,
    Sqlite,
}

impl Config {
    /// Where operators are listened to, if they do not say: the usual port of an OpenTelemetry exporter for Prometheus.
    pub const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

    /// The engine that the database's URL names.
    pub fn engine(&self) -> anyhow::Result<Engine> {
        match self.database_url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Engine::Postgres),
            Some("sqlite") => Ok(Engine::Sqlite),
            _ => bail!(
                "the database's URL begins with sqlite: or postgres:, like sqlite://data/countersign.db"
            ),
        }
    }

    /// Whether callers are told why they are refused.
    pub fn is_development(&self) -> bool {
        self.profile == ServerProfile::Development
    }

    /// Checks that nobody is told more than he may know.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.public_urls.is_empty() && !self.listen.ip().is_loopback() {
            bail!(
                "{} can be reached by others, who sign the URL they know: name it with --public-url https://…",
                self.listen
            );
        }
        if self.is_development() && !(self.public_urls.is_empty() && self.listen.ip().is_loopback()) {
            bail!(
                "the profile `development` tells strangers which keys there are: take --listen 127.0.0.1:8080 and no \
                 --public-url, or --explain-all, which tells the log alone"
            );
        }
        Ok(())
    }

    /// A file in the database's folder.
    pub fn beside_the_database(&self, name: &str) -> PathBuf {
        let path = self.database_url.trim_start_matches("sqlite:").trim_start_matches("//");
        let path = path.split('?').next().unwrap_or_default();
        PathBuf::from(path).parent().map_or_else(PathBuf::new, PathBuf::from).join(name)
    }

    /// Whether demonstration keys are made and accepted: only where no stranger can reach them. A public URL says that
    /// strangers can, by way of a proxy, although the listener is loopback.
    pub fn demo(&self) -> bool {
        let embedded = matches!(self.engine(), Ok(Engine::Sqlite));
        !self.no_demo && self.public_urls.is_empty() && self.listen.ip().is_loopback() && embedded
    }
}
