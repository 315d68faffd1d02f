//! What verification costs, as ratios measured in one run; `./x bench` prints them beside the goals.
//!
//! The whole server stack (hyper, axum, the layer) runs over an in-memory pipe, without the kernel, and what is counted
//! is the thread's own processor time: neighbours on the machine disturb neither. Contenders take turns in short slices,
//! in rotating order, and the median of the per-round ratios is reported. Where sockets are measured, the neighbours can
//! be seen.
//!
//! Arguments choose goals (`p1`, `worst`) or groups (`pipe`, `process`); `--json` prints one document.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up shall stop")]
#![expect(clippy::panic, reason = "as above")]

mod apps;
mod by_hand;
mod contest;
mod cores;
mod counts;
mod instructions;
mod mixed;
#[cfg(feature = "metrics")]
mod observed;
mod report;
mod requests;
mod rotation;
mod sockets;
mod stack;
mod way;
mod worst;

use report::Report;

/// What there is to choose from.
const NAMES: &[&str] =
    &["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p9", "p15", "p16", "p17", "worst", "pipe", "process"];

/// What is wanted; everything, if nothing is named.
struct Only(Vec<String>);

impl Only {
    fn wants(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, of @ ..] = &arguments[..]
        && command == "serve"
    {
        return instructions::serve(of);
    }
    let (options, names): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|it| it.starts_with("--"));
    // Cargo adds an option of its own.
    let strange = options.iter().find(|option| !["--json", "--bench"].contains(&option.as_str()));
    let strange =
        strange.or_else(|| names.iter().find(|name| !NAMES.contains(&name.to_lowercase().as_str())));
    if let Some(strange) = strange {
        eprintln!("no such goal or option: {strange}; there are --json and {}", NAMES.join(", "));
        std::process::exit(2);
    }
    let only = Only(names);
    let mut report = Report::new(options.iter().any(|option| option == "--json"));
    stack::run(&mut report, &only, 21);
    if only.wants("p6") || only.wants("p16") {
        sockets::run(&mut report, 15);
    }
    if only.wants("p7") {
        instructions::run(&mut report);
    }
    if only.wants("p9") {
        rotation::run(&mut report, 41);
    }
    if only.wants("p15") {
        mixed::run(&mut report, 5);
    }
    #[cfg(feature = "metrics")]
    if only.wants("p17") {
        observed::run(&mut report, 41);
    }
    if only.wants("worst") {
        worst::run(&mut report, 21);
    }
    report.finish();
}
