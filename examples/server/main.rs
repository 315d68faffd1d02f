//! The reference server: signature verification in front of a GraphQL API and a Corezoid-style operations endpoint.
//!
//! Started by `./x serve`. It shows how the pieces of the crate fit together: a key store, a verifier a kind of
//! request, a layer a group of routes, and handlers that know their caller from [`countersign::Verified`] only.

mod app;
mod caller;
mod config;
mod db;
mod demo;
mod graphql_endpoint;
mod ops;
mod prompt;
mod schema;
mod serve;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, bail};
use clap::Parser as _;
use config::Config;
use countersign::{
    clock::{Clock, SystemClock},
    envelope::{CanaryError, Keyring},
    store::SqliteKeyStore,
};
use demo::Demo;
use std::{error::Error as _, fs, path::Path, process::ExitCode};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// The executor's parser recurses; a document that got past the guard would still meet enough stack here.
const STACK: usize = 16 << 20;

fn main() -> ExitCode {
    let config = Config::parse();
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).init();
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: &Config) -> anyhow::Result<()> {
    if config.public_urls.is_empty() && !config.listen.ip().is_loopback() {
        bail!(
            "{} can be reached by others, who sign the URL they know: name it with --public-url https://…",
            config.listen
        );
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        runtime.enable_all().thread_stack_size(STACK).build().context("cannot start the runtime")?;
    runtime.block_on(start(config))
}

async fn start(config: &Config) -> anyhow::Result<()> {
    let mut keys = open(config).await?;
    db::migrate(keys.pool()).await.context("cannot prepare the server's own tables")?;
    if config.demo() {
        keys = keys.with_demo_keys();
    }
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let here = format!("http://{address}");
    let public_url = config.public_urls.first().unwrap_or(&here);
    let app = app::app(config, &keys, public_url)?;
    println!("listening on {here}");
    if config.demo() {
        let file = config.beside_the_database("demo.env");
        let demo = Demo::load_or_make(&file, &keys, &SystemClock).await?;
        demo.seed(keys.pool(), SystemClock.now()).await.context("cannot fill the demonstration tables")?;
        demo.print(address, &file)?;
    }
    serve::serve(listener, app).await.context("cannot serve")
}

/// Opens the key store; beside an embedded database, a keyring is made if there is none.
async fn open(config: &Config) -> anyhow::Result<SqliteKeyStore> {
    if !config.database_url.starts_with("sqlite:") {
        bail!("`{}` is not a SQLite URL: write it like sqlite://data/countersign.db", config.database_url);
    }
    make_folder_of(&config.beside_the_database("countersign.db"))?;
    let (keyring, is_new) = keyring(&config.keyring_file)?;
    let opened = SqliteKeyStore::open(&config.database_url, keyring, SystemClock).await;
    let file = config.keyring_file.display();
    match &opened {
        // Left behind, it would only hide that the right one is missing.
        Err(error) if is_new && error.source().is_some_and(|cause| cause.is::<CanaryError>()) => {
            fs::remove_file(&config.keyring_file).with_context(|| format!("cannot remove {file} again"))?;
        }
        _ if is_new => {
            eprintln!("made the keyring {file}: without it no stored secret can be opened, so back it up");
        }
        _ => {}
    }
    opened.with_context(|| format!("cannot open {}", config.database_url))
}

/// The keyring, and whether it was made just now.
fn keyring(file: &Path) -> anyhow::Result<(Keyring, bool)> {
    match Keyring::load(file) {
        Err(error) if error.is_missing() => {
            make_folder_of(file)?;
            let mut random = [0; 32];
            SystemClock.fill(&mut random);
            Ok((Keyring::create(file, random)?, true))
        }
        loaded => Ok((loaded?, false)),
    }
}

fn make_folder_of(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}
