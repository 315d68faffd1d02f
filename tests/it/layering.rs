//! Imports point downwards only, and every file opens by saying what it is for.
//!
//! The import table stands in `ARCHITECTURE.md` and is read from there. The check reads the tokens of a file, so that
//! `crate::a::b` in the middle of an expression counts like a `use`, and comments and texts do not. Unit tests at the
//! end of a file are left out: they may build whatever they need.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a room must not name, although the table lets it import from there or it is another crate's.
const ABSENT: &[(&str, &[&str])] = &[
    ("scheme", &["axum", "sqlx", "tokio", "tower_layer", "tower_service"]),
    ("store", &["axum", "http", "http_body", "tower_layer", "tower_service"]),
    (
        "verify",
        &[
            "axum",
            "sqlx",
            "crate::scheme::Ateliere",
            "crate::scheme::Corezoid",
            "crate::scheme::CorezoidCallback",
            "crate::scheme::SalesCloud",
            "crate::scheme::SalesCloudWebhook",
            "crate::store::KeyAdmin",
            "crate::store::MemoryKeyStore",
            "crate::store::PostgresKeyStore",
            "crate::store::SqliteKeyStore",
        ],
    ),
];

/// A room and those that it may import.
type Row = (String, Vec<String>);

#[test]
fn imports_point_downwards() {
    let src = root().join("src");
    let table = table();
    let mut found = Vec::new();
    for file in rust_files(&src) {
        let text = fs::read_to_string(&file).unwrap();
        let inside = file.strip_prefix(&src).unwrap();
        found.extend(violations(&table, inside, &text));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = ["src", "tests", "examples", "benches"]
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)))
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "without a first line of `//!`: {silent:#?}");
}

#[test]
fn other_targets_use_the_public_api() {
    let reaching: Vec<_> = ["src/bin", "tests", "examples", "benches"]
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)))
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            text.lines().any(|line| line.starts_with("#[path") && line.contains("src/"))
        })
        .collect();
    assert!(reaching.is_empty(), "compile the library's files once more: {reaching:#?}");
}

#[test]
fn an_upward_import_is_found_however_it_is_written() {
    let table = table();
    let refused = |file: &str, text: &str| !violations(&table, Path::new(file), text).is_empty();
    for upward in [
        "use crate::middleware::VerifyLayer;",
        "use crate::{error::VerifyError, middleware::{self, VerifyLayer}};",
        "fn f() { let _ = crate::middleware::layer(); }",
        "use super::super::middleware::VerifyLayer;",
        "use crate::VerifyLayer;",
        "use tokio::sync::Mutex;",
    ] {
        assert!(refused("scheme/corezoid.rs", upward), "{upward}");
    }
    for fine in [
        "use crate::{error::VerifyError as Refusal, signature::{Signature, SignatureBase}};",
        "use super::{Scheme, routes::Routes};",
        "// use crate::store::Record;\n/* crate::store::Record */ const T: &str = \"crate::store::Record\";",
        "const C: char = '\"'; pub(crate) fn f<'a>(_: &'a str) {}",
        "#[cfg(test)]\nmod tests {\n    use crate::store::MemoryKeyStore;\n}",
    ] {
        assert!(!refused("scheme/corezoid.rs", fine), "{fine}");
    }
    assert!(refused("verify/signature.rs", "use crate::store::{KeyStore, MemoryKeyStore};"));
    assert!(!refused("verify/signature.rs", "use crate::store::{KeyStore, Lookup};"));
    assert!(refused("clock.rs", "use super::secret::Secret;"));
    assert!(refused("attic/mod.rs", ""), "a room without a row");
}

/// The import table: rows like "| `message` | `error` |".
fn table() -> Vec<Row> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows: Vec<Row> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut names = line.split('`').skip(1).step_by(2).map(str::to_owned);
            (names.next().unwrap(), names.collect())
        })
        .collect();
    assert!(rows.len() > 5, "the table in ARCHITECTURE.md is gone");
    rows
}

/// What `text`, which stands at `file` below `src/`, imports and must not.
fn violations(table: &[Row], file: &Path, text: &str) -> Vec<String> {
    let place = module(file);
    let Some(room) = place.first().filter(|room| *room != "bin") else { return Vec::new() };
    let Some((_, allowed)) = table.iter().find(|row| row.0 == *room) else {
        return vec![format!("{}: `{room}` has no row in ARCHITECTURE.md", file.display())];
    };
    let absent = ABSENT.iter().find(|row| row.0 == room).map_or(&[][..], |row| row.1);
    let wrong = |path: &Vec<String>| {
        let inside = path[0] == "crate";
        let upward = inside && path[1] != *room && !allowed.contains(&path[1]);
        let named = path.join("::");
        upward || absent.iter().any(|it| named == *it || named.starts_with(&format!("{it}::")))
    };
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    paths(&tokens(code))
        .into_iter()
        .filter_map(|path| absolute(&place, path))
        .filter(wrong)
        .map(|path| format!("{}: `{room}` must not use `{}`", file.display(), path.join("::")))
        .collect()
}

/// The module that a file below `src/` is; the crate root for `lib.rs`.
fn module(file: &Path) -> Vec<String> {
    let mut place: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if place.last().is_some_and(|last| last == "mod" || last == "lib") {
        place.pop();
    }
    place
}

/// The path from the crate's root or another crate; `None` for paths that stay where they are.
fn absolute(place: &[String], path: Vec<String>) -> Option<Vec<String>> {
    let up = path.iter().take_while(|part| *part == "super").count();
    let path = match path[0].as_str() {
        "super" => {
            let base = &place[..place.len().checked_sub(up)?];
            ["crate".to_owned()]
                .into_iter()
                .chain(base.iter().cloned())
                .chain(path[up..].iter().cloned())
                .collect()
        }
        "self" | "Self" => return None,
        _ => path,
    };
    (path.len() > 1).then_some(path)
}

/// Every path in the code, groups spelled out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let follows = at > 0 && matches!(tokens[at - 1].as_str(), "::" | ".");
        if is_name(&tokens[at]) && !follows && tokens.get(at + 1).is_some_and(|next| next == "::") {
            at = path(tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path from `at` on and says where it ends.
fn path(tokens: &[String], mut at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = base.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    at = match tokens[at].as_str() {
                        "as" => at + 2,
                        name if is_name(name) => self::path(tokens, at, &path, found),
                        _ => at + 1,
                    };
                }
                return at + 1;
            }
            Some(name) if is_name(name) => path.push(name.to_owned()),
            _ => break,
        }
        if tokens.get(at + 1).is_none_or(|next| next != "::") {
            at += 1;
            break;
        }
        at += 2;
    }
    found.push(path);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single signs; without comments, texts and characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(end) = raw_text(rest).or_else(|| quoted(rest)) {
            end
        } else if name > 0 {
            tokens.push(rest[..name].to_owned());
            name
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    tokens
}

/// The length of `r"…"`, `r#"…"#`, `br"…"`, if one begins here.
fn raw_text(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    let start = rest.len() - inner.len() + hashes + 1;
    inner[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(rest[start..].find(&close).map_or(rest.len(), |end| start + end + close.len()))
}

/// The length of `"…"` or `'c'`, if one begins here; a lifetime is none.
fn quoted(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return Some(at + 1);
        }
        let lifetime = quote == '\'' && at == 1 && c != '\\' && !rest[at + c.len_utf8()..].starts_with('\'');
        if lifetime {
            return None;
        }
        escaped = c == '\\' && !escaped;
    }
    Some(rest.len())
}

/// Every `.rs` file below `folder`; none if there is no such folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
