//! From a configuration to worker threads, and back to nothing.

use std::{io, net::SocketAddr, num::NonZero, sync::Arc, thread};

use datagram_io::{Crew, Native, Socket, SocketId, Sockets, Stop, open_listeners};
use lifecycle::Shutdown;
use mio::{Poll, Waker};
use prometheus::Registry;
use telemetry::Health;
use tokio::task::spawn_blocking;
use tracing::info;

use crate::{
    Config, RunError, StartError,
    metrics::Metrics,
    plan::Plan,
    worker::{WAKER, Worker},
};

/// The component this server is called in [`Health`].
const COMPONENT: &str = "stun";

/// Starts the server: when this returns, it is listening.
///
/// # Errors
/// [`StartError`], and then nothing is left running.
pub fn start(
    config: &Config,
    registry: &Registry,
    health: &Health,
    shutdown: Shutdown,
) -> Result<Running, StartError> {
    let mut plan = Plan::new(config).map_err(|mut mistakes| {
        let first = mistakes.swap_remove(0);
        StartError::Config {
            key: first.key.to_owned(),
            what: first.what,
        }
    })?;
    let count = worker_count(config);
    let mut sockets: Vec<Vec<Socket>> = (0..count).map(|_| Vec::new()).collect();
    let mut listeners = Vec::new();
    for &address in &plan.listen {
        let Some(opened) = listen(config, address, count)? else {
            continue;
        };
        listeners.push(opened[0].local_address());
        for (worker, socket) in sockets.iter_mut().zip(opened) {
            worker.push(socket);
        }
    }
    plan.core.listeners.clone_from(&listeners);

    let metrics = Metrics::register(registry)?;
    let mut crew = Crew::new();
    for (index, sockets) in sockets.into_iter().enumerate() {
        let (worker, stop) =
            furnish(&plan, sockets, &listeners, &metrics).map_err(|source| StartError::System {
                what: "a poll",
                source,
            })?;
        crew.spawn(&format!("stun-{index}"), stop, move || worker.run())
            .map_err(|source| StartError::System {
                what: "a worker thread",
                source,
            })?;
    }
    health.set_ready(COMPONENT, true);
    Ok(Running {
        listeners,
        crew,
        health: health.clone(),
        shutdown,
    })
}

/// A server at work. Dropping it ends the workers, too.
pub struct Running {
    listeners: Vec<SocketAddr>,
    crew: Crew,
    health: Health,
    shutdown: Shutdown,
}

impl Running {
    /// The addresses it listens on, ports never 0; those of RFC 5780 come first, four for a family.
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// Serves until the shutdown is requested and every worker has finished its batch.
    ///
    /// # Errors
    /// [`RunError`] as soon as a worker ends by itself; the others are stopped then.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn finished(self) -> Result<(), RunError> {
        let Self {
            crew,
            health,
            shutdown,
            ..
        } = self;
        let stopping = Stopping {
            stops: crew.stops(),
            health,
        };
        let mut waiting = spawn_blocking(move || crew.wait());
        let ended = tokio::select! {
            () = shutdown.wait() => None,
            ended = &mut waiting => Some(ended),
        };
        drop(stopping);
        let ended = match ended {
            Some(ended) => ended,
            None => waiting.await,
        };
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

/// Stops the workers when [`Running::finished`] is told to, and also when it is dropped unfinished.
struct Stopping {
    stops: Vec<Stop>,
    health: Health,
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.health.set_ready(COMPONENT, false);
        self.stops.iter().for_each(Stop::request);
    }
}

fn worker_count(config: &Config) -> usize {
    match config.workers {
        // Elsewhere SO_REUSEPORT gives all datagrams to one of the sockets.
        _ if !cfg!(target_os = "linux") => 1,
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        workers => workers.into(),
    }
}

/// Opens one address for all workers; `None` if it is skipped because nobody asked for it by name.
fn listen(config: &Config, address: SocketAddr, count: usize) -> Result<Option<Vec<Socket>>, StartError> {
    match open_listeners(address, count) {
        Ok(sockets) => Ok(Some(sockets)),
        Err(error) if config.listens_by_default() && datagram_io::is_missing_ipv6(address, &error) => {
            info!(%address, "this machine has no IPv6, listening on IPv4 only");
            Ok(None)
        }
        Err(source) => Err(StartError::Listen { address, source }),
    }
}

fn furnish(
    plan: &Plan,
    sockets: Vec<Socket>,
    listeners: &[SocketAddr],
    metrics: &Metrics,
) -> io::Result<(Worker, Stop)> {
    let poll = Poll::new()?;
    let stop = Stop::new(Arc::new(Waker::new(poll.registry(), WAKER)?));
    let mut table = Sockets::new(Native::new(), poll.registry().try_clone()?);
    for (index, socket) in sockets.into_iter().enumerate() {
        table.insert(
            SocketId {
                index: index as u32,
                generation: 0,
            },
            socket,
        )?;
    }
    let worker = Worker {
        poll,
        sockets: table,
        listeners: listeners.to_vec(),
        config: plan.core.clone(),
        stop: stop.clone(),
        metrics: metrics.clone(),
    };
    Ok((worker, stop))
}
