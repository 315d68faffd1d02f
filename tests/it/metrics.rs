//! What is measured: a scrape of the server, the table in the docs, the dashboard and the alert rules say the same.

use crate::support::server::Server;
use countersign::{
    Outcome,
    metrics::{Kind, METRICS, Metric},
};
use prometheus_parse::{Sample, Scrape, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// How long the server may take until everything was measured once.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name that Prometheus gives a metric.
fn exposed(metric: &Metric) -> String {
    let unit = match metric.unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    let suffix = if metric.kind == Kind::Counter { "_total" } else { "" };
    format!("{}{unit}{suffix}", metric.name.replace('.', "_"))
}

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn scrape(server: &Server) -> (String, Scrape) {
    let text = server.shell(&format!("curl --silent --fail {}/metrics", server.operators()));
    let parsed = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    (text, parsed)
}

fn labels(sample: &Sample) -> BTreeSet<String> {
    sample.labels.keys().cloned().collect()
}

#[test]
fn a_scrape_shows_every_metric_with_its_labels_and_buckets_and_nothing_else() {
    let server = Server::start(&["--usage-interval", "1"]);
    for line in server.printed.lines().filter(|line| line.contains("curl")) {
        server.shell(line);
    }
    server.shell(&format!("curl --silent -X POST {}/graphql", server.url));
    let wanted: BTreeMap<_, _> = METRICS.iter().map(|metric| (exposed(metric), metric)).collect();
    let start = Instant::now();
    // What is measured beside the requests comes when it comes.
    let (text, scrape) = loop {
        let (text, scrape) = scrape(&server);
        let seen = |name: &String| scrape.samples.iter().any(|sample| sample.metric == *name);
        if wanted.keys().all(seen) {
            break (text, scrape);
        }
        let missing: Vec<_> = wanted.keys().filter(|name| !seen(name)).collect();
        assert!(start.elapsed() < PATIENCE, "missing: {missing:?}\n{text}");
    };
    for sample in &scrape.samples {
        let name = sample.metric.trim_end_matches("_sum").trim_end_matches("_count");
        let Some(metric) = wanted.get(name) else {
            panic!("{} is in no table", sample.metric);
        };
        assert_eq!(labels(sample), metric.labels.iter().map(|&label| label.to_owned()).collect(), "{name}");
        match (&sample.value, metric.kind) {
            (Value::Histogram(buckets), Kind::Histogram) => {
                let bounds: Vec<_> = buckets.iter().map(|bucket| bucket.less_than).collect();
                let expected: Vec<_> = metric.buckets.iter().copied().chain([f64::INFINITY]).collect();
                assert_eq!(bounds, expected, "{name}");
            }
            // The parser has no type for these lines of a histogram.
            (Value::Untyped(_), Kind::Histogram) => assert_ne!(name, sample.metric),
            (Value::Counter(_), Kind::Counter) | (Value::Gauge(_), Kind::Gauge) => {}
            (value, kind) => panic!("{name} is a {kind:?}, and not {value:?}"),
        }
        if let Some(outcome) = sample.labels.get("outcome") {
            assert!(Outcome::parse(outcome).is_some(), "{outcome}");
        }
    }
    let value = |name: &str, label: &str, of: &str| {
        let found = scrape.samples.iter().find(|it| it.metric == name && it.labels.get(label) == Some(of));
        found.map(|it| it.value.clone()).unwrap_or_else(|| panic!("no {name} of {label} {of}\n{text}"))
    };
    for scheme in ["ateliere", "salescloud", "salescloud-read-token", "corezoid", "ayyeka"] {
        assert_eq!(
            value("countersign_verifications_total", "scheme", scheme),
            Value::Counter(1.0),
            "{scheme}"
        );
    }
    assert_eq!(value("countersign_verifications_total", "outcome", "missing"), Value::Counter(1.0));
    assert_eq!(value("countersign_keys", "state", "active"), Value::Gauge(1.0));
    let connected = scrape.samples.iter().find(|sample| sample.metric == "countersign_listener_connected");
    assert_eq!(connected.unwrap().value, Value::Gauge(1.0));
}

#[test]
fn the_docs_have_the_table_of_the_program() {
    let docs = file("docs/metrics.md");
    let rows: Vec<Vec<&str>> = docs
        .lines()
        .filter(|line| line.starts_with("| `countersign."))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    assert_eq!(rows.len(), METRICS.len());
    for (row, metric) in rows.iter().zip(METRICS) {
        let [name, exposed_as, kind, unit, labels, buckets, about] = row[..] else { panic!("{row:?}") };
        assert_eq!((name, exposed_as), (metric.name, &*exposed(metric)));
        assert_eq!((kind, unit), (&*format!("{:?}", metric.kind).to_lowercase(), metric.unit), "{name}");
        let told: Vec<_> = labels.split(", ").map(|label| label.trim_matches('`')).collect();
        assert_eq!(told, if metric.labels.is_empty() { vec!["–"] } else { metric.labels.to_vec() }, "{name}");
        assert!(about.len() > 10, "{name}");
        if buckets == "–" {
            assert!(metric.buckets.is_empty(), "{name}");
            continue;
        }
        let start = format!("* {buckets}: ");
        let list = docs.lines().find_map(|line| line.strip_prefix(&*start)).unwrap();
        let list = list.split_once(". ").map_or(list, |(list, _)| list).trim_end_matches('.');
        let bounds: Vec<f64> = list.split(", ").map(|bound| bound.parse().unwrap()).collect();
        assert_eq!(bounds, metric.buckets, "{name}");
    }
}

/// Every metric that a text names, without what Prometheus adds for the parts of a histogram.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("countersign_"))
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect()
}

#[test]
fn the_dashboard_and_the_alert_rules_name_metrics_that_there_are() {
    let there: BTreeSet<_> = METRICS.iter().map(exposed).collect();
    let dashboard: serde_json::Value = serde_json::from_str(&file("ops/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut shown = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let names = named(target["expr"].as_str().unwrap());
            assert!(!names.is_empty(), "{target}");
            shown.extend(names);
        }
    }
    let unknown: Vec<_> = shown.difference(&there).collect();
    assert!(panels.len() >= 10 && unknown.is_empty(), "{unknown:?}");

    // That the rules are rules, `./x ops` has promtool say.
    let rules = file("ops/prometheus-alerts.yml");
    let alerts: BTreeSet<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let count = |key: &str| rules.lines().filter(|line| line.trim_start().starts_with(key)).count();
    assert_eq!((alerts.len(), count("expr:"), count("summary:")), (10, 10, 10));
    let watched =
        named(&rules.lines().filter(|line| !line.contains("alert:")).collect::<Vec<_>>().join("\n"));
    let unknown: Vec<_> = watched.difference(&there).collect();
    assert!(unknown.is_empty() && watched.len() >= 4, "{unknown:?}");
    for outcome in rules.split("outcome=\"").skip(1).filter_map(|rest| rest.split_once('"')) {
        assert!(Outcome::parse(outcome.0).is_some(), "{}", outcome.0);
    }
}
