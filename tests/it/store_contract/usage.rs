//! What is counted adds up in the database, whoever counts, and keys are counted by what they are.

use super::{sql::SqlBench, *};
use countersign::store::{
    Caller, Counted, Counts, KeyCensus as _, LATENCY_BOUNDS, Usage, UsageLog as _, UsageOf,
};

/// The hour in which [`NOW`] lies.
const HOUR: u64 = NOW - NOW % 3_600;

fn caller(name: Option<&str>, version: Option<&str>) -> Caller {
    Caller {
        organization: Some("acme".to_owned()),
        scheme: "ateliere".to_owned(),
        key_id: "pk_1".to_owned(),
        name: name.map(str::to_owned),
        version: version.map(str::to_owned),
    }
}

/// So many requests, one of them refused, that took 3 ms each.
fn counts(requests: u64) -> Counts {
    let mut counts = Counts::of(requests);
    counts.denied = 1;
    counts.latencies[Counts::bucket(3)] = requests;
    counts
}

fn usage(hour: u64, what: Counted, counts: Counts) -> Usage {
    Usage::new(at(hour), what, counts, at(hour + 30))
}

pub(super) async fn counts_add_up_whoever_counts(bench: &impl SqlBench) {
    let store = bench.store();
    let web = caller(Some("web"), Some("2"));
    let nameless = caller(None, None);
    let batch = [
        usage(HOUR, Counted::Client(web.clone()), counts(5)),
        usage(HOUR, Counted::Client(nameless.clone()), counts(2)),
        usage(HOUR - 3_600, Counted::Client(web.clone()), counts(1)),
        usage(HOUR, Counted::Field(web.clone(), "Query.me".to_owned()), Counts::of(3)),
        usage(HOUR, Counted::Field(nameless.clone(), "Query.me".to_owned()), Counts::of(1)),
        usage(HOUR, Counted::Field(web.clone(), "Query.you".to_owned()), Counts::of(1)),
        usage(HOUR, Counted::Operation(web.clone(), None), Counts::of(4)),
        usage(HOUR, Counted::Outcome("ok".to_owned()), Counts::of(7)),
    ];
    let mut backwards = batch.clone();
    backwards.reverse();
    // Two that write at once wait for each other's rows in the same order.
    let write = async |batch: &[Usage]| {
        for _ in 0..10 {
            store.add_usage(batch).await.unwrap();
        }
    };
    tokio::join!(write(&batch), write(&backwards), write(&batch), write(&backwards));
    store.add_usage(&[]).await.unwrap();

    let of = async |since: u64, of: UsageOf<'_>| store.usage(at(since), of).await.unwrap();
    let found = of(HOUR + 1_800, UsageOf::Clients).await;
    let [first, second] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((&first.what, first.counts.requests), (&Counted::Client(nameless.clone()), 80));
    assert_eq!((&second.what, second.last_seen), (&Counted::Client(web.clone()), at(HOUR + 30)));
    let mut expected = Counts::default();
    (0..40).for_each(|_| expected.add(&counts(5)));
    assert_eq!(second.counts, expected);
    assert_eq!((second.counts.ok(), second.counts.percentile(99)), (160, Some(5)));
    assert_eq!(of(HOUR - 1, UsageOf::Clients).await[1].counts.requests, 240);

    let fields = of(0, UsageOf::Fields(Some("Query.me"))).await;
    let who: Vec<_> = fields.iter().map(|usage| (&usage.what, usage.counts.requests)).collect();
    let field = |caller: &Caller| Counted::Field(caller.clone(), "Query.me".to_owned());
    assert_eq!(who, [(&field(&nameless), 40), (&field(&web), 120)]);
    assert_eq!(of(0, UsageOf::Fields(None)).await.len(), 3);
    assert_eq!(of(0, UsageOf::Fields(Some("Query.m_"))).await, []);
    assert_eq!(of(0, UsageOf::Operations).await[0].what, Counted::Operation(web, None));
    assert_eq!(of(0, UsageOf::Outcomes).await[0].counts.requests, 280);

    assert_eq!(store.forget_usage(at(HOUR + 5)).await.unwrap(), 1, "the hour before");
    assert_eq!(of(0, UsageOf::Clients).await[1].counts.requests, 200);
}

pub(super) async fn a_latency_has_a_column_of_its_own(bench: &impl SqlBench) {
    let store = bench.store();
    for bucket in 0..=LATENCY_BOUNDS.len() {
        let mut counts = Counts::of(1);
        counts.latencies[bucket] = 1 + bucket as u64;
        store.add_usage(&[usage(HOUR, Counted::Client(caller(None, None)), counts)]).await.unwrap();
    }
    let found = store.usage(at(HOUR), UsageOf::Clients).await.unwrap();
    let expected: Vec<u64> = (1..=LATENCY_BOUNDS.len() as u64 + 1).collect();
    assert_eq!(found[0].counts.latencies.to_vec(), expected);
}

pub(super) async fn keys_are_counted_by_what_they_are(bench: &impl SqlBench) {
    let store = bench.store();
    store.create_organization(&organization("acme"), None).await.unwrap();
    store.create_account(&principal("ops"), None).await.unwrap();
    let limits: [(&str, Option<u64>, Option<u64>); 6] = [
        ("pk_active", None, None),
        ("pk_pending", Some(NOW + 1), None),
        ("pk_expired", None, Some(NOW)),
        ("pk_day", None, Some(NOW + 86_400)),
        ("pk_week", None, Some(NOW + 604_800)),
        ("pk_later", None, Some(NOW + 604_801)),
    ];
    for (key_id, start, end) in limits {
        let mut new = new_key("ateliere", key_id);
        (new.not_before, new.expires_at) = (start.map(at), end.map(at));
        store.create_credential(&new).await.unwrap();
    }
    for (key_id, state) in [("pk_off", "disabled"), ("pk_gone", "revoked")] {
        store.create_credential(&new_key("corezoid", key_id)).await.unwrap();
        bench
            .execute(&format!("UPDATE credentials SET state = '{state}' WHERE key_id = '{key_id}'"))
            .await
            .unwrap();
    }
    let mut owned = new_key("corezoid", "pk_of_acme");
    owned.organization = Some(organization("acme"));
    store.create_credential(&owned).await.unwrap();
    bench.execute("UPDATE organizations SET state = 'disabled'").await.unwrap();

    let counts = store.count_keys().await.unwrap();
    let by_state: Vec<_> = counts.by_state.iter().map(|row| (&*row.0, &*row.1, row.2)).collect();
    assert_eq!(
        by_state,
        [
            ("ateliere", "active", 4),
            ("ateliere", "expired", 1),
            ("ateliere", "pending", 1),
            ("corezoid", "disabled", 2),
            ("corezoid", "revoked", 1),
        ]
    );
    assert_eq!((counts.expiring_within_a_day, counts.expiring_within_a_week), (1, 2));
    assert_eq!(counts.by_keyring_id.iter().map(|row| row.1).collect::<Vec<_>>(), [9]);
}
