//! What works while the store cannot be asked, or does not tell what changes.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn kept_keys_work_while_the_store_is_away_and_no_others() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    bench.set("unknown", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    bench.set_away(true);
    bench.lose();
    for _ in 0..29 {
        assert_eq!(bench.find("pk").await, Some(1));
        assert!(bench.ask("unknown").await.is_err());
        bench.pass(SECOND).await;
    }
    bench.pass(SECOND).await;
    assert!(bench.ask("pk").await.is_err());

    bench.set_away(false);
    assert_eq!((bench.find("pk").await, bench.find("unknown").await), (Some(1), Some(1)));
}

#[tokio::test(start_paused = true)]
async fn without_a_listener_the_store_is_asked_again_soon() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    bench.lose();
    idle().await;
    assert!(!bench.cache.is_live());
    bench.set("pk", 2);
    assert_eq!(bench.at_hand("pk"), Some(Some(1)));
    bench.pass(2 * SECOND).await;
    assert_eq!(bench.find("pk").await, Some(2));

    // When it listens again, what it has missed is forgotten.
    bench.set("pk", 3);
    bench.begin(0);
    bench.pass(SECOND).await;
    assert!(bench.cache.is_live());
    assert_eq!(bench.find("pk").await, Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_delays_nobody_for_long_who_has_an_entry() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    bench.lose();
    bench.pass(3 * SECOND).await;
    bench.hold(true);
    let start = tokio::time::Instant::now();
    assert_eq!(bench.find("pk").await, Some(1));
    assert!(start.elapsed() <= 2 * SECOND);
    assert!(bench.ask("unknown").await.is_err());
    assert!(start.elapsed() <= 8 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_entry_ends_with_its_age_although_changes_arrive() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    // A change that is not told, by whatever accident.
    bench.set("pk", 2);
    bench.pass(29 * SECOND).await;
    assert_eq!(bench.at_hand("pk"), Some(Some(1)));
    bench.pass(SECOND).await;
    assert_eq!(bench.find("pk").await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_trusted_beyond_the_lease() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    bench.set_away(true);
    bench.pass(25 * SECOND).await;
    bench.set_away(false);
    // Loaded late, so that it is young when the lease ends.
    assert_eq!(bench.find("pk").await, Some(1));
    bench.set_away(true);
    assert_eq!(bench.find("pk").await, Some(1));
    bench.pass(31 * SECOND).await;
    assert!(bench.ask("pk").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn before_the_first_lease_everything_is_asked() {
    let double = Double::default();
    double.set_away(true);
    let bench = Bench::with(double, CacheLimits::default());
    bench.begin(0);
    idle().await;
    assert!(bench.ask("pk").await.is_err());
    bench.set_away(false);
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    assert_eq!(bench.at_hand("pk"), None);
    bench.pass(SECOND).await;
    assert_eq!(bench.find("pk").await, Some(1));
    assert_eq!(bench.at_hand("pk"), Some(Some(1)));
}

#[tokio::test(start_paused = true)]
async fn barriers_are_acknowledged_without_a_listener_as_well() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    bench.lose();
    idle().await;
    bench.set("pk", 2);
    bench.set_newest(5);
    bench.pass(2 * SECOND).await;
    assert_eq!(bench.acknowledged(), 5);
    // Although the store can no longer be asked.
    bench.set_away(true);
    assert!(bench.ask("pk").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_used_is_an_error_and_its_own() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    bench.set("broken", 1);
    assert_eq!(bench.find("broken").await, Some(1));
    bench.break_key("broken");
    bench.change("broken", 2);
    idle().await;
    let (broken, pk) = (bench.cache.find(key("broken")), bench.cache.find(key("pk")));
    assert!(answer(broken).await.is_err());
    assert_eq!(answer(pk).await.unwrap(), Some(1));
    assert_eq!(bench.at_hand("broken"), None);
}
