//! The reference server: signature verification in front of a GraphQL API and a Corezoid-style operations endpoint.
//!
//! Started by `./x serve`. It shows how the pieces of the crate fit together: a key store, a verifier a kind of
//! request, a layer a group of routes, and handlers that know their caller from [`countersign::Verified`] only.

mod admin;
mod app;
mod caller;
mod config;
mod db;
mod demo;
mod graphql_endpoint;
mod keys;
mod ops;
mod prompt;
mod read_only;
mod schema;
mod serve;
mod sites;
#[cfg(test)]
mod tests;
mod tokens;

use anyhow::Context as _;
use clap::Parser as _;
use config::Config;
use countersign::{
    awareness::ClientUsage,
    clock::{Clock as _, SystemClock},
    inspector::RefusalSample,
    store::{LastUsed, keep_counting_keys},
};
use demo::Demo;
use keys::Keys;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// The executor's parser recurses; a document that got past the guard would still meet enough stack here.
const STACK: usize = 16 << 20;

/// Between two times that the keys are counted.
const CENSUS: Duration = Duration::from_secs(60);

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
    config.check()?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        runtime.enable_all().thread_stack_size(STACK).build().context("cannot start the runtime")?;
    runtime.block_on(start(config))
}

async fn start(config: &Config) -> anyhow::Result<()> {
    let metrics = admin::record()?;
    let keys = keys::open(config).await?;
    let pool = db::open(&config.database_url).await.context("cannot reach the server's own tables")?;
    db::migrate(&pool).await.context("cannot prepare the server's own tables")?;
    tokens::make_signing_key(&*keys.admin, &SystemClock).await?;
    let admin = admin::listen(config).await?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let here = format!("http://{address}");
    let public_url = config.public_urls.first().unwrap_or(&here);
    let (last_used, usage) = (LastUsed::default(), ClientUsage::default());
    let noted = Noted { last_used, usage, refusals: RefusalSample::default() };
    let inspector = app::inspector(config, &keys)?;
    let app = app::app(config, &keys, &pool, public_url, &noted, &inspector)?;
    // Whoever waits for the line below may use the demonstration keys at once.
    let mut demo = None;
    if config.demo() {
        let file = config.beside_the_database("demo.env");
        let made = Demo::load_or_make(&file, &*keys.admin, &SystemClock).await?;
        made.seed(&pool, SystemClock.now()).await.context("cannot fill the demonstration tables")?;
        demo = Some((made, file));
    }
    println!("listening on {here}");
    if let Some(listener) = &admin {
        println!("operators: {}", admin::url(listener)?);
    }
    if let Some((demo, file)) = demo {
        demo.print(address, &file)?;
    }
    if let Some(listener) = admin {
        tokio::spawn(admin::serve(listener, metrics.clone(), inspector));
    }
    tokio::spawn(admin::keep_in_order(metrics));
    keep_noting(config, &keys, &noted);
    let served = serve::serve(listener, app).await.context("cannot serve");
    noted.last_used.flush(&*keys.admin).await.context("cannot note when keys were last used")?;
    noted.usage.flush(&*keys.admin).await.context("cannot note which clients have called")?;
    noted.refusals.flush(&*keys.admin).await.context("cannot note what was refused")?;
    keys.cached().close().await;
    served
}

/// What is noted beside the requests.
pub(crate) struct Noted {
    pub(crate) last_used: LastUsed,
    pub(crate) usage: ClientUsage,
    pub(crate) refusals: RefusalSample,
}

/// Writes and counts beside the requests, what they do not wait for.
fn keep_noting(config: &Config, keys: &Keys, noted: &Noted) {
    let (writer, store) = (noted.last_used.clone(), Arc::clone(&keys.admin));
    tokio::spawn(async move { writer.keep_writing(&*store).await });
    let (writer, store) = (noted.usage.clone(), Arc::clone(&keys.admin));
    let pause = Duration::from_secs(config.usage_interval);
    tokio::spawn(async move { writer.keep_writing(&*store, pause).await });
    let (writer, store) = (noted.refusals.clone(), Arc::clone(&keys.admin));
    tokio::spawn(async move { writer.keep_writing(&*store, pause).await });
    let store = Arc::clone(&keys.admin);
    tokio::spawn(async move { keep_counting_keys(&*store, CENSUS).await });
}
