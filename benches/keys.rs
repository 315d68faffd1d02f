//! What the cache of keys costs, beside the goals of `./x bench`: a hit (P8), a storm of misses (P10), how soon a
//! revocation is known (P11), and loading a million keys (P12).
//!
//! `KEYS` is the number of keys of the large store (1,000,000). Postgres runs as in the tests, on this machine.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up shall stop")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/support/postgres/cluster.rs"]
mod cluster;

use cluster::Cluster;
use countersign::{
    clock::SystemClock,
    envelope::{Keyring, Place},
    secret::Secret,
    store::{CacheLimits, CachingKeyStore, Found, KeyStore as _, Lookup, PostgresKeyStore, Record},
};
use cpu_time::ThreadTime;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::{
    env, fs,
    hint::black_box,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

type Cache = CachingKeyStore<PostgresKeyStore>;

const SCHEME: &str = "ateliere";
/// Lookups in a measurement of hits.
const LOOKUPS: usize = 200_000;
/// Measurements of hits; the median counts.
const ROUNDS: usize = 15;

fn main() {
    let keys = env::var("KEYS").map_or(1_000_000, |text| text.parse().unwrap());
    let cluster = Cluster::start().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(fill(&cluster, keys));
    println!("{:<6}{:<66}{:>8}{:>10}", "goal", "", "limit", "measured");

    let small = runtime.block_on(loaded(&cluster, 1_000));
    let one = hit(&small, 1_000, 1);
    goal("P8", "a hit among 1,000 keys, ns", 25.0, one);
    goal("P8", "a hit on one key by two threads / by one", 1.3, hit(&small, 1, 2) / hit(&small, 1, 1));
    runtime.block_on(storms(&cluster));
    runtime.block_on(revocations(&cluster, &small));
    drop(small);

    let before = resident();
    let start = Instant::now();
    let large = runtime.block_on(loaded(&cluster, keys));
    let seconds = start.elapsed().as_secs_f64();
    goal("P12", &format!("loading {keys} keys, s"), 3.0, seconds);
    goal("P12", "memory for a key, bytes", 260.0, (resident() - before) / f64::from(keys));
    goal("P8", &format!("a hit among {keys} keys, ns"), 500.0, hit(&large, keys, 1));
}

fn goal(name: &str, what: &str, limit: f64, measured: f64) {
    let mark = if measured <= limit { "" } else { "  missed" };
    println!("{name:<6}{what:<66}{limit:>8.2}{measured:>10.2}{mark}");
}

/// A key id of the length of a UUID.
fn key_id(number: u32) -> String {
    format!("5c2b6f9e-8f62-4a57-9bb1-{number:012}")
}

fn keyring() -> Keyring {
    Keyring::generate([7; 32])
}

/// Makes keys, all with the secret that the first one gets, sealed for each in its place.
async fn fill(cluster: &Cluster, keys: u32) {
    let store = PostgresKeyStore::open(&cluster.url(), keyring(), SystemClock).await.unwrap();
    let secret = Secret::from_random([9; 32]);
    let mut database = PgConnection::connect(&cluster.url()).await.unwrap();
    database.execute("INSERT INTO accounts (id) VALUES ('ops')").await.unwrap();
    // As a bulk load does: what the triggers do for each row is not what is measured here.
    database.execute("SET session_replication_role = replica").await.unwrap();
    for first in (0..keys).step_by(10_000) {
        let numbers: Vec<u32> = (first..keys.min(first + 10_000)).collect();
        let names: Vec<String> = numbers.iter().map(|number| key_id(*number)).collect();
        let mut sealed = Vec::new();
        for name in &names {
            let mut nonce = [0; 12];
            countersign::clock::Clock::fill(&SystemClock, &mut nonce);
            let place = Place { scheme: SCHEME, key_id: name, number: 1 };
            sealed.push(keyring().seal(place, &secret, nonce));
        }
        let records: Vec<_> = sealed.iter().map(|sealed| sealed.record.clone()).collect();
        sqlx::query(
            "INSERT INTO credentials (scheme, key_id, algorithm, account)
             SELECT $1, key_id, 'hmac-sha256', 'ops' FROM unnest($2::text[]) key_id",
        )
        .bind(SCHEME)
        .bind(&names)
        .execute(&mut database)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO secret_versions (scheme, key_id, number, keyring_id, sealed, fingerprint)
             SELECT $1, key_id, 1, $4, sealed, '00000000' FROM unnest($2::text[], $3::bytea[]) t(key_id, sealed)",
        )
        .bind(SCHEME)
        .bind(&names)
        .bind(&records)
        .bind(&sealed[0].keyring_id)
        .execute(&mut database)
        .await
        .unwrap();
    }
    database.execute("VACUUM ANALYZE").await.unwrap();
    drop(store);
}

