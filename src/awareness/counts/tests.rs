//! The rule by which clients are told apart, on the counting itself.

use super::*;
use std::collections::BTreeMap;

/// Requests by key, name and version.
type Rows = BTreeMap<(String, Option<String>, Option<String>), u64>;

fn books() -> Books {
    Books::new(UsageLimits::default())
}

fn count(books: &Books, key: &str, name: &str, version: &str) {
    request(books, key, (name, version)).count(1, End::Well);
}

/// A request that is under way.
fn request(books: &Books, key: &str, said: (&str, &str)) -> Arc<OfClient> {
    let (key_id, organization) = (KeyId::new(key).unwrap(), Organization::new("acme").unwrap());
    books.client(("ateliere", &key_id, Some(&organization)), said, Some(Outcome::Ok))
}

/// Requests by key, name and version; `total` of all of them.
fn taken(books: &Books, end: bool) -> (Rows, u64) {
    let mut rows = BTreeMap::new();
    let mut total = 0;
    for (what, counts) in books.take(end) {
        if let Counted::Client(caller) = what {
            total += counts.requests;
            assert_eq!((&*caller.scheme, caller.organization.as_deref()), ("ateliere", Some("acme")));
            assert_eq!(rows.insert((caller.key_id, caller.name, caller.version), counts.requests), None);
        }
    }
    (rows, total)
}

/// Random enough, and the same in each run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn a_million_random_clients_leave_no_more_rows_than_there_may_be_and_lose_no_request() {
    let books = books();
    let limits = UsageLimits::default();
    let (mut state, mut sum, mut rows) = (7, 0, std::collections::BTreeSet::new());
    for flush in 0..10 {
        for request in 0..100_000 {
            let (name, version) = (next(&mut state).to_string(), next(&mut state).to_string());
            match request % 4 {
                // One client among them calls all the time.
                0 => count(&books, "pk_1", "faithful", "1"),
                _ => count(&books, "pk_1", &name, &version),
            }
        }
        let (counted, total) = taken(&books, false);
        sum += total;
        assert!(counted.len() <= limits.clients_a_key + 1, "{flush}: {}", counted.len());
        let faithful = ("pk_1".to_owned(), Some("faithful".to_owned()), Some("1".to_owned()));
        assert_eq!(counted[&faithful], 25_000, "{flush}");
        rows.extend(counted.into_keys());
    }
    assert_eq!(sum, 1_000_000);
    assert_eq!(rows.len(), limits.clients_a_key + 1);
    let shard = books.shards.iter().map(|shard| lock(shard).keys.values().flatten().count()).sum::<usize>();
    assert_eq!(shard, 1);
}

#[test]
fn one_keys_clients_push_out_those_of_no_other_before_all_places_are_taken() {
    let limits = UsageLimits { clients: 50, ..UsageLimits::default() };
    let books = Books::new(limits);
    count(&books, "pk_quiet", "invoicer", "1");
    for number in 0..1_000 {
        count(&books, "pk_loud", &number.to_string(), "");
    }
    for key in 0..100 {
        count(&books, &format!("pk_{key}"), "a", "1");
        count(&books, &format!("pk_{key}"), "b", "1");
    }
    let (rows, total) = taken(&books, true);
    assert_eq!(total, 1 + 1_000 + 200);
    assert_eq!(rows[&("pk_quiet".to_owned(), Some("invoicer".to_owned()), Some("1".to_owned()))], 1);
    let named = rows.keys().filter(|(_, name, _)| name.as_deref() != Some(OTHER)).count();
    assert_eq!(named, 50);
    assert_eq!(books.clients.load(Ordering::Relaxed), 0, "the hour is over");
}

