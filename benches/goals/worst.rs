//! The dearest request that a stranger can send: an Ateliere request whose signature is wrong, to a target with as many
//! spellings as there can be, so that each is computed.

use super::{
    apps::{around, bare, raw},
    contest::Contest,
    report::{Goal, Report},
    requests::{Body, Scheme, Signed},
    way::Way,
};

pub fn run(report: &mut Report, rounds: usize) {
    let scheme = Scheme::Ateliere;
    for body in [Body(1 << 10), Body(64 << 10), Body(1 << 20)] {
        let mut contest = Contest::default();
        let drive = |signed| Way::Pipe.drive(around(scheme), scheme, body, signed);
        let bare = contest.add("bare handler", Way::Pipe.drive(bare(), scheme, body, Signed::Rightly));
        contest.add("raw MAC of the base", raw(scheme, scheme.base(body)));
        let right = contest.add("accepted", drive(Signed::Rightly));
        let wrong = contest.add("wrong signature", drive(Signed::WithAnotherSecret));
        contest.add("unknown key", drive(Signed::WithAnUnknownKey));
        let outcome = contest.run(rounds);
        report.table(format!("Worst refusal, {scheme}, {body}, over a pipe"), "ns", &outcome, &[]);
        let over = |row| outcome.ratio(row, bare) - 1.0;
        let title = format!("{body}: time for other spellings / for the first");
        report.goal(Goal::at_most("worst", title, 4.0, over(wrong) / over(right) - 1.0));
    }
}
