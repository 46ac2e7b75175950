//! Keeps the parts of a process together: when one ends, all drain.

use std::{collections::BTreeSet, fmt::Display, io, thread, time::Duration};

use tokio::{
    sync::oneshot,
    task::{JoinError, JoinSet},
    time::timeout,
};

use crate::Shutdown;

/// Why a process did not end cleanly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A part ended although nobody had asked for the end.
    #[error("{part} ended by itself")]
    Ended {
        /// The part's name.
        part: String,
    },
    /// A part returned an error.
    #[error("{part}: {error}")]
    Failed {
        /// The part's name.
        part: String,
        /// What it said.
        error: String,
    },
    /// A part panicked.
    #[error("{part} panicked")]
    Panicked {
        /// The part's name.
        part: String,
    },
    /// Parts were still draining when the grace period was over.
    #[error("still draining after {} s: {}", grace.as_secs(), parts.join(", "))]
    Overdue {
        /// Their names.
        parts: Vec<String>,
        /// How long they had.
        grace: Duration,
    },
}

/// The parts of a process, as tasks and threads.
#[derive(Debug)]
pub struct Supervisor {
    shutdown: Shutdown,
    parts: JoinSet<(String, Result<(), Failure>)>,
    alive: BTreeSet<String>,
}

impl Supervisor {
    /// Keeps parts that drain when `shutdown` is requested.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            parts: JoinSet::new(),
            alive: BTreeSet::new(),
        }
    }

    /// Runs a part as a task; it must end by itself once the shutdown is requested.
    pub fn task<E: Display>(
        &mut self,
        name: &str,
        part: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let name = name.to_owned();
        self.alive.insert(name.clone());
        self.parts.spawn(async move {
            // A task of its own, so that a panic is known by the part's name.
            let ended = tokio::spawn(async move { part.await.map_err(|error| error.to_string()) }).await;
            let result = outcome(&name, ended);
            (name, result)
        });
    }

    /// Runs a part as a named thread; it must end by itself once the shutdown is requested.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn thread<E: Display + Send + 'static>(
        &mut self,
        name: &str,
        part: impl FnOnce() -> Result<(), E> + Send + 'static,
    ) -> io::Result<()> {
        let (done, ended) = oneshot::channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Nobody listens any more when the grace period is over; the thread ends all the same.
            let _ = done.send(part().map_err(|error| error.to_string()));
        })?;
        let name = name.to_owned();
        self.alive.insert(name.clone());
        self.parts.spawn(async move {
            let result = match ended.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(Failure::Failed {
                    part: name.clone(),
                    error,
                }),
                Err(_) => Err(Failure::Panicked { part: name.clone() }),
            };
            (name, result)
        });
        Ok(())
    }

    /// Waits until all parts have ended; from the request on they have `grace` to do so.
    ///
    /// A part that ends early makes the others drain. The first failure is returned, the others are logged.
    pub async fn run(mut self, grace: Duration) -> Result<(), Failure> {
        let mut first = None;
        while !self.shutdown.requested() && !self.parts.is_empty() {
            tokio::select! {
                () = self.shutdown.wait() => {}
                Some(ended) = self.parts.join_next() => {
                    let early = !self.shutdown.requested();
                    self.note(ended, early, &mut first);
                    self.shutdown.request();
                }
            }
        }
        let drained = timeout(grace, self.drain(&mut first)).await;
        if drained.is_err() {
            let parts = self.alive.iter().cloned().collect();
            keep_first(&mut first, Failure::Overdue { parts, grace });
        }
        first.map_or(Ok(()), Err)
    }

    async fn drain(&mut self, first: &mut Option<Failure>) {
        while let Some(ended) = self.parts.join_next().await {
            self.note(ended, false, first);
        }
    }

    fn note(
        &mut self,
        ended: Result<(String, Result<(), Failure>), JoinError>,
        early: bool,
        first: &mut Option<Failure>,
    ) {
        let Ok((part, result)) = ended else { return };
        self.alive.remove(&part);
        match result {
            Err(failure) => keep_first(first, failure),
            Ok(()) if early => keep_first(first, Failure::Ended { part }),
            Ok(()) => tracing::debug!(part, "drained"),
        }
    }
}

fn outcome(name: &str, ended: Result<Result<(), String>, JoinError>) -> Result<(), Failure> {
    let part = name.to_owned();
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::Failed { part, error }),
        Err(_) => Err(Failure::Panicked { part }),
    }
}

fn keep_first(first: &mut Option<Failure>, failure: Failure) {
    tracing::error!(%failure, "a part of the process failed");
    first.get_or_insert(failure);
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const GRACE: Duration = Duration::from_millis(200);

    async fn waits(shutdown: Shutdown) -> Result<(), Infallible> {
        shutdown.wait().await;
        Ok(())
    }

    #[tokio::test]
    async fn parts_that_drain_when_asked_end_cleanly() {
        let shutdown = Shutdown::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.task("a", waits(shutdown.clone()));
        let asked = shutdown.clone();
        supervisor
            .thread("b", move || {
                while !asked.requested() {
                    thread::sleep(Duration::from_millis(1));
                }
                Ok::<(), Infallible>(())
            })
            .unwrap();
        shutdown.request();
        assert_eq!(supervisor.run(GRACE).await, Ok(()));
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_makes_the_others_drain() {
        let shutdown = Shutdown::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.task("a", waits(shutdown.clone()));
        supervisor.task("b", async { Ok::<(), Infallible>(()) });
        assert_eq!(
            supervisor.run(GRACE).await,
            Err(Failure::Ended { part: "b".into() })
        );
        assert!(shutdown.requested());
    }

    #[tokio::test]
    async fn errors_and_panics_are_known_by_the_name_of_their_part() {
        let mut supervisor = Supervisor::new(Shutdown::new());
        supervisor.task("a", async { Err::<(), _>("no socket") });
        let failed = Failure::Failed {
            part: "a".into(),
            error: "no socket".into(),
        };
        assert_eq!(supervisor.run(GRACE).await, Err(failed));

        let mut supervisor = Supervisor::new(Shutdown::new());
        supervisor
            .thread("b", || -> Result<(), Infallible> { panic!("on purpose") })
            .unwrap();
        assert_eq!(
            supervisor.run(GRACE).await,
            Err(Failure::Panicked { part: "b".into() })
        );
    }

    #[tokio::test]
    async fn a_part_that_never_drains_is_named_after_the_grace_period() {
        let shutdown = Shutdown::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.task("stuck", std::future::pending::<Result<(), Infallible>>());
        supervisor.task("fine", waits(shutdown.clone()));
        shutdown.request();
        let overdue = Failure::Overdue {
            parts: vec!["stuck".into()],
            grace: GRACE,
        };
        assert_eq!(supervisor.run(GRACE).await, Err(overdue));
    }
}