#[test]
fn what_is_in_the_store_keeps_its_place_until_the_hour_ends() {
    let books = Books::new(UsageLimits { clients_a_key: 2, ..UsageLimits::default() });
    let row = |name: &str| ("pk_1".to_owned(), Some(name.to_owned()), None);
    for name in ["a", "b", "c"] {
        count(&books, "pk_1", name, "");
    }
    let (rows, _) = taken(&books, false);
    assert_eq!(rows.len(), 3);
    assert!(
        rows.contains_key(&row("c")) && rows.contains_key(&row(OTHER)),
        "the latest has a place: {rows:?}"
    );
    count(&books, "pk_1", "d", "");
    assert_eq!(taken(&books, true).0, BTreeMap::from([(row(OTHER), 1)]));
    count(&books, "pk_1", "d", "");
    assert_eq!(taken(&books, false).0, BTreeMap::from([(row("d"), 1)]));
    assert_eq!(taken(&books, false).1, 0, "nothing is taken twice");
}

#[test]
fn a_client_that_calls_itself_other_is_one_of_the_others() {
    let books = books();
    count(&books, "pk_1", OTHER, "");
    count(&books, "pk_1", "", "");
    let (rows, _) = taken(&books, true);
    assert_eq!(rows.keys().map(|(_, name, _)| name.as_deref()).collect::<Vec<_>>(), [None, Some(OTHER)]);
    assert_eq!(books.clients.load(Ordering::Relaxed), 0);
}

#[test]
fn operations_and_fields_are_bounded_too() {
    let books = Books::new(UsageLimits { operations: 3, fields: 4, ..UsageLimits::default() });
    let key_id = KeyId::new("pk_1").unwrap();
    let client = books.client(("ateliere", &key_id, None), ("web", "2"), None);
    for number in 0..10 {
        let fields = [format!("Query.f{number}"), "Query.me".to_owned()];
        books.count_operation(
            &client,
            &format!("Op{number}"),
            number == 0,
            fields.iter().map(|field| &**field),
        );
    }
    let taken = books.take(false);
    let (mut operations, mut fields) = (BTreeMap::new(), BTreeMap::new());
    for (what, counts) in taken {
        match what {
            Counted::Operation(_, name) => operations.insert(name.unwrap(), (counts.requests, counts.errors)),
            Counted::Field(caller, name) => {
                assert_eq!((caller.organization, caller.name.as_deref()), (None, Some("web")));
                fields.insert(name, (counts.requests, counts.errors))
            }
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(operations.len(), 4);
    assert_eq!((operations["Op0"], operations[OTHER]), ((1, 1), (7, 0)));
    assert_eq!((fields.len(), fields["Query.me"]), (5, (10, 1)));
    assert_eq!(books.take(false), []);
}

#[test]
fn a_request_that_outlasts_its_place_or_its_hour_is_counted_all_the_same() {
    let books = Books::new(UsageLimits { clients_a_key: 1, ..UsageLimits::default() });
    let row = |name: &str| ("pk_1".to_owned(), Some(name.to_owned()), None);
    let slow = request(&books, "pk_1", ("slow", ""));
    count(&books, "pk_1", "quick", "");
    assert_eq!(taken(&books, false).0, BTreeMap::from([(row("quick"), 1)]));
    slow.count(20_000, End::Badly);
    drop(slow);
    let counted = books.take(false);
    let [(Counted::Client(caller), counts)] = &counted[..] else { panic!("{counted:?}") };
    assert_eq!(caller.name.as_deref(), Some(OTHER));
    assert_eq!((counts.requests, counts.errors, counts.latencies[LATENCY_BOUNDS.len()]), (1, 1, 1));

    let late = request(&books, "pk_1", ("quick", ""));
    assert_eq!(taken(&books, true).1, 0);
    late.count(0, End::Denied);
    drop(late);
    assert_eq!(taken(&books, true).0, BTreeMap::from([(row("quick"), 1)]));
    assert_eq!(books.clients.load(Ordering::Relaxed), 0);
    assert!(books.shards.iter().all(|shard| lock(shard).keys.is_empty()), "nothing is left of the hour");
}
