//! The command line for keys, and for signing requests and finding out whether they verify.

#![expect(unreachable_pub, reason = "a program exports nothing: here `pub` means for the other files")]

mod accounts;
mod audit;
mod cli;
mod clients;
mod completions;
mod config;
mod confirm;
mod database;
mod doctor;
mod explain;
mod failure;
mod judge;
mod kept;
mod keys;
mod migrate;
mod mock;
mod orgs;
mod output;
mod permissions;
mod probe;
mod schemes;
mod secret_input;
mod sign;
mod sql_file;
mod stats;
mod times;
mod tokens;
mod verify;
mod wait;
mod wire;

use cli::{Cli, Command};
use failure::{Exit, Failure};
use output::Output;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (cli, output) = match cli::parse() {
        Ok(parsed) => parsed,
        Err(exit) => return exit,
    };
    let exit = match run(cli, &output).await {
        Ok(exit) => {
            output.finish();
            exit
        }
        Err(failure) => {
            output.fail(&failure);
            failure.exit
        }
    };
    exit.into()
}

async fn run(cli: Cli, output: &Output) -> Result<Exit, Failure> {
    match cli.command {
        Command::Accounts(command) => accounts::run(command, output).await?,
        Command::Audit(command) => audit::run(command, output).await?,
        Command::Clients(command) => clients::run(command, output).await?,
        Command::Completions(args) => completions::run(&args, output)?,
        Command::Doctor(args) => doctor::run(args, output).await?,
        Command::Explain(args) => return explain::run(args, output).await,
        Command::Keys(command) => keys::run(command, output).await?,
        Command::Migrate(args) => migrate::run(args, output).await?,
        Command::Mock(args) => mock::run(args, output).await?,
        Command::Orgs(command) => orgs::run(command, output).await?,
        Command::Sign(args) => sign::run(args, output).await?,
        Command::Stats(args) => stats::run(args, output).await?,
        Command::Tokens(command) => tokens::run(command, output).await?,
        Command::Verify(args) => return verify::run(args, output).await,
    }
    Ok(Exit::Success)
}
