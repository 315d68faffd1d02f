//! P7: instructions a request, counted by valgrind. They are the same on every machine, and on every run but for some
//! dozen: where hash maps put their keys is chosen anew each time. What a compiler makes of the same source differs more,
//! by hundreds for another version, or another folder.
//!
//! This program runs itself under valgrind with two numbers of requests; the difference leaves out what starting costs.
//! Valgrind knows no SHA instructions, so the hash is done in software there: what its blocks cost is counted too, and
//! taken off.

use super::{
    apps::Contender,
    report::{Goal, Report},
    requests::{Body, Scheme},
    way::Way,
};
use std::{process::Command, thread};

/// Instructions a request over those of the bare handler, without the hash.
const GOAL: f64 = 3000.0;
/// The two numbers of requests.
const FEW: u32 = 50;
const MANY: u32 = 250;
const BLOCK: usize = 64;
/// What SHA-1 and SHA-256 append at least: a bit and the length.
const PADDING: usize = 9;
/// The C library copies with the widest registers that the processor has. Here it uses those that all have.
const PLAIN_COPIES: &str =
    "glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,-SSSE3";

pub fn run(report: &mut Report) {
    for scheme in [Scheme::SalesCloud, Scheme::Corezoid] {
        let [empty, full] = [Body(0), Body(1 << 10)];
        let raw = |body| counted(Contender::Raw, scheme, body);
        let block = (raw(full) - raw(empty)) / (blocks(scheme, full) - blocks(scheme, empty));
        for body in [empty, full] {
            let bare = counted(Contender::Bare, scheme, body);
            let over = |contender| counted(contender, scheme, body) - bare - blocks(scheme, body) * block;
            let goal = format!("{scheme}, {body}: instructions over bare, without the hash");
            let goal = Goal::at_most("P7", goal, GOAL, over(Contender::Around));
            report.goal(goal.by_hand(over(Contender::ByHand)));
        }
    }
}

/// Blocks that are hashed for a request.
fn blocks(scheme: Scheme, body: Body) -> f64 {
    let inner = (scheme.base(body).len() + PADDING).div_ceil(BLOCK);
    // The outer hash of an HMAC; that its keys have been taken in before.
    let outer = usize::from(scheme != Scheme::Corezoid);
    (inner + outer) as f64
}

/// Instructions a request.
fn counted(contender: Contender, scheme: Scheme, body: Body) -> f64 {
    let (few, many) = thread::scope(|scope| {
        let few = scope.spawn(|| total(contender, scheme, body, FEW));
        let many = total(contender, scheme, body, MANY);
        (few.join().unwrap(), many)
    });
    (many - few) / f64::from(MANY - FEW)
}

/// Instructions of this whole program, doing nothing but these requests.
fn total(contender: Contender, scheme: Scheme, body: Body, requests: u32) -> f64 {
    let mut valgrind = Command::new("valgrind");
    valgrind.env("GLIBC_TUNABLES", PLAIN_COPIES);
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    valgrind.arg(std::env::current_exe().unwrap()).arg("serve");
    valgrind.args([contender.title(), scheme.name(), &body.0.to_string(), &requests.to_string()]);
    let output = valgrind.output().unwrap_or_else(|error| panic!("valgrind, which ./x installs: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{valgrind:?}: {told}");
    let line = told.lines().find(|line| line.contains("refs:")).unwrap_or_else(|| panic!("{told}"));
    line.rsplit("refs:").next().unwrap().trim().replace(',', "").parse().unwrap()
}

/// What this program does when it is run by valgrind.
pub fn serve(arguments: &[String]) {
    let [contender, scheme, body, requests] = arguments else { panic!("serve what? {arguments:?}") };
    let contender = Contender::ALL.into_iter().find(|it| it.title() == contender).unwrap();
    let scheme = Scheme::ALL.into_iter().find(|it| it.name() == scheme).unwrap();
    contender.work(Way::Pipe, scheme, Body(body.parse().unwrap()))(requests.parse().unwrap());
}
