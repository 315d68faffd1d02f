//! Changes that meet on a Postgres server: a revocation wins, and no rotation overlooks another.

use super::{
    lifecycle::{by, rotation},
    postgres::PostgresTables,
    *,
};
use countersign::store::{AdminErrorKind, Overlap, PostgresKeyStore};
use std::sync::Arc;
use tokio::{sync::Barrier, task::JoinSet};

const ROUNDS: usize = 40;

/// Lets several begin at the same moment.
async fn together(tasks: Vec<impl Future<Output = ()> + Send + 'static>) {
    let start = Arc::new(Barrier::new(tasks.len()));
    let mut running = JoinSet::new();
    for task in tasks {
        let start = Arc::clone(&start);
        running.spawn(async move {
            start.wait().await;
            task.await;
        });
    }
    running.join_all().await;
}

/// A change, whose refusal is fine: who comes second may find the key revoked. Anything else is not.
async fn attempt(store: PostgresKeyStore, key: KeyId, change: usize) {
    let done = match change {
        0 => return store.revoke("ateliere", &key, &by()).await.unwrap(),
        1 => store.enable("ateliere", &key, &by()).await,
        2 => store.disable("ateliere", &key, &by()).await,
        3 => {
            let week = rotation("the secret of a race", Overlap::LONGEST);
            store.rotate("ateliere", &key, &week, &by()).await.map(drop)
        }
        _ => {
            let at_once = rotation("the other secret of a race", Overlap::NONE);
            store.rotate("ateliere", &key, &at_once, &by()).await.map(drop)
        }
    };
    if let Err(error) = done {
        assert_eq!(error.kind(), AdminErrorKind::Invalid, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_wins_every_race() {
    let bench = PostgresTables::open().await;
    for round in 0..ROUNDS {
        let key = format!("pk_{round}");
        store_key(bench.store(), "ateliere", &key).await;
        // Each takes its turn as the first one.
        let changes = (0..5).map(|number| attempt(bench.store().clone(), id(&key), (number + round) % 5));
        together(changes.collect()).await;
        let found = find(bench.store(), "ateliere", &key).await.unwrap();
        assert_eq!(found.standing(at(NOW)), Standing::Revoked, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_that_meet_get_numbers_of_their_own_and_count_each_other() {
    let bench = PostgresTables::open().await;
    for round in 0..ROUNDS {
        let key = format!("pk_{round}");
        store_key(bench.store(), "ateliere", &key).await;
        let changes = (0..4).map(|_| attempt(bench.store().clone(), id(&key), 3));
        together(changes.collect()).await;
        let shown = bench.store().credential("ateliere", &id(&key)).await.unwrap();
        let numbers: Vec<_> = shown.secrets.iter().map(|secret| secret.number).collect();
        assert_eq!(numbers, [3, 2, 1], "two of the four had no place");
        assert_eq!(shown.secrets.iter().filter(|secret| secret.retires_at.is_none()).count(), 1);
    }
}
