//! What was measured, for people or as one JSON document.

use super::{contest::Outcome, counts::Count};
use serde::Serialize;

/// Everything that was measured. Tables are printed as they come, unless a document is wanted.
#[derive(Serialize)]
pub struct Report {
    #[serde(skip)]
    json: bool,
    goals: Vec<Goal>,
    tables: Vec<Table>,
}

/// A goal and what was measured.
#[derive(Serialize)]
pub struct Goal {
    goal: &'static str,
    what: String,
    /// `at most` or `at least`.
    bound: &'static str,
    limit: f64,
    measured: f64,
    /// The same of the hand-written middleware.
    by_hand: Option<f64>,
    met: bool,
}

#[derive(Serialize)]
struct Table {
    title: String,
    unit: &'static str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    median: f64,
    /// Median of the rounds' ratios to the first row.
    ratio: f64,
    allocations: Option<u64>,
    allocated_bytes: Option<u64>,
}

impl Goal {
    pub fn at_most(goal: &'static str, what: impl Into<String>, limit: f64, measured: f64) -> Self {
        let met = measured <= limit;
        Self { goal, what: what.into(), bound: "at most", limit, measured, by_hand: None, met }
    }

    pub fn at_least(goal: &'static str, what: impl Into<String>, limit: f64, measured: f64) -> Self {
        let met = measured >= limit;
        Self { goal, what: what.into(), bound: "at least", limit, measured, by_hand: None, met }
    }

    pub const fn by_hand(mut self, measured: f64) -> Self {
        self.by_hand = Some(measured);
        self
    }
}

impl Report {
    pub const fn new(json: bool) -> Self {
        Self { json, goals: Vec::new(), tables: Vec::new() }
    }

    pub fn goal(&mut self, goal: Goal) {
        self.goals.push(goal);
    }

    /// Adds the costs of one comparison, and what each row allocates, where that is counted.
    pub fn table(&mut self, title: String, unit: &'static str, outcome: &Outcome, counts: &[Option<Count>]) {
        let row = |(row, name): (usize, &String)| {
            let count = counts.get(row).and_then(Option::as_ref);
            Row {
                name: name.clone(),
                median: outcome.cost(row),
                ratio: outcome.ratio(row, 0),
                allocations: count.map(|count| count.allocations),
                allocated_bytes: count.map(|count| count.bytes),
            }
        };
        let rows = outcome.names.iter().enumerate().map(row).collect();
        let table = Table { title, unit, rows };
        if !self.json {
            table.print();
        }
        self.tables.push(table);
    }

    /// Prints every goal beside its measurement, or the document.
    pub fn finish(mut self) {
        self.goals.sort_by_key(|goal| goal.goal.trim_start_matches('P').parse::<u32>().unwrap_or(u32::MAX));
        if self.json {
            println!("{}", serde_json::to_string_pretty(&self).unwrap());
            return;
        }
        println!("\n{:<7}{:<64}{:>9}{:>10}{:>10}", "goal", "", "limit", "measured", "by hand");
        for goal in &self.goals {
            goal.print();
        }
        let missed = self.goals.iter().filter(|goal| !goal.met).count();
        println!("\n{} of {} goals met", self.goals.len() - missed, self.goals.len());
    }
}

impl Goal {
    fn print(&self) {
        let number =
            |value: f64| if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") };
        let sign = if self.bound == "at most" { "≤" } else { "≥" };
        let limit = format!("{sign} {}", number(self.limit));
        let by_hand = self.by_hand.map_or_else(|| "-".to_owned(), number);
        let mark = if self.met { "met" } else { "MISSED" };
        let Self { goal, what, measured, .. } = self;
        println!("{goal:<7}{what:<64}{limit:>9}{:>10}{by_hand:>10}  {mark}", number(*measured));
    }
}

impl Table {
    fn print(&self) {
        println!("\n{} ({})", self.title, self.unit);
        for Row { name, median, ratio, allocations, allocated_bytes } in &self.rows {
            print!("  {name:<26}{median:>12.0}{ratio:>9.3} x");
            if let (Some(allocations), Some(bytes)) = (allocations, allocated_bytes) {
                print!("{allocations:>6} allocations{bytes:>10} bytes");
            }
            println!();
        }
    }
}
