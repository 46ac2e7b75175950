//! From a configuration to worker threads, and back to nothing.

mod build;

use std::{net::SocketAddr, thread::JoinHandle};

use datagram_io::{Stop, WorkerEnd};
use lifecycle::Shutdown;
use prometheus::Registry;
use telemetry::Health;
use tokio::sync::mpsc;

use crate::{Config, RunError, StartError};

/// The component this server is called in [`Health`].
const COMPONENT: &str = "turn";

/// Starts the server: when this returns, it is listening.
///
/// Workers are threads of their own; no tokio runtime is needed until [`Running::finished`].
///
/// # Errors
/// [`StartError`], and then nothing is left running.
pub fn start(
    config: &Config,
    registry: &Registry,
    health: &Health,
    shutdown: Shutdown,
) -> Result<Running, StartError> {
    let built = build::build(config, registry)?;
    let (ends, ended) = mpsc::unbounded_channel();
    let mut running = Running {
        listeners: built.listeners,
        workers: Vec::new(),
        ended,
        health: health.clone(),
        shutdown,
    };
    for (index, (worker, stop)) in built.workers.into_iter().enumerate() {
        let name = format!("turn-{index}");
        let ends = ends.clone();
        let told = name.clone();
        let on_end = move |end| {
            // When nobody listens any more, the process is ending.
            let _ = ends.send((told, end));
        };
        let thread = datagram_io::spawn_worker(&name, move || worker.run(), on_end).map_err(|source| {
            StartError::System {
                what: "a worker thread",
                source,
            }
        })?;
        running.workers.push((stop, Some(thread)));
    }
    health.set_ready(COMPONENT, true);
    Ok(running)
}

/// A server at work. Dropping it ends the workers, too.
pub struct Running {
    listeners: Vec<SocketAddr>,
    workers: Vec<(Stop, Option<JoinHandle<()>>)>,
    ended: mpsc::UnboundedReceiver<(String, WorkerEnd)>,
    health: Health,
    shutdown: Shutdown,
}

impl Running {
    /// The addresses it listens on, ports never 0, in the order of the configuration.
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// How many worker threads there are.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Serves until the shutdown is requested and every worker has finished its batch and closed its sockets.
    ///
    /// # Errors
    /// [`RunError`] as soon as a worker ends by itself; the others are stopped then.
    pub async fn finished(mut self) -> Result<(), RunError> {
        let shutdown = self.shutdown.clone();
        let early = tokio::select! {
            () = shutdown.wait() => None,
            early = self.ended.recv() => early,
        };
        self.health.set_ready(COMPONENT, false);
        self.request_stop();
        let mut result = early.map_or(Ok(()), |(worker, end)| Err(as_error(worker, end)));
        let mut left = self.workers.len() - usize::from(result.is_err());
        while left > 0 {
            let Some((worker, end)) = self.ended.recv().await else {
                break;
            };
            left -= 1;
            if result.is_ok() && end != WorkerEnd::Finished {
                result = Err(as_error(worker, end));
            }
        }
        result
    }

    fn request_stop(&self) {
        for (stop, _) in &self.workers {
            stop.request();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.request_stop();
        for (_, thread) in &mut self.workers {
            if let Some(thread) = thread.take() {
                // A worker never blocks longer than its batch; its panic was already reported.
                let _ = thread.join();
            }
        }
    }
}

fn as_error(worker: String, end: WorkerEnd) -> RunError {
    match end {
        WorkerEnd::Finished => RunError::Ended { worker },
        WorkerEnd::Failed(error) => RunError::Failed { worker, error },
        WorkerEnd::Panicked(message) => RunError::Panicked { worker, message },
    }
}
