//! Reads a table of cases: `tests/vectors/README.md` says how one is written.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

/// Everything that may stand above a request.
const SETTINGS: [&str; 15] = [
    "application",
    "authority",
    "base",
    "body",
    "clock",
    "guard",
    "hides",
    "http1",
    "http2",
    "organization",
    "secret",
    "slug",
    "then",
    "time",
    "url",
];

/// A request, what is signed in it, and what must become of it. All text is as it stands in the table.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    settings: HashMap<String, String>,
    /// What `{EACH}` stands for.
    each: String,
    head: String,
    body: String,
}

impl Case {
    /// A setting as it is written, `None` if the case leaves it out.
    pub(super) fn setting(&self, name: &str) -> Option<String> {
        assert!(SETTINGS.contains(&name), "{name}");
        self.settings.get(name).map(|value| value.replace("{EACH}", &self.each))
    }

    /// The head with this case's own value in place.
    pub(super) fn head(&self) -> String {
        self.head.replace("{EACH}", &self.each)
    }

    /// The body likewise.
    pub(super) fn body(&self) -> String {
        self.body.replace("{EACH}", &self.each)
    }
}

/// The names of all tables.
pub(super) fn topics() -> Vec<String> {
    let mut topics: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".txt").unwrap().to_owned())
        .collect();
    topics.sort();
    topics
}

/// The cases of a table, in order.
pub(super) fn read(topic: &str) -> Vec<Case> {
    let text = fs::read_to_string(folder().join(topic).with_extension("txt")).unwrap();
    let mut blocks = text.split("\n=== ");
    assert!(blocks.next().unwrap().lines().all(|line| line.is_empty() || line.starts_with('#')), "{topic}");
    let cases: Vec<_> = blocks.flat_map(block).collect();
    let names: HashSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "{topic}: two cases of one name");
    cases
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bad-input")
}

/// One request of a table: one case, or one for each value of its list.
fn block(text: &str) -> Vec<Case> {
    let (about, request) = text.split_once("\n---\n").unwrap_or_else(|| panic!("no request: {text}"));
    let (head, body) = request.trim_end_matches('\n').split_once("\n\n").unwrap_or((request, ""));
    let (mut settings, mut values) = (HashMap::new(), Vec::new());
    let mut lines = about.lines();
    let title = lines.next().unwrap();
    for line in lines {
        if let Some(value) = line.strip_prefix("  ") {
            values.push(value.split_once(" |").unwrap_or_else(|| panic!("{title}: {line}")));
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{title}: {line}"));
        assert!(SETTINGS.contains(&name) || line == "each:", "{title}: {line}");
        assert!(settings.insert(name.to_owned(), value.trim().to_owned()).is_none(), "{title}: {line}");
    }
    // A list of values is written where it is used, and used where it is written.
    assert_eq!(text.contains("{EACH}"), !values.is_empty(), "{title}");
    let case = |name: String, each: &str| Case {
        name,
        settings: settings.clone(),
        each: each.trim().to_owned(),
        head: head.trim_end_matches('\n').to_owned(),
        body: body.to_owned(),
    };
    match values.is_empty() {
        true => vec![case(title.to_owned(), "")],
        false => values.iter().map(|(name, each)| case(format!("{title}: {}", name.trim()), each)).collect(),
    }
}
