//! What a change does to what is kept, and to an answer that is on its way.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_hit_asks_nobody_and_allocates_nothing() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    bench.asked();
    // Its first hit may give a thread a copy of the terms.
    assert_eq!(bench.at_hand("pk"), Some(Some(1)));
    let count = allocation_counter::measure(|| assert_eq!(bench.at_hand("pk"), Some(Some(1))));
    assert_eq!(count.count_total, 0);
    assert!(bench.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_is_effective_when_it_is_told() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    bench.set("other", 1);
    assert_eq!((bench.find("pk").await, bench.find("other").await), (Some(1), Some(1)));
    bench.change("pk", 2);
    idle().await;
    assert_eq!(bench.at_hand("pk"), None);
    assert_eq!(bench.at_hand("other"), Some(Some(1)));
    assert_eq!(bench.find("pk").await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_signing_key_is_asked_for_anew_once_it_has_retired() {
    let bench = Bench::live().await;
    let second = Duration::from_secs(1);
    let end = async || {
        let record = match bench.cache.find(Lookup::SigningKey) {
            Found::Ready(record) => record,
            Found::Pending(record) => record.await.unwrap(),
        };
        match record {
            Some(Record::SigningKey(key)) => key.public.retires_at,
            other => panic!("asked for a signing key, found {other:?}"),
        }
    };
    let (first, next) = (bench.clock.now() + 5 * second, bench.clock.now() + 60 * second);
    bench.sign_until(first);
    assert_eq!(end().await, Some(first));
    // Nothing is told when it retires.
    bench.sign_until(next);
    bench.pass(4 * second).await;
    assert_eq!(end().await, Some(first));
    assert_eq!(bench.asked().len(), 1);
    bench.pass(second).await;
    assert_eq!(end().await, Some(next));
    assert_eq!(end().await, Some(next));
    assert_eq!(bench.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_on_its_way_does_not_outlive_a_change() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    bench.hold(true);
    let found = bench.cache.find(key("pk"));
    idle().await;
    // The store has looked, and the answer has not arrived.
    assert_eq!(bench.asked(), [["pk"]]);
    bench.change("pk", 2);
    idle().await;
    bench.hold(false);
    assert_eq!(answer(found).await.unwrap(), Some(2));
    assert_eq!(bench.at_hand("pk"), Some(Some(2)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_on_its_way_does_not_outlive_a_gap_in_what_is_told() {
    for text in ["flush", "a text of a later version"] {
        let bench = Bench::live().await;
        bench.set("pk", 1);
        bench.hold(true);
        let found = bench.cache.find(key("pk"));
        idle().await;
        bench.set("pk", 2);
        bench.tell(text);
        idle().await;
        bench.hold(false);
        assert_eq!(answer(found).await.unwrap(), Some(2), "{text}");
        assert_eq!(bench.at_hand("pk"), Some(Some(2)), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_does_not_join_a_question_that_is_under_way() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    bench.hold(true);
    let first = bench.cache.find(key("pk"));
    idle().await;
    bench.set("pk", 2);
    let second = bench.cache.find(key("pk"));
    idle().await;
    bench.hold(false);
    assert_eq!(answer(first).await.unwrap(), Some(1));
    assert_eq!(answer(second).await.unwrap(), Some(2));
    assert_eq!(bench.asked(), [["pk"], ["pk"]]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_want_one_key_make_two_questions_at_most() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    let found: Vec<_> = (0..1_000).map(|_| bench.cache.find(key("pk"))).collect();
    for found in found {
        assert_eq!(answer(found).await.unwrap(), Some(1));
    }
    assert_eq!(bench.asked(), [["pk"]]);
    // Some come while the question is under way.
    bench.change("pk", 2);
    idle().await;
    bench.hold(true);
    let first = bench.cache.find(key("pk"));
    idle().await;
    let found: Vec<_> = (0..1_000).map(|_| bench.cache.find(key("pk"))).collect();
    bench.hold(false);
    for found in found.into_iter().chain([first]) {
        assert_eq!(answer(found).await.unwrap(), Some(2));
    }
    assert_eq!(bench.asked(), [["pk"], ["pk"]]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_want_different_keys_make_few_questions() {
    let bench = Bench::live().await;
    let names: Vec<_> = (0..1_500).map(|n| format!("pk_{n}")).collect();
    names.iter().for_each(|name| bench.set(name, 1));
    bench.hold(true);
    let first = bench.cache.find(key("pk_0"));
    idle().await;
    let found: Vec<_> = names.iter().map(|name| bench.cache.find(key(name))).collect();
    bench.hold(false);
    for found in found.into_iter().chain([first]) {
        assert_eq!(answer(found).await.unwrap(), Some(1));
    }
    let asked: Vec<_> = bench.asked().iter().map(Vec::len).collect();
    assert_eq!(asked, [1, 1_000, 500]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_not_asked() {
    let bench = Bench::live().await;
    bench.hold(true);
    let first = bench.cache.find(key("pk_1"));
    idle().await;
    drop(bench.cache.find(key("pk_2")));
    bench.hold(false);
    answer(first).await.unwrap();
    idle().await;
    assert_eq!(bench.asked(), [["pk_1"]]);
}

#[tokio::test(start_paused = true)]
async fn an_older_record_does_not_take_the_place_of_a_newer_one() {
    let bench = Bench::live().await;
    bench.set("pk", 7);
    assert_eq!(bench.find("pk").await, Some(7));
    // As a replica would that lags.
    bench.set("pk", 6);
    bench.pass(Duration::from_secs(16)).await;
    assert_eq!(bench.at_hand("pk"), Some(Some(7)));
}

#[tokio::test(start_paused = true)]
async fn a_page_does_not_outlive_a_change() {
    let bench = Bench::live().await;
    (0..7).for_each(|n| bench.set(&format!("pk_{n}"), 1));
    bench.hold(true);
    let mut progress = Vec::new();
    let preload = bench.cache.preload(|count| progress.push(count));
    let change = async {
        idle().await;
        bench.change("pk_3", 2);
        idle().await;
        bench.hold(false);
    };
    let (count, ()) = tokio::join!(preload, change);
    assert_eq!((count.unwrap(), progress), (7, vec![7]));
    assert_eq!(bench.at_hand("pk_2"), Some(Some(1)));
    assert_eq!(bench.at_hand("pk_3"), None);
    assert_eq!(bench.find("pk_3").await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_barrier_is_acknowledged_after_what_was_told_before() {
    let bench = Bench::live().await;
    bench.set("pk", 1);
    assert_eq!(bench.find("pk").await, Some(1));
    bench.change("pk", 2);
    bench.tell("barrier\u{1f}4");
    idle().await;
    assert_eq!((bench.acknowledged(), bench.at_hand("pk")), (4, None));
    bench.tell("barrier\u{1f}3");
    idle().await;
    assert_eq!(bench.acknowledged(), 4);
    // Also lower ones, if a backup was restored.
    for newest in [9, 2] {
        bench.begin(newest);
        idle().await;
        assert_eq!(bench.acknowledged(), newest);
    }
}
