//! What is printed: data on stdout, as tables for people or one JSON document for programs; talk on stderr.

use crate::failure::{Exit, Failure};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    io::{self, ErrorKind, IsTerminal as _, Write},
};

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Tables and sentences.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// Something that is listed: a row for people, an object for programs.
pub trait Row: Serialize {
    /// The titles of the columns.
    const TITLES: &'static [&'static str];

    /// The cells, in the order of the titles.
    fn cells(&self) -> Vec<String>;
}

/// The two streams. Notes wait for the end in JSON, so that a failing program writes one document to stderr.
#[derive(Debug)]
pub struct Output {
    format: Format,
    notes: RefCell<Vec<String>>,
}

impl Output {
    /// Prints in `format`.
    pub const fn new(format: Format) -> Self {
        Self { format, notes: RefCell::new(Vec::new()) }
    }

    /// Whether a program reads what is printed.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Says something beside the data.
    pub fn note(&self, text: impl AsRef<str>) {
        self.say(format!("note: {}", text.as_ref()));
    }

    /// Says something that should not stay so.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.say(format!("warning: {}", text.as_ref()));
    }

    /// Says what to do next, behind data that is not what was hoped for.
    pub fn hint(&self, text: impl AsRef<str>) {
        self.say(format!("hint: {}", text.as_ref()));
    }

    fn say(&self, line: String) {
        match self.format {
            Format::Human => tell(&line),
            Format::Json => self.notes.borrow_mut().push(line),
        }
    }

    /// Says how far a long command has come, to a person who is waiting.
    pub fn progress(&self, text: impl AsRef<str>) {
        if !self.is_json() && io::stderr().is_terminal() {
            tell(text.as_ref());
        }
    }

    /// Says what was done. Programs read it from the document.
    pub fn say_plainly(&self, text: impl AsRef<str>) {
        if !self.is_json() {
            tell(text.as_ref());
        }
    }

    /// Tells of something that happened while a command goes on: a line for people, a document a line for programs.
    pub fn event(&self, line: impl AsRef<str>, document: &impl Serialize) -> Result<(), Failure> {
        let text = match self.format {
            Format::Human => line.as_ref().replace('\n', " "),
            Format::Json => serde_json::to_string(document)
                .map_err(|error| internal("the event cannot be written as JSON").because(&error))?,
        };
        tell(&text);
        Ok(())
    }

    /// Ends a command that changed something: a sentence for people, what it is now for programs.
    pub fn done(&self, sentence: impl AsRef<str>, document: &impl Serialize) -> Result<(), Failure> {
        if self.is_json() {
            return self.document(document);
        }
        tell(sentence.as_ref());
        Ok(())
    }

    /// Prints a list.
    pub fn list<R: Row>(&self, rows: &[R], when_empty: &str) -> Result<(), Failure> {
        self.page(rows, None, when_empty)
    }

    /// Prints a part of a list, and where the next one begins.
    pub fn page<R: Row>(&self, rows: &[R], next: Option<i64>, when_empty: &str) -> Result<(), Failure> {
        if self.is_json() {
            return self.document(&json!({ "items": rows, "next": next }));
        }
        if rows.is_empty() {
            tell(when_empty);
            return Ok(());
        }
        let titles = R::TITLES.iter().map(|title| title.to_uppercase()).collect();
        let lines: Vec<_> = std::iter::once(titles).chain(rows.iter().map(Row::cells)).collect();
        self.print(columns(&lines).as_bytes())
    }

    /// Prints one thing: the fields for people, the document for programs.
    pub fn record(&self, fields: &[(&str, String)], document: &impl Serialize) -> Result<(), Failure> {
        match self.format {
            Format::Human => self.print(aligned(fields).as_bytes()),
            Format::Json => self.document(document),
        }
    }

    /// Prints a JSON document and a line end.
    pub fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(document)
            .map_err(|error| internal("the answer cannot be written as JSON").because(&error))?;
        text.push(b'\n');
        self.print(&text)
    }

    /// Prints bytes. A reader that has gone away, as `head` does, wants no more and gets no error.
    pub fn print(&self, bytes: &[u8]) -> Result<(), Failure> {
        match write(bytes) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(internal("stdout cannot be written").because(&error))
            }
            _ => Ok(()),
        }
    }

    /// Prints what is never printed again, and takes no excuse.
    pub fn print_once(&self, bytes: &[u8]) -> io::Result<()> {
        write(bytes)
    }

    /// Says the notes that waited.
    pub fn finish(&self) {
        self.notes.borrow().iter().for_each(|line| tell(line));
    }

    /// Says why the program failed: the last thing on stderr, and in JSON the only one.
    pub fn fail(&self, failure: &Failure) {
        let message = failure.message.replace('\n', " ");
        match self.format {
            Format::Human => {
                tell(&format!("error: {message}"));
                tell(&format!("hint: {}", failure.hint));
            }
            Format::Json => {
                let error = json!({ "code": failure.code, "message": message, "hint": failure.hint });
                let mut document = json!({ "error": error });
                let notes = self.notes.borrow();
                if !notes.is_empty() {
                    document["notes"] = Value::from(notes.clone());
                }
                tell(&document.to_string());
            }
        }
    }
}

fn internal(message: &str) -> Failure {
    Failure::new(Exit::Failure, "io", message, "check where the output goes, then run the command again")
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Writes a line to stderr. If that is closed, there is nobody left to tell.
fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(line));
}

/// Text from strangers, safe to print: control characters, which a terminal would obey, are spelled out.
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => visible.push(character),
            control if control.is_control() => visible.extend(control.escape_default()),
            other => visible.push(other),
        }
    }
    visible
}

/// Lines of cells, each column as wide as its widest cell.
fn columns(lines: &[Vec<String>]) -> String {
    let count = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..count).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        text.push_str(visible(&cells.collect::<Vec<_>>().join("  ")).trim_end());
        text.push('\n');
    }
    text
}

/// A line a field, names to the left.
fn aligned(fields: &[(&str, String)]) -> String {
    let lines: Vec<_> = fields.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    columns(&lines)
}

/// A cell for something that may be absent.
pub fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}
