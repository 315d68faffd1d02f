//! The sample of refusals, and clients whose refusals are explained: alike on both engines.

use super::{sql::SqlBench, *};
use countersign::{
    clock::{Clock as _, SystemClock},
    store::{
        AuditLog as _, AuditQuery, ChangeRefused, NewClient, RefusalLog as _, RefusalQuery, SampledRefusal,
    },
};
use std::error::Error as _;

fn refusal(number: u64, outcome: &str, key_id: Option<&str>) -> SampledRefusal {
    let mut refusal = SampledRefusal::new(at(NOW + number), &format!("request-{number}"), outcome);
    refusal.scheme = key_id.map(|_| "ateliere".to_owned());
    refusal.key_id = key_id.map(|id| KeyId::new(id).unwrap());
    refusal
}

pub(super) async fn a_sample_is_kept_asked_and_forgotten(bench: &impl SqlBench) {
    let store = bench.store();
    store.add_refusals(&[]).await.unwrap();
    let one = refusal(1, "missing", None);
    let two = refusal(2, "bad_signature", Some("pk_1"));
    store.add_refusals(&[one.clone(), two.clone()]).await.unwrap();
    let many: Vec<_> = (3..2_503).map(|number| refusal(number, "disabled", Some("pk_2"))).collect();
    store.add_refusals(&many).await.unwrap();

    let asked = async |change: fn(&mut RefusalQuery)| {
        let mut query = RefusalQuery::latest(10_000);
        change(&mut query);
        store.refusals(&query).await.unwrap()
    };
    let only = |found: Vec<(i64, SampledRefusal)>| found.into_iter().map(|row| row.1).collect::<Vec<_>>();
    let all = asked(|_| {}).await;
    assert_eq!(all.len(), 2_502);
    assert!(all.windows(2).all(|pair| pair[0].0 > pair[1].0), "newest first");
    assert_eq!(
        only(asked(|query| query.request_id = Some("request-2".to_owned())).await),
        std::slice::from_ref(&two)
    );
    assert_eq!(only(asked(|query| query.outcome = Some("missing".to_owned())).await), [one]);
    assert_eq!(only(asked(|query| query.key_id = KeyId::new("pk_1").ok()).await), [two]);
    assert_eq!(asked(|query| query.scheme = Some("corezoid".to_owned())).await, []);
    assert_eq!(asked(|query| query.since = Some(at(NOW + 2_502))).await.len(), 1);
    assert_eq!(asked(|query| query.limit = 3).await.len(), 3);
    let mut below = RefusalQuery::latest(1);
    below.before = Some(all[10].0);
    assert_eq!(store.refusals(&below).await.unwrap(), [all[11].clone()]);

    assert_eq!(store.forget_refusals(at(NOW + 3), 100_000).await.unwrap(), 2, "what is older");
    assert_eq!(store.forget_refusals(at(0), 10).await.unwrap(), 2_490, "what is too much");
    assert_eq!(asked(|_| {}).await.len(), 10);
    let long = SampledRefusal::new(at(NOW), &"x".repeat(65), "missing");
    assert!(store.add_refusals(&[refusal(1, "missing", None), long]).await.is_err());
    assert_eq!(asked(|_| {}).await.len(), 10, "all of them, or none");
}

pub(super) async fn a_client_is_debugged_for_a_day_at_most(bench: &impl SqlBench) {
    let store = bench.store();
    let owner = Principal::new("ada").unwrap();
    store.create_account(&owner, None).await.unwrap();
    let id = KeyId::new("5B0F4C").unwrap();
    let secret = Secret::new("c2VjcmV0LXZhbHVlLW9mLXJhbmRvbS1ieXRlcw").unwrap();
    store.create_client(&NewClient::new(id.clone(), owner, secret)).await.unwrap();
    let found = async || match store.find(Lookup::Client { client_id: "5B0F4C" }) {
        Found::Pending(record) => match record.await.unwrap() {
            Some(Record::Client(client)) => client,
            other => panic!("{other:?}"),
        },
        Found::Ready(_) => panic!("a database is waited for"),
    };
    let before = found().await;
    assert_eq!(before.debug_until, None);
    // The database goes by its own clock, which is that of this machine.
    let now = SystemClock.now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    store.debug_client(&id, Some(at(now + 3_600))).await.unwrap();
    let debugged = found().await;
    assert!(debugged.is_debugged(at(now + 3_599)) && !debugged.is_debugged(at(now + 3_600)));
    assert!(debugged.revision > before.revision, "whoever keeps it hears of it");
    assert_eq!(store.client(&id).await.unwrap().debug_until, Some(at(now + 3_600)));
    let refused = store.debug_client(&id, Some(at(now + 90_000))).await.unwrap_err();
    let why = refused.source().and_then(|source| source.downcast_ref::<ChangeRefused>());
    assert_eq!(why, Some(&ChangeRefused::LongDebug));
    store.debug_client(&id, None).await.unwrap();
    assert_eq!(found().await.debug_until, None);
    let audit = store.audit(&AuditQuery::latest(2)).await.unwrap();
    assert!(audit.iter().all(|entry| entry.became.as_ref().unwrap().contains("debug_until")), "{audit:?}");
    let nobody = store.debug_client(&KeyId::new("nobody").unwrap(), None).await.unwrap_err();
    assert_eq!(nobody.kind(), AdminErrorKind::NotFound);
    store.set_client_state(&id, CredentialState::Revoked).await.unwrap();
    assert_eq!(store.debug_client(&id, None).await.unwrap_err().kind(), AdminErrorKind::Invalid);
}
