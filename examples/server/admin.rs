//! The listener for operators: metrics for Prometheus, whether the server runs, and why requests were refused. No
//! stranger should reach it.

use crate::config::Config;
use anyhow::Context as _;
use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use countersign::{
    inspector::Inspector,
    metrics::{METRICS, describe},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, time::interval};

/// Between two times that what histograms have gathered is put in order, scraped or not.
const UPKEEP: Duration = Duration::from_secs(5);

/// Has everything recorded from here on, so it comes before all that records.
pub(crate) fn record() -> anyhow::Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new().with_recommended_naming(true);
    for metric in METRICS.iter().filter(|metric| !metric.buckets.is_empty()) {
        let name = Matcher::Full(metric.name.to_owned());
        builder = builder.set_buckets_for_metric(name, metric.buckets)?;
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("metrics are recorded already")?;
    describe();
    Ok(handle)
}

/// Listens. An address that was not asked for may be another server's: then there is no listener, and the log says so.
pub(crate) async fn listen(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let address = config.admin_listen.unwrap_or(Config::ADMIN);
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "whoever reaches the operators' listener can read the metrics");
    }
    match TcpListener::bind(address).await {
        Err(error) if config.admin_listen.is_none() => {
            tracing::warn!(%address, %error, "no metrics are served: name another address with --admin-listen");
            Ok(None)
        }
        bound => Ok(Some(bound.with_context(|| format!("cannot listen on {address}"))?)),
    }
}

/// Where it is reached.
pub(crate) fn url(listener: &TcpListener) -> io::Result<String> {
    listener.local_addr().map(|address: SocketAddr| format!("http://{address}"))
}

/// Serves for ever. Explanations tell more than a network should hear: beyond loopback there are none.
pub(crate) async fn serve(listener: TcpListener, handle: PrometheusHandle, inspector: Inspector) {
    let text = handle.clone();
    let metrics = || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text.render()) };
    let mut routes =
        Router::new().route("/metrics", get(metrics)).route("/healthz", get(|| async { "ok\n" }));
    if listener.local_addr().is_ok_and(|address| address.ip().is_loopback()) {
        routes = routes.merge(explanations(inspector));
    }
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the operators' listener has ended");
    }
}

/// Why requests were refused, each under its id.
fn explanations(inspector: Inspector) -> Router {
    let explanation = async move |Path(id): Path<String>| {
        let found = inspector.find(&id).map(|document| document.to_string());
        found.map(|document| ([(CONTENT_TYPE, "application/json")], document)).ok_or(StatusCode::NOT_FOUND)
    };
    Router::new().route("/explanations/{id}", get(explanation))
}

/// Puts what was recorded in order, for ever.
pub(crate) async fn keep_in_order(handle: PrometheusHandle) {
    let mut turns = interval(UPKEEP);
    loop {
        turns.tick().await;
        handle.run_upkeep();
    }
}
