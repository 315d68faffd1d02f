//! How long a mock takes to start, and to answer its first request while ninety-nine others run: the goal is 50 ms.

use countersign::mock::{MockBuilder, MockProvider, Provider};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const MOCKS: u32 = 100;
const GOAL: Duration = Duration::from_millis(50);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // A bench is asked for its tests as well, and has none.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    measure("ateliere", MockProvider::ateliere).await?;
    measure("salescloud", MockProvider::salescloud).await?;
    measure("corezoid", MockProvider::corezoid).await?;
    measure("ayyeka", MockProvider::ayyeka).await
}

async fn measure<P: Provider>(name: &str, mock: impl Fn() -> MockBuilder<P>) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (mut running, mut times) = (Vec::new(), Vec::new());
    for _ in 0..MOCKS {
        let start = Instant::now();
        let mock = mock().start().await;
        black_box(client.get(mock.endpoint()).send().await?);
        times.push(start.elapsed());
        running.push(mock);
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    let verdict = if worst <= GOAL { "met" } else { "missed" };
    let start = Instant::now();
    drop(running);
    let end = start.elapsed() / MOCKS;
    println!(
        "mock {name}: start to first answer {median:.1?}, worst of {MOCKS} {worst:.1?} (goal {GOAL:?}: {verdict}); end {end:.1?}"
    );
    Ok(())
}
