//! What can be typed: the commands, the option they share, and the looks of the help.

use crate::{
    accounts::AccountsCommand,
    audit::AuditCommand,
    clients::ClientsCommand,
    completions::CompletionsArgs,
    doctor::DoctorArgs,
    explain::ExplainArgs,
    failure::{Exit, Failure},
    keys::KeysCommand,
    migrate::MigrateArgs,
    mock::MockArgs,
    orgs::OrgsCommand,
    output::{Format, Output},
    sign::SignArgs,
    stats::StatsArgs,
    tokens::TokensCommand,
    verify::VerifyArgs,
};
use clap::{
    Parser, Subcommand,
    builder::styling::{AnsiColor, Styles},
    error::ErrorKind,
};
use std::process::ExitCode;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  countersign orgs create acme
  countersign keys create --scheme ateliere --organization acme
  countersign sign --scheme ateliere --key-id pk_1 --body q.json \\
      --url https://api.example.com/graphql
  countersign verify --scheme ateliere --request request.http
  countersign explain --scheme ateliere --request request.http

Data goes to stdout, everything else to stderr. With `-o json` each of them
carries at most one document (`mock` goes on telling), and moments are RFC 3339 in UTC.

Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  the signature is not valid
  4  not found
  5  the key store cannot be reached";

/// Manage the keys that sign HTTP requests, sign requests, and check whether they verify
#[derive(Debug, Parser)]
#[command(name = "countersign", version, styles = STYLES, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    /// Print tables for people, or one JSON document
    #[arg(
        short,
        long,
        global = true,
        display_order = 900,
        value_enum,
        value_name = "FORMAT",
        default_value_t
    )]
    output: Format,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, each in its own file.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create, list and limit the accounts that own keys, and switch them off
    #[command(subcommand)]
    Accounts(AccountsCommand),
    /// Read who changed what
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Create, import, list, rotate and withdraw OAuth clients
    #[command(subcommand)]
    Clients(ClientsCommand),
    /// Print what a shell needs to complete commands
    Completions(CompletionsArgs),
    /// See whether database, keyring, clock and servers are well
    Doctor(DoctorArgs),
    /// Say why a request was refused, and prove it by recomputing its signature
    Explain(ExplainArgs),
    /// Create, import, rotate, switch off, revoke, list and show keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Bring the database to this version
    Migrate(MigrateArgs),
    /// Stand in for a provider, so that a client can be tested
    Mock(MockArgs),
    /// Create, list and switch off organizations, and install apps in them
    #[command(subcommand)]
    Orgs(OrgsCommand),
    /// Sign a request and print what to send
    Sign(SignArgs),
    /// See which clients call, in which versions, and who still uses what
    Stats(StatsArgs),
    /// Create, list and revoke read tokens, and look into JWTs
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Check the signature of a recorded request, exactly as a server does
    Verify(VerifyArgs),
}

/// Reads what was typed. Help and wrong usage have been printed when this fails.
pub fn parse() -> Result<(Cli, Output), ExitCode> {
    let error = match Cli::try_parse() {
        Ok(cli) => {
            let output = Output::new(cli.output);
            return Ok((cli, output));
        }
        Err(error) => error,
    };
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !asked_for && wants_json() {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let (message, _) = text.split_once("\n\n").unwrap_or((text, ""));
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        Output::new(Format::Json).fail(&Failure::usage(message, "add `--help` to see what can be typed"));
    } else {
        // If the stream is closed, there is nobody left to tell.
        let _ = error.print();
    }
    Err(if asked_for { Exit::Success } else { Exit::Usage }.into())
}

/// Whether a program asked, as far as can be told from words that make no sense together.
fn wants_json() -> bool {
    let words: Vec<_> = std::env::args().collect();
    words.iter().any(|word| matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json"))
        || words.windows(2).any(|pair| matches!(pair[0].as_str(), "-o" | "--output") && pair[1] == "json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }
}
