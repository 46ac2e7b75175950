//! Threads that run workers' loops: stopped together, and none lost silently.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use mio::Waker;
use thiserror::Error;

/// The worker threads of one server. Dropping it stops and joins them.
pub struct Crew {
    members: Vec<(Stop, JoinHandle<()>)>,
    ends: mpsc::Receiver<Result<(), WorkerError>>,
    ended: mpsc::Sender<Result<(), WorkerError>>,
}

/// Why a worker ended although nobody had asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WorkerError {
    /// Its loop gave up.
    #[error("{worker} failed: {error}")]
    Failed {
        /// The thread's name.
        worker: String,
        /// What it said.
        error: String,
    },
    /// It panicked; that is a mistake in this program.
    #[error("{worker} panicked: {message}")]
    Panicked {
        /// The thread's name.
        worker: String,
        /// What it said.
        message: String,
    },
    /// Its loop returned.
    #[error("{worker} ended by itself")]
    Ended {
        /// The thread's name.
        worker: String,
    },
}

impl Crew {
    /// Starts with no worker.
    pub fn new() -> Self {
        let (ended, ends) = mpsc::channel();
        Self {
            members: Vec::new(),
            ends,
            ended,
        }
    }

    /// Runs `body` on a thread of its own called `name`; it returns once `stop` is requested.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub fn spawn(
        &mut self,
        name: &str,
        stop: Stop,
        body: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let (worker, asked) = (name.to_owned(), stop.clone());
        let ended = self.ended.clone();
        let thread = thread::Builder::new().name(worker.clone()).spawn(move || {
            // Whatever a panic left half-done is dropped with the closure and seen by nobody.
            let end = match catch_unwind(AssertUnwindSafe(body)) {
                Ok(Ok(())) if asked.is_requested() => Ok(()),
                Ok(Ok(())) => Err(WorkerError::Ended { worker }),
                Ok(Err(error)) => Err(WorkerError::Failed {
                    worker,
                    error: error.to_string(),
                }),
                Err(panic) => Err(WorkerError::Panicked {
                    worker,
                    message: message(panic.as_ref()),
                }),
            };
            // Nobody waits any more when the crew is being dropped.
            let _ = ended.send(end);
        })?;
        self.members.push((stop, thread));
        Ok(())
    }

    /// How many workers there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no worker.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Switches that stop every worker.
    pub fn stops(&self) -> Vec<Stop> {
        self.members.iter().map(|(stop, _)| stop.clone()).collect()
    }

    /// Blocks until all workers have ended; when one ends unasked, the others are stopped.
    ///
    /// # Errors
    /// The first [`WorkerError`].
    pub fn wait(self) -> Result<(), WorkerError> {
        let mut result = Ok(());
        for _ in 0..self.members.len() {
            let Ok(end) = self.ends.recv() else { break };
            if end.is_err() && result.is_ok() {
                result = end;
                self.request_stop();
            }
        }
        result
    }

    fn request_stop(&self) {
        for (stop, _) in &self.members {
            stop.request();
        }
    }
}

impl Default for Crew {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.request_stop();
        for (_, thread) in self.members.drain(..) {
            // The panic of a worker was caught inside it.
            let _ = thread.join();
        }
    }
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
    use mio::{Events, Poll, Token};

    use super::*;

    /// A worker that waits for its stop as the real ones do.
    fn obedient() -> (Stop, impl FnOnce() -> io::Result<()> + Send + 'static) {
        let mut poll = Poll::new().unwrap();
        let stop = Stop::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let asked = stop.clone();
        let body = move || {
            while !asked.is_requested() {
                poll.poll(&mut Events::with_capacity(1), None)?;
            }
            Ok(())
        };
        (stop, body)
    }

    /// The error of a crew of two of which one has this body.
    fn error_of(body: impl FnOnce() -> io::Result<()> + Send + 'static) -> WorkerError {
        let mut crew = Crew::new();
        let (stop, good) = obedient();
        crew.spawn("good", stop, good).unwrap();
        crew.spawn("bad", obedient().0, body).unwrap();
        crew.wait().unwrap_err()
    }

    #[test]
    fn a_worker_that_ends_unasked_is_named_and_stops_the_others() {
        let worker = || "bad".to_owned();
        assert_eq!(error_of(|| Ok(())), WorkerError::Ended { worker: worker() });
        let failed = WorkerError::Failed {
            worker: worker(),
            error: "no poll".to_owned(),
        };
        assert_eq!(error_of(|| Err(io::Error::other("no poll"))), failed);
        let books = "the books";
        let panicked = WorkerError::Panicked {
            worker: worker(),
            message: "the books are wrong".to_owned(),
        };
        assert_eq!(error_of(move || panic!("{books} are wrong")), panicked);
    }

    #[test]
    fn workers_that_are_stopped_end_well() {
        let mut crew = Crew::new();
        for name in ["a", "b"] {
            let (stop, body) = obedient();
            crew.spawn(name, stop, body).unwrap();
        }
        let stops = crew.stops();
        let waiting = thread::spawn(move || crew.wait());
        stops.iter().for_each(Stop::request);
        assert_eq!(waiting.join().unwrap(), Ok(()));
    }

    #[test]
    fn dropping_a_crew_ends_its_workers() {
        let (stop, body) = obedient();
        let mut crew = Crew::new();
        crew.spawn("a", stop.clone(), body).unwrap();
        drop(crew);
        assert!(stop.is_requested());
    }
}
