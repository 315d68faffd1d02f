//! Waiting until no running program goes by what was true before.

use super::{
    database::{Bench, OnPostgres, OnSqlite, fill},
    *,
};

const KEY: Lookup<'_> = Lookup::Key { scheme: "ateliere", key_id: "pk" };
/// Longer than any instance takes here.
const PATIENCE: Duration = Duration::from_secs(20);

async fn who_has_waited_meets_nobody_who_does_not_know<B: Bench>(bench: &B) {
    let store = bench.store().await;
    fill(&store).await;
    let (one, two) = (live(bench.store().await).await, live(bench.store().await).await);
    for state in ["disabled", "active", "disabled", "active", "revoked"] {
        let (before, other) = (told(&one, KEY).await, told(&two, KEY).await);
        assert_eq!(before, other);
        bench.execute(&format!("UPDATE credentials SET state = '{state}'")).await;
        let instances = B::wait(&store, PATIENCE).await.unwrap();
        assert_ne!(told(&one, KEY).await, before, "{state}");
        assert_ne!(told(&two, KEY).await, before, "{state}");
        let mut names = vec![one.instance().to_owned(), two.instance().to_owned()];
        names.sort();
        assert_eq!(instances.acknowledged, names);
        assert!(instances.is_settled() && instances.lapsed.is_empty());
    }
    // Who has ended is not waited for.
    two.close().await.unwrap();
    assert!(!is_kept(&two, KEY));
    let instances = B::wait(&store, PATIENCE).await.unwrap();
    assert_eq!(instances.acknowledged, [one.instance()]);
}

async fn who_has_vanished_is_named<B: Bench>(bench: &B) {
    let store = bench.store().await;
    fill(&store).await;
    let instances = B::wait(&store, PATIENCE).await.unwrap();
    assert!(instances.is_settled() && instances.acknowledged.is_empty());
    bench.execute("INSERT INTO instances (id, lease_until, acknowledged) VALUES ('old', 1, 0)").await;
    bench
        .execute("INSERT INTO instances (id, lease_until, acknowledged) VALUES ('gone', unixepoch() - 1, 0)")
        .await;
    let instances = B::wait(&store, PATIENCE).await.unwrap();
    assert_eq!((instances.is_settled(), &*instances.lapsed), (true, &["gone".to_owned()][..]));
    let silent =
        "INSERT INTO instances (id, lease_until, acknowledged) VALUES ('silent', unixepoch() + 100, 0)";
    bench.execute(silent).await;
    let instances = B::wait(&store, Duration::ZERO).await.unwrap();
    assert_eq!((instances.is_settled(), &*instances.silent), (false, &["silent".to_owned()][..]));
}

macro_rules! over_both {
    ($($test:ident)+) => {
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&<super::OnPostgres as super::Bench>::open().await).await;
            })+
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&<super::OnSqlite as super::Bench>::open().await).await;
            })+
        }
    };
}

over_both! {
    who_has_vanished_is_named
    who_has_waited_meets_nobody_who_does_not_know
}
