//! P9: two live secrets against one. What is timed is the hashing of a verification: begin with every live secret, take
//! the body in turns as the middleware does, compare. One hash after the other would be 2.

use super::{
    contest::{Contest, Work},
    report::{Goal, Report},
    requests::{Body, SECRET, Scheme},
};
use countersign::{
    secret::Secret,
    signature::{Computation, MacKey, SignatureBase},
};

/// Bytes that the middleware hashes in one turn, of all secrets together.
const TURN: usize = 16 << 10;

pub fn run(report: &mut Report, rounds: usize) {
    for scheme in [Scheme::SalesCloud, Scheme::Corezoid] {
        for (body, limit) in [(Body(1 << 10), 1.65), (Body(16 << 10), 1.5), (Body(64 << 10), 1.5)] {
            let mut contest = Contest::default();
            let one = contest.add("one secret", hashing(scheme, body, 1));
            let two = contest.add("two secrets", hashing(scheme, body, 2));
            let outcome = contest.run(rounds);
            let algorithm = scheme.algorithm().as_str();
            report.table(format!("Rotation, {algorithm}, {body}"), "ns", &outcome, &[]);
            let title = format!("{algorithm}, {body}: two live secrets / one");
            report.goal(Goal::at_most("P9", title, limit, outcome.ratio(two, one)));
        }
    }
}

fn hashing(scheme: Scheme, body: Body, secrets: usize) -> Work {
    let secret = |n: usize| Secret::new(format!("{SECRET}{n}")).unwrap();
    let keys: Vec<MacKey> = (0..secrets).map(|n| MacKey::new(scheme.algorithm(), &secret(n))).collect();
    let base = SignatureBase::default();
    let base = match scheme {
        Scheme::Corezoid => base.bytes("1700000000").secret().body().secret(),
        _ => base.bytes("application:public key:organization:").body(),
    };
    let bases = [base];
    let body = body.bytes();
    let mut signing = Computation::begin(&bases, keys.iter().rev());
    signing.update(&body);
    let signature = signing.sign().unwrap();
    Box::new(move |count| {
        for _ in 0..count {
            let mut computation = Computation::begin(&bases, keys.iter());
            body.chunks(TURN / secrets).for_each(|piece| computation.update(piece));
            assert_eq!(computation.matches(&signature).unwrap().key, secrets - 1);
        }
    })
}
