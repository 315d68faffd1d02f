//! Contenders that take turns.

use cpu_time::ThreadTime;
use std::time::Duration;

/// Processor time a slice should take.
const SLICE: Duration = Duration::from_millis(4);

/// Something that can be done a number of times.
pub type Work = Box<dyn FnMut(u32)>;

/// Contenders for one comparison.
#[derive(Default)]
pub struct Contest {
    rows: Vec<(String, Work)>,
}

/// What came out: the cost of one execution, by round, for each contender.
pub struct Outcome {
    pub names: Vec<String>,
    pub costs: Vec<Vec<f64>>,
}

impl Contest {
    /// Adds a contender; the number is its row.
    pub fn add(&mut self, name: &str, work: Work) -> usize {
        self.rows.push((name.to_owned(), work));
        self.rows.len() - 1
    }

    /// Nanoseconds of this thread's processor time.
    pub fn run(mut self, rounds: usize) -> Outcome {
        let counts: Vec<u32> = self.rows.iter_mut().map(|(_, work)| calibrate(work)).collect();
        let names = self.rows.iter().map(|(name, _)| name.clone()).collect();
        Outcome::of(names, rounds, |row| measure(&mut self.rows[row].1, counts[row]))
    }
}

/// How many executions fill a slice.
fn calibrate(work: &mut Work) -> u32 {
    let mut count = 16;
    loop {
        let took = measure(work, count) * f64::from(count);
        if took > SLICE.as_secs_f64() * 1e9 {
            return count;
        }
        count *= 2;
    }
}

/// Nanoseconds of processor time an execution.
fn measure(work: &mut Work, count: u32) -> f64 {
    let start = ThreadTime::now();
    work(count);
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

impl Outcome {
    /// Lets the rows take turns, in an order that rotates.
    pub fn of(names: Vec<String>, rounds: usize, mut cost: impl FnMut(usize) -> f64) -> Self {
        let mut costs = vec![Vec::new(); names.len()];
        for round in 0..rounds {
            for place in 0..names.len() {
                let row = (place + round) % names.len();
                costs[row].push(cost(row));
            }
        }
        Self { names, costs }
    }

    /// Median cost of a row.
    pub fn cost(&self, row: usize) -> f64 {
        median(self.costs[row].clone())
    }

    /// Median of the rounds' ratios of one row to another.
    pub fn ratio(&self, row: usize, to: usize) -> f64 {
        median(self.costs[row].iter().zip(&self.costs[to]).map(|(a, b)| a / b).collect())
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
