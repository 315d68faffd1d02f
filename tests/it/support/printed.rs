//! What is printed: the events of one thread, and what panics say.
//!
//! There is one subscriber for the whole binary, which tells by the thread who listens. With a subscriber for each
//! thread, an event would be lost now and then: whether a place in the code is ever looked at is decided once, by
//! whichever thread gets there first, and a thread without a subscriber says no for all.

use std::{
    cell::RefCell,
    io, panic,
    sync::{Arc, Mutex, Once, PoisonError},
};
use tracing::{
    Metadata, Subscriber,
    level_filters::LevelFilter,
    subscriber::{Interest, set_global_default},
};
use tracing_subscriber::{
    fmt::format::FmtSpan,
    layer::{Context, Layer, SubscriberExt as _},
};

thread_local! {
    static LISTENING: RefCell<Option<Printed>> = const { RefCell::new(None) };
}

/// What was printed, all of it.
#[derive(Clone, Default)]
pub(crate) struct Printed(Arc<Mutex<Vec<u8>>>);

/// Listens until it is dropped.
pub(crate) struct Listening(());

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.set(None);
    }
}

impl Printed {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Listens to every event of this thread until the guard is dropped.
    pub(crate) fn listen(&self) -> Listening {
        install();
        let before = LISTENING.replace(Some(self.clone()));
        assert!(before.is_none(), "one listener a thread");
        Listening(())
    }
}

impl io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes what happens on threads that listen.
struct WhileListening;

impl<S: Subscriber> Layer<S> for WhileListening {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>, _: Context<'_, S>) -> bool {
        LISTENING.with_borrow(Option::is_some)
    }
}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let writer = || -> Box<dyn io::Write> {
            LISTENING.with_borrow(|listening| match listening {
                Some(printed) => Box::new(printed.clone()) as _,
                None => Box::new(io::sink()) as _,
            })
        };
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(LevelFilter::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_writer(writer)
            .finish();
        set_global_default(subscriber.with(WhileListening)).unwrap();
        // What another thread has come to between the two halves of that was decided without it.
        tracing::callsite::rebuild_interest_cache();
    });
}

/// What panics have said since they are listened to, in any thread.
static PANICS: Mutex<String> = Mutex::new(String::new());

/// Listens to panics from the first call on. They are printed as well, as ever.
pub(crate) fn hear_panics() {
    static HEARD: Once = Once::new();
    HEARD.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            *panics += &info.to_string();
            panics.push('\n');
            drop(panics);
            before(info);
        }));
    });
}

/// What panics have said so far.
pub(crate) fn panics() -> String {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[test]
fn whoever_listens_hears_its_own_thread() {
    let mine = Printed::default();
    let listening = mine.listen();
    tracing::info!(who = "mine", "told");
    std::thread::spawn(|| {
        tracing::info!(who = "nobody's", "told");
        let other = Printed::default();
        let listening = other.listen();
        tracing::trace!(who = "other", "told");
        drop(listening);
        assert!(other.text().contains("other"));
    })
    .join()
    .unwrap();
    drop(listening);
    tracing::info!(who = "later", "told");
    let text = mine.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("mine"));
}
