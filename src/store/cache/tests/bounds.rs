//! How much is kept, and for how long.

use super::*;

#[tokio::test(start_paused = true)]
async fn that_there_is_no_key_is_kept_for_a_second() {
    let bench = Bench::live().await;
    assert_eq!(bench.find("pk").await, None);
    assert_eq!(bench.at_hand("pk"), Some(None));
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(bench.at_hand("pk"), None);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_made_overrules_that_there_was_none() {
    let bench = Bench::live().await;
    assert_eq!(bench.find("pk").await, None);
    bench.change("pk", 1);
    idle().await;
    assert_eq!(bench.find("pk").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn where_insertions_are_told_late_it_is_not_kept_that_there_is_no_key() {
    let bench = Bench::with(Double::slow_to_tell(), CacheLimits::default());
    bench.begin(0);
    idle().await;
    assert_eq!(bench.find("pk").await, None);
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn strangers_cannot_fill_the_memory() {
    let limits = CacheLimits { absent_entries: 100, ..CacheLimits::default() };
    let bench = Bench::with(Double::default(), limits);
    bench.begin(0);
    idle().await;
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    for n in 0..1_000 {
        assert_eq!(bench.find(&format!("unknown_{n}")).await, None);
        assert!(bench.cache.absent_len() <= 100);
    }
    assert_eq!((bench.cache.len(), bench.at_hand("pk")), (1, Some(Some(1))));
    // What cannot be a name is not even asked.
    bench.asked();
    for text in ["", "a\nb", "a\u{1f}b", &"k".repeat(256)] {
        assert_eq!(bench.at_hand(text), Some(None));
    }
    assert!(bench.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn as_much_is_kept_as_is_allowed_and_what_is_used_stays() {
    let limits = CacheLimits { entries: 64, ..CacheLimits::default() };
    let bench = Bench::with(Double::default(), limits);
    bench.begin(0);
    idle().await;
    bench.set("busy", 1);
    for n in 0..1_000 {
        let name = format!("pk_{n}");
        bench.set(&name, 1);
        assert_eq!(bench.find(&name).await, Some(1));
        assert_eq!(bench.find("busy").await, Some(1));
        assert!(bench.cache.len() <= 64);
    }
    assert!(bench.cache.len() > 48);
    bench.asked();
    assert_eq!(bench.find("busy").await, Some(1));
    assert!(bench.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_used_is_asked_for_again_before_its_time_is_up() {
    let bench = Bench::live().await;
    bench.set("used", 1);
    bench.set("unused", 1);
    assert_eq!((bench.find("used").await, bench.find("unused").await), (Some(1), Some(1)));
    bench.asked();
    for _ in 0..60 {
        bench.pass(Duration::from_secs(1)).await;
        assert_eq!(bench.at_hand("used"), Some(Some(1)));
    }
    assert_eq!(bench.cache.len(), 1);
    let asked = bench.asked();
    assert!(asked.iter().all(|names| *names == ["used"]) && asked.len() <= 4, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_page_fills_no_more_than_is_allowed() {
    let limits = CacheLimits { entries: 20_000, ..CacheLimits::default() };
    let bench = Bench::with(Double::default(), limits);
    bench.begin(0);
    idle().await;
    (0..12_000).for_each(|n| bench.set(&format!("pk_{n:05}"), 1));
    let mut progress = Vec::new();
    assert_eq!(bench.cache.preload(|count| progress.push(count)).await.unwrap(), 12_000);
    assert_eq!(progress, [5_000, 10_000, 12_000]);
    assert_eq!(bench.cache.len(), 12_000);
    assert_eq!(bench.at_hand("pk_11999"), Some(Some(1)));
}
