//! Threads on processors of their own: where clients take the server's, it is not the server that is measured.

use std::thread;

/// Works on one of the processors that this program may use, and so do the threads that the work starts. Where threads
/// cannot be bound, anywhere.
pub fn on<T: Send>(processor: usize, work: impl FnOnce() -> T + Send) -> T {
    let bound = || {
        bind(processor);
        work()
    };
    thread::scope(|scope| scope.spawn(bound).join().unwrap())
}

#[cfg(target_os = "linux")]
fn bind(processor: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let all = sched_getaffinity(None).unwrap();
    if let Some(one) = (0..CpuSet::MAX_CPU).filter(|&it| all.is_set(it)).nth(processor) {
        let mut only = CpuSet::new();
        only.set(one);
        sched_setaffinity(None, &only).unwrap();
    }
}

#[cfg(not(target_os = "linux"))]
fn bind(_: usize) {}
