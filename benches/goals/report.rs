//! Tables for people.

use crate::contest::Outcome;

/// A goal and what was measured.
pub struct Goal {
    name: &'static str,
    title: String,
    limit: f64,
    measured: f64,
    by_hand: f64,
}

impl Goal {
    pub fn new(name: &'static str, title: &str, limit: f64, measured: f64, by_hand: f64) -> Self {
        Self { name, title: title.to_owned(), limit, measured, by_hand }
    }
}

/// Prints the times of one comparison.
pub fn print_table(title: &str, outcome: &Outcome) {
    println!("\n{title}");
    for (row, name) in outcome.names.iter().enumerate() {
        println!("  {name:<26} {:>12.0} ns  {:>7.3} x bare", outcome.nanoseconds(row), outcome.ratio(row, 0));
    }
}

/// Prints every goal beside its measurement.
pub fn print_goals(goals: &[Goal]) {
    println!("\n{:<5}{:<62}{:>7}{:>10}{:>10}", "goal", "", "limit", "measured", "by hand");
    for goal in goals {
        let mark = if goal.measured <= goal.limit { "" } else { "  missed" };
        let Goal { name, title, limit, measured, by_hand } = goal;
        println!("{name:<5}{title:<62}{limit:>7.2}{measured:>10.2}{by_hand:>10.2}{mark}");
    }
}
