//! What breaks between a server and Postgres, and that a revoked key stops within the bound all the same.

use super::{
    database::{Bench as _, OnPostgres, add_key, fill},
    *,
};
use crate::support::{postgres::cluster::Cluster, proxy::Proxy};
use countersign::{
    envelope::Keyring,
    store::{CacheLimits, PostgresKeyStore},
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

const KEY: Lookup<'_> = Lookup::Key { scheme: "ateliere", key_id: "pk" };
const REVOKE: &str = "UPDATE credentials SET state = 'revoked' WHERE key_id = 'pk'";
/// The bound here, so that the tests need not run for half a minute.
const MAX_AGE: Duration = Duration::from_secs(4);
/// What a busy machine may add to it.
const MARGIN: Duration = Duration::from_secs(2);

/// A cache that reaches its database through a proxy.
struct Behind {
    bench: OnPostgres,
    proxy: Proxy,
    cache: CachingKeyStore<PostgresKeyStore>,
}

impl Behind {
    async fn open() -> Self {
        let bench = OnPostgres::open().await;
        fill(&bench.store().await).await;
        let proxy = Proxy::before(bench.database.url()).await;
        let cache = short(proxy.url()).await;
        Self { bench, proxy, cache }
    }

    /// Whether a request with the key would pass.
    async fn passes(&self) -> bool {
        passes(&self.cache).await
    }

    /// Revokes the key, and waits until it no longer passes.
    async fn revoke(&self) -> Duration {
        assert!(self.passes().await);
        self.bench.execute(REVOKE).await;
        until(MAX_AGE + MARGIN, "the key is revoked", async || !self.passes().await).await
    }

    /// Waits until everything works again.
    async fn recover(&self) {
        add_key(&self.bench.store().await, "late").await;
        let late = Lookup::Key { scheme: "ateliere", key_id: "late" };
        until(Duration::from_secs(30), "it recovers", async || {
            ask(&self.cache, late).await.is_ok_and(|found| found.is_some()) && self.cache.is_live()
        })
        .await;
    }
}

/// A live cache with a short bound.
async fn short(url: &str) -> CachingKeyStore<PostgresKeyStore> {
    let store = PostgresKeyStore::open(url, Keyring::generate([7; 32]), CLOCK).await.unwrap();
    let mut limits = CacheLimits::default();
    limits.max_age = MAX_AGE;
    let cache = CachingKeyStore::with(store, limits, CLOCK);
    until(SOON, "the cache is live", async || {
        passes(&cache).await && cache.is_live() && is_kept(&cache, KEY)
    })
    .await;
    cache
}

async fn passes(cache: &CachingKeyStore<PostgresKeyStore>) -> bool {
    let found = ask(cache, KEY).await;
    found.is_ok_and(|found| format!("{found:?}").contains("state: Active"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listening_backend_is_killed() {
    let behind = Behind::open().await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    behind.bench.execute(kill).await;
    behind.revoke().await;
    behind.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backend_is_killed() {
    let behind = Behind::open().await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'countersign'";
    behind.bench.execute(kill).await;
    behind.revoke().await;
    behind.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_are_reset() {
    let behind = Behind::open().await;
    behind.proxy.cut();
    behind.revoke().await;
    behind.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_go_silent() {
    let behind = Behind::open().await;
    behind.proxy.silence(true);
    behind.revoke().await;
    // Nobody else is let in either, and nobody waits for ever.
    let unknown = ask(&behind.cache, Lookup::Key { scheme: "ateliere", key_id: "other" }).await;
    assert!(unknown.is_err());
    behind.proxy.silence(false);
    behind.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_away_and_kept_keys_work_for_a_while() {
    let behind = Behind::open().await;
    assert!(behind.passes().await);
    behind.proxy.refuse(true);
    let start = Instant::now();
    let unknown = Lookup::Key { scheme: "ateliere", key_id: "other" };
    while start.elapsed() < Duration::from_secs(1) {
        assert!(behind.passes().await, "after {:?}", start.elapsed());
        assert!(ask(&behind.cache, unknown).await.is_err());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until(MAX_AGE + MARGIN, "the bound is kept", async || !behind.passes().await).await;
    behind.proxy.refuse(false);
    behind.recover().await;
    assert!(behind.passes().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_restarted() {
    // A server of its own, since others use the usual one.
    let cluster = Cluster::start().unwrap();
    let url = cluster.url();
    fill(&PostgresKeyStore::open(&url, Keyring::generate([7; 32]), CLOCK).await.unwrap()).await;
    let cache = short(&url).await;
    cluster.restart();
    let mut plain = PgConnection::connect(&url).await.unwrap();
    assert!(passes(&cache).await, "kept keys work across the restart");
    plain.execute(AssertSqlSafe(REVOKE)).await.unwrap();
    until(MAX_AGE + MARGIN, "the key is revoked", async || !passes(&cache).await).await;
    until(Duration::from_secs(30), "it recovers", async || cache.is_live()).await;
    let unknown = Lookup::Key { scheme: "ateliere", key_id: "other" };
    assert_eq!(told(&cache, unknown).await, "None");
}
