//! From a configuration to worker threads, and back to nothing.

mod build;
mod listening;

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use certificates::Certificates;
use datagram_io::{Crew, Stop, WorkerError, pin_to_core};
use lifecycle::Shutdown;
use prometheus::Registry;
use stream_io::Door;
use telemetry::Health;
use tokio::task::spawn_blocking;
use tracing::{debug, warn};

pub(crate) use self::build::make_room_for;
use crate::{
    Config, Reloader, Revoker, StartError,
    admin::{self, Token},
    alternates::Checks,
    drain::Draining,
    hosts::Watch,
    upstream::Upstream,
    worker::Worker,
};

/// The component this server is called in [`Health`].
const COMPONENT: &str = "turn";

/// What a server is started among.
pub struct Surroundings<'a> {
    registry: &'a Registry,
    health: &'a Health,
    shutdown: Shutdown,
    certificates: Option<Certificates>,
    door: Option<Door>,
}

impl<'a> Surroundings<'a> {
    /// Shows metrics in `registry` and readiness in `health`, and ends with `shutdown`.
    pub fn new(registry: &'a Registry, health: &'a Health, shutdown: Shutdown) -> Self {
        Self {
            registry,
            health,
            shutdown,
            certificates: None,
            door: None,
        }
    }

    /// Speaks TLS and DTLS with these certificates, from when the first has come; where there are to be none, as if they
    /// were not given.
    #[must_use]
    pub fn with_certificates(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates).filter(|certificates| !certificates.is_empty());
        self
    }

    /// Gives connections of the web to `door`, unless the configuration names a web server.
    #[must_use]
    pub fn with_door(mut self, door: Door) -> Self {
        self.door = Some(door);
        self
    }
}

/// Starts the server: when this returns, it is listening.
///
/// Workers are threads of their own; no tokio runtime is needed until [`Running::finished`].
///
/// # Errors
/// [`StartError`], and then nothing is left running.
pub fn start(config: &Config, surroundings: Surroundings<'_>) -> Result<Running, StartError> {
    let token = config.admin.token().map_err(|(key, what)| StartError::Config {
        key: format!("admin.{key}"),
        what,
    })?;
    if token.is_some() && config.admin.revoked_file.is_none() {
        warn!("turn.admin.revoked_file is not set: a restart forgets which credentials were revoked");
    }
    let built = build::build(config, &surroundings, Token::new(token.as_deref()))?;
    let has_certificate = surroundings.certificates.is_some();
    let could_speak_dtls = config.dtls.enabled && has_certificate;
    let speaks_dtls = cfg!(feature = "dtls") && config.wants_dtls() && has_certificate;
    if could_speak_dtls && !cfg!(feature = "dtls") {
        warn!(
            "there are certificates, but this program was built without DTLS: build it with the feature `dtls`, or set \
             turn.dtls.enabled = false"
        );
    } else if could_speak_dtls && !speaks_dtls {
        warn!(
            "DTLS is off: tls.min_version is 1.3, and DTLS is spoken in version 1.2 only; set min_version to 1.2, or \
             turn.dtls.enabled to false"
        );
    }
    let Surroundings { health, shutdown, .. } = surroundings;
    let mut crew = Crew::new();
    for (index, (worker, stop)) in built.workers.into_iter().enumerate() {
        let pinned = config.pin_workers.then_some(index);
        crew.spawn(&format!("turn-{index}"), stop, move || run(worker, pinned))
            .map_err(|source| StartError::System {
                what: "a worker thread",
                source,
            })?;
    }
    let no_thread = |source| StartError::System {
        what: "a thread",
        source,
    };
    let watch = Watch::start(built.hosts).map_err(no_thread)?;
    let every = Duration::from_secs(config.alternate.check_interval.max(1).into());
    let checks = Checks::start(&built.alternates, every).map_err(no_thread)?;
    health.set_ready(COMPONENT, true);
    Ok(Running {
        listeners: built.listeners,
        tcp_listeners: built.tcp_listeners,
        tls_listeners: built.tls_listeners,
        _upstream: built.upstream,
        speaks_dtls,
        crew,
        _watch: watch,
        _checks: checks,
        draining: built.draining,
        revoker: built.revoker,
        reloader: built.reloader,
        token: built.token,
        health: health.clone(),
        shutdown,
    })
}

/// Runs a worker, on a core of its own if it has a number for that.
fn run(worker: Worker, pinned: Option<usize>) -> io::Result<()> {
    match pinned.map(pin_to_core) {
        None => {}
        Some(Ok(core)) => debug!(core, "a worker stays on its core"),
        Some(Err(error)) => warn!(
            %error,
            "a worker goes on without a core of its own: permit sched_setaffinity(2), or set turn.pin_workers to false"
        ),
    }
    worker.run()
}

/// A server at work. Dropping it ends the workers, too.
pub struct Running {
    listeners: Vec<SocketAddr>,
    tcp_listeners: Vec<SocketAddr>,
    tls_listeners: Vec<SocketAddr>,
    _upstream: Option<Upstream>,
    speaks_dtls: bool,
    crew: Crew,
    _watch: Watch,
    _checks: Checks,
    draining: Draining,
    revoker: Revoker,
    reloader: Reloader,
    token: Token,
    health: Health,
    shutdown: Shutdown,
}

impl Running {
    /// The UDP addresses it listens on, ports never 0, in the order of the configuration.
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// The TCP addresses it listens on, likewise.
    pub fn tcp_listeners(&self) -> &[SocketAddr] {
        &self.tcp_listeners
    }

    /// Further TCP addresses, for TLS; none without a certificate.
    pub fn tls_listeners(&self) -> &[SocketAddr] {
        &self.tls_listeners
    }

    /// The UDP addresses that speak DTLS, too: all or, without certificates or [switched off](crate::Dtls), none.
    pub fn dtls_listeners(&self) -> &[SocketAddr] {
        if self.speaks_dtls { &self.listeners } else { &[] }
    }

    /// Takes credentials back while the server runs.
    pub fn revoker(&self) -> Revoker {
        self.revoker.clone()
    }

    /// Gives the server another configuration while it runs.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// The administrative routes, to be served beside metrics; 404 without a token in the [configuration](crate::Admin).
    pub fn admin(&self) -> Router {
        admin::router(self.token.clone(), self.revoker())
    }

    /// How many worker threads there are.
    pub fn workers(&self) -> usize {
        self.crew.len()
    }

    /// Serves until the shutdown is requested, the allocations have had the time of `drain_seconds` to end, and every
    /// worker has finished its batch and closed its sockets.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) as soon as a worker ends by itself; the others are stopped then.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn finished(self) -> Result<(), WorkerError> {
        let Self {
            crew,
            health,
            shutdown,
            draining,
            ..
        } = self;
        let stopping = Stopping {
            stops: crew.stops(),
            health: health.clone(),
        };
        let mut waiting = spawn_blocking(move || crew.wait());
        let drained = async {
            shutdown.wait().await;
            health.set_draining();
            draining.run().await;
        };
        let ended = tokio::select! {
            () = drained => None,
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