/// A live cache with so many keys in it.
async fn loaded(cluster: &Cluster, keys: u32) -> Arc<Cache> {
    let store = PostgresKeyStore::open(&cluster.url(), keyring(), SystemClock).await.unwrap();
    let mut limits = CacheLimits::default();
    limits.entries = usize::try_from(keys).unwrap();
    limits.max_age = Duration::from_secs(3_600);
    let cache = Arc::new(CachingKeyStore::with(store, limits, SystemClock));
    while !cache.is_live() || cache.preload(|_| ()).await.unwrap() == 0 || is_absent(&cache, 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cache
}

fn is_absent(cache: &Cache, number: u32) -> bool {
    !matches!(find(cache, &key_id(number)), Found::Ready(Some(_)))
}

fn find(cache: &Cache, key_id: &str) -> Found {
    cache.find(Lookup::Key { scheme: SCHEME, key_id })
}

/// Nanoseconds of processor time for a hit, by several threads at once.
fn hit(cache: &Arc<Cache>, keys: u32, threads: usize) -> f64 {
    // In an order that no prefetcher guesses.
    let order = |n: u32| key_id((n.wrapping_mul(2_654_435_761) >> 4) % keys);
    let ids: Arc<Vec<String>> = Arc::new((0..65_536).map(order).collect());
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let barrier = Arc::new(Barrier::new(threads));
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let (cache, ids, barrier) = (Arc::clone(cache), Arc::clone(&ids), Arc::clone(&barrier));
                    thread::spawn(move || {
                        barrier.wait();
                        let start = ThreadTime::now();
                        for n in 0..LOOKUPS {
                            let found = find(&cache, black_box(&ids[n % ids.len()]));
                            assert!(matches!(black_box(found), Found::Ready(Some(_))));
                        }
                        start.elapsed().as_secs_f64() * 1e9
                    })
                })
                .collect();
            let total: f64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
            total / f64::from(u32::try_from(LOOKUPS * threads).unwrap())
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// A thousand at once who want different keys, through the pool one by one and through the cache. That one key makes
/// one question, and a thousand make two, is tested.
async fn storms(cluster: &Cluster) {
    let store = PostgresKeyStore::open(&cluster.url(), keyring(), SystemClock).await.unwrap();
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let start = Instant::now();
        let asked: Vec<_> = (0..1_000).map(|n| key_id(n % 1_000)).map(|id| ask(&store, &id)).collect();
        let tasks: Vec<_> = asked.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            assert!(task.await.unwrap());
        }
        alone.push(start.elapsed().as_secs_f64());
        let cache = CachingKeyStore::new(store.clone());
        while !cache.is_live() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let start = Instant::now();
        let asked: Vec<_> = (0..1_000).map(key_id).map(|id| settle(find(&cache, &id))).collect();
        for asked in asked.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
            assert!(asked.await.unwrap());
        }
        together.push(start.elapsed().as_secs_f64());
    }
    alone.sort_by(f64::total_cmp);
    together.sort_by(f64::total_cmp);
    goal("P10", "1,000 different keys at once: time / that of one by one", 0.4, together[3] / alone[3]);
}

fn ask(store: &PostgresKeyStore, key_id: &str) -> impl Future<Output = bool> + Send + use<> {
    settle(store.find(Lookup::Key { scheme: SCHEME, key_id }))
}

async fn settle(found: Found) -> bool {
    match found {
        Found::Ready(record) => record.is_some(),
        Found::Pending(record) => record.await.unwrap().is_some(),
    }
}

/// From the moment at which the commit returns until the key is no longer found as it was.
async fn revocations(cluster: &Cluster, cache: &Arc<Cache>) {
    let mut database = PgConnection::connect(&cluster.url()).await.unwrap();
    let mut times = Vec::new();
    for number in 0..500 {
        let id = key_id(number);
        sqlx::query("UPDATE credentials SET state = 'disabled' WHERE scheme = $1 AND key_id = $2")
            .bind(SCHEME)
            .bind(&id)
            .execute(&mut database)
            .await
            .unwrap();
        let start = Instant::now();
        while let Found::Ready(Some(Record::Credential(found))) = find(cache, &id)
            && found.state == countersign::credential::CredentialState::Active
        {
            // A thread that looks without a pause takes the processor that the server and the listener need.
            thread::sleep(Duration::from_micros(20));
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    goal("P11", "commit to refused, 99 of 100, ms", 1.0, times[495]);
    println!("      (half of them {:.3} ms, all {:.3} ms)", times[250], times[499]);
}

/// Resident memory in bytes.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}
