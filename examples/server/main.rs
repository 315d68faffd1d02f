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
mod schema;
mod serve;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, bail};
use clap::Parser as _;
use config::Config;
use std::{process::ExitCode, sync::Arc};

/// The executor's parser recurses; a document that got past the guard would still meet enough stack here.
const STACK: usize = 16 << 20;

fn main() -> ExitCode {
    let config = Config::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()
        .context("cannot start the runtime")?
        .block_on(start(config))
}
