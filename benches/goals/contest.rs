//! Contenders that take turns.

use cpu_time::ThreadTime;
use std::time::Duration;

/// Processor time a slice should take.
const SLICE: Duration = Duration::from_millis(4);

/// Something that can be done a number of times.
type Work = Box<dyn FnMut(u32)>;

/// Contenders for one comparison.
pub struct Contest {
    rounds: usize,
    rows: Vec<(String, Work)>,
}

/// What came out: processor time of one execution, by round, for each contender.
pub struct Outcome {
    pub names: Vec<String>,
    times: Vec<Vec<f64>>,
}

impl Contest {
    pub const fn new(rounds: usize) -> Self {
        Self { rounds, rows: Vec::new() }
    }

    /// Adds a contender; the number is its row.
    pub fn add(&mut self, name: &str, work: impl FnMut(u32) + 'static) -> usize {
        self.rows.push((name.to_owned(), Box::new(work)));
        self.rows.len() - 1
    }

    pub fn run(mut self) -> Outcome {
        let counts: Vec<u32> = self.rows.iter_mut().map(|(_, work)| calibrate(work)).collect();
        let mut times = vec![Vec::new(); self.rows.len()];
        for round in 0..self.rounds {
            for place in 0..self.rows.len() {
                let row = (place + round) % self.rows.len();
                times[row].push(measure(&mut self.rows[row].1, counts[row]));
            }
        }
        Outcome { names: self.rows.into_iter().map(|(name, _)| name).collect(), times }
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
    /// Median time of a row in nanoseconds.
    pub fn nanoseconds(&self, row: usize) -> f64 {
        median(self.times[row].clone())
    }

    /// Median of the rounds' ratios of one row to another.
    pub fn ratio(&self, row: usize, to: usize) -> f64 {
        median(self.times[row].iter().zip(&self.times[to]).map(|(a, b)| a / b).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
