//! Counts what every contender of `goals` allocates a request, and prints the counts in the order of `counts::all`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up shall stop")]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "shares its files with `goals`, and uses less of them"
)]

mod apps;
mod by_hand;
mod contest;
mod counts;
mod report;
mod requests;
mod way;

use counts::Count;

/// Requests that one count is the mean of.
const REQUESTS: u32 = 16;

fn main() {
    let counts: Vec<Count> = counts::all()
        .map(|(way, scheme, body, contender)| {
            let mut work = contender.work(way, scheme, body);
            // Buffers grow with the first ones.
            work(REQUESTS);
            let info = allocation_counter::measure(|| work(REQUESTS));
            let mean = |total: u64| (total + u64::from(REQUESTS / 2)) / u64::from(REQUESTS);
            Count { allocations: mean(info.count_total), bytes: mean(info.bytes_total) }
        })
        .collect();
    println!("{}", serde_json::to_string(&counts).unwrap());
}
