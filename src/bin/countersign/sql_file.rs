//! Numbered SQL files, and the little SQL that is written into them: the same for every engine.

use crate::failure::{Exit, Failure};
use clap::{Args, ValueEnum};
use countersign::credential::KeyId;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// What is made instead of a change in the database.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Form {
    /// A numbered SQL migration, for `countersign migrate --dir`
    Sql,
}

/// Where a migration is written.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "As a migration")]
pub struct FolderArgs {
    /// The folder of the migrations; the new file gets the next number
    #[arg(long, value_name = "DIR", default_value = "migrations", requires = "form")]
    dir: PathBuf,
}

impl FolderArgs {
    /// Writes a new file with the next number: what is to be known first, and the statements.
    pub fn write(
        &self,
        about: &str,
        id: &KeyId,
        note: &str,
        statements: &[String],
    ) -> Result<PathBuf, Failure> {
        let mut text = format!("-- {note}\n");
        for statement in statements {
            text = format!("{text}\n{statement};\n");
        }
        let written =
            next_file(&self.dir, about, id).and_then(|path| write_new(&path, text.as_bytes()).map(|()| path));
        written.map_err(|error| {
            let message = format!("the migration cannot be written in {}", self.dir.display());
            let hint = "name a folder that you may write to: `--dir`";
            Failure::new(Exit::Failure, "io", message, hint).because(&error)
        })
    }
}

/// The path of the next migration: one more than the highest number, and what it is about.
fn next_file(folder: &Path, about: &str, id: &KeyId) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut highest = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.split_once('_')?.0.parse::<u64>().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let id: String = id.as_str().chars().map(plain).take(40).collect();
    Ok(folder.join(format!("{:04}_{about}_{id}.sql", highest + 1)))
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Inserts a row. Columns without a value are left out.
pub fn insert(table: &str, columns: &[(&str, Option<String>)]) -> String {
    let given = || columns.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let names: Vec<_> = given().map(|(name, _)| name).collect();
    let values: Vec<_> = given().map(|(_, value)| value).collect();
    format!("INSERT INTO {table} ({})\nVALUES ({})", names.join(", "), values.join(", "))
}

/// Text as it stands in SQL.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A moment as it stands in SQL.
pub fn seconds(moment: SystemTime) -> String {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
}
