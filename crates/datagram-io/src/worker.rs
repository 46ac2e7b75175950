//! Threads that run a worker's loop, told to stop and never lost silently.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use mio::Waker;

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEnd {
    /// Its loop returned, because it was told to stop.
    Finished,
    /// Its loop gave up.
    Failed(String),
    /// It panicked; the message.
    Panicked(String),
}

/// Runs `body` on a thread of its own called `name`; `on_end` hears how it ended, even by a panic.
///
/// # Errors
/// If the thread cannot be made.
pub fn spawn_worker(
    name: &str,
    body: impl FnOnce() -> io::Result<()> + Send + 'static,
    on_end: impl FnOnce(WorkerEnd) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Whatever a panic left half-done is dropped with the closure and seen by nobody.
        let end = match catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(())) => WorkerEnd::Finished,
            Ok(Err(error)) => WorkerEnd::Failed(error.to_string()),
            Err(panic) => WorkerEnd::Panicked(message(panic.as_ref())),
        };
        on_end(end);
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}

/// Asks a worker to leave its loop.
#[derive(Clone)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl Stop {
    /// Makes a switch whose use ends the wait behind `waker`.
    pub fn new(waker: Arc<Waker>) -> Self {
        Self {
            requested: Arc::new(AtomicBool::new(false)),
            waker,
        }
    }

    /// Asks; the worker finishes the batch in hand.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Release);
        // A wake-up that fails finds the worker awake already.
        let _ = self.waker.wake();
    }

    /// Whether it was asked.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    fn end_of(body: impl FnOnce() -> io::Result<()> + Send + 'static) -> WorkerEnd {
        let (sender, ends) = mpsc::channel();
        let thread = spawn_worker("test", body, move |end| sender.send(end).unwrap()).unwrap();
        thread.join().unwrap();
        ends.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn every_way_to_end_is_heard() {
        assert_eq!(end_of(|| Ok(())), WorkerEnd::Finished);
        assert_eq!(
            end_of(|| Err(io::Error::other("no poll"))),
            WorkerEnd::Failed("no poll".to_owned())
        );
        let books = "the books";
        assert_eq!(
            end_of(move || panic!("{books} are wrong")),
            WorkerEnd::Panicked("the books are wrong".to_owned())
        );
    }
}
