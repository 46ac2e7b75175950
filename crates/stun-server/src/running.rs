//! From a configuration to worker threads, and back to nothing.

mod listening;

use std::{io, net::SocketAddr, num::NonZero, sync::Arc, thread};

use certificates::Certificates;
use datagram_io::{Crew, Native, SocketId, Sockets, Stop};
use lifecycle::Shutdown;
use mio::{Poll, Waker};
use prometheus::Registry;
use stream_io::{Census, Reception, Streams, TURN_PROTOCOLS};
use telemetry::Health;
use tokio::task::spawn_blocking;

use crate::{
    Config, RunError, StartError,
    metrics::Metrics,
    plan::Plan,
    worker::{WAKER, Worker},
};

use listening::Listeners;

/// The component this server is called in [`Health`].
const COMPONENT: &str = "stun";

/// What a server is started among.
pub struct Surroundings<'a> {
    registry: &'a Registry,
    health: &'a Health,
    shutdown: Shutdown,
    certificates: Option<Certificates>,
}

impl<'a> Surroundings<'a> {
    /// Shows metrics in `registry` and readiness in `health`, and ends with `shutdown`.
    pub fn new(registry: &'a Registry, health: &'a Health, shutdown: Shutdown) -> Self {
        Self {
            registry,
            health,
            shutdown,
            certificates: None,
        }
    }

    /// Speaks TLS with these certificates, from when the first has come; where there are to be none, as if they were not
    /// given.
    #[must_use]
    pub fn with_certificates(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates).filter(|certificates| !certificates.is_empty());
        self
    }
}

/// Starts the server: when this returns, it is listening.
///
/// # Errors
/// [`StartError`], and then nothing is left running.
pub fn start(config: &Config, surroundings: Surroundings<'_>) -> Result<Running, StartError> {
    let mut plan = Plan::new(config).map_err(|mut mistakes| {
        let first = mistakes.swap_remove(0);
        StartError::Config {
            key: first.key.to_owned(),
            what: first.what,
        }
    })?;
    let opened = listening::open(config, &plan.listen, worker_count(config))?;
    plan.core.listeners.clone_from(&opened.udp);

    let Surroundings {
        registry,
        health,
        shutdown,
        certificates,
    } = surroundings;
    let tls =
        certificates.map(|certificates| certificates.server_config(&TURN_PROTOCOLS, config.tls.min_version));
    let reception = Reception {
        tls,
        ..Reception::new(config.streams.limits())
    };
    let shared = Shared {
        core: plan.core,
        listeners: opened.udp.clone(),
        metrics: Metrics::register(registry)?,
        census: Census::new(&reception.limits),
        reception,
    };
    let mut crew = Crew::new();
    for (index, listeners) in opened.workers.into_iter().enumerate() {
        let (worker, stop) = furnish(listeners, &shared).map_err(|source| StartError::System {
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
        listeners: opened.udp,
        tcp_listeners: opened.tcp,
        crew,
        health: health.clone(),
        shutdown,
    })
}

/// A server at work. Dropping it ends the workers, too.
pub struct Running {
    listeners: Vec<SocketAddr>,
    tcp_listeners: Vec<SocketAddr>,
    crew: Crew,
    health: Health,
    shutdown: Shutdown,
}

impl Running {
    /// The UDP addresses it listens on, ports never 0; those of RFC 5780 come first, four for a family.
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// The TCP addresses it listens on, ports never 0.
    pub fn tcp_listeners(&self) -> &[SocketAddr] {
        &self.tcp_listeners
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

/// What all workers have in common.
struct Shared {
    core: stun_core::Config,
    listeners: Vec<SocketAddr>,
    metrics: Metrics,
    reception: Reception,
    census: Census,
}

fn furnish(listeners: Listeners, shared: &Shared) -> io::Result<(Worker, Stop)> {
    let poll = Poll::new()?;
    let stop = Stop::new(Arc::new(Waker::new(poll.registry(), WAKER)?));
    let mut table = Sockets::new(Native::new(), poll.registry().try_clone()?);
    for (index, socket) in listeners.datagrams.into_iter().enumerate() {
        table.insert(
            SocketId {
                index: index as u32,
                generation: 0,
            },
            socket,
        )?;
    }
    let streams = Streams::new(
        poll.registry().try_clone()?,
        listeners.streams,
        shared.reception.clone(),
        shared.census.clone(),
    )?;
    // RFC 5780 has the server answer from elsewhere; a stream has one other end.
    let stream_config = stun_core::Config {
        behaviours: Vec::new(),
        ..shared.core.clone()
    };
    let worker = Worker {
        poll,
        sockets: table,
        streams,
        listeners: shared.listeners.clone(),
        config: shared.core.clone(),
        stream_config,
        stop: stop.clone(),
        metrics: shared.metrics.clone(),
    };
    Ok((worker, stop))
}
