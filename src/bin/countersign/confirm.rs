//! Questions before what cannot be undone: asked where a person sits, and answered by `--yes` where none does.

use crate::failure::{Exit, Failure};
use clap::Args;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// The answer, in advance.
#[derive(Debug, Args)]
pub struct ConfirmArgs {
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

impl ConfirmArgs {
    /// Goes on only if somebody says yes.
    pub fn ask(&self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let (stdin, mut stderr) = (io::stdin(), io::stderr());
        if !(stdin.is_terminal() && stderr.is_terminal()) {
            let message = format!("nobody is there to be asked: {question}");
            return Err(Failure::usage(message, "add `--yes` if you mean it"));
        }
        let mut answer = String::new();
        let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stdin.lock().read_line(&mut answer));
        match asked {
            Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
            _ => Err(Failure::new(
                Exit::Failure,
                "not_confirmed",
                "nothing was changed",
                "answer `y` to do it",
            )),
        }
    }
}
