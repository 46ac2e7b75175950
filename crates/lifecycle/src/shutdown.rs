//! The wish to end, known to everything that runs.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The wish to end; clones share it, and it cannot be taken back.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Makes one that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everything to drain and end; asking again changes nothing.
    pub fn request(&self) {
        self.0.cancel();
    }

    /// Tells whether the end has been asked for; cheap enough for every turn of a loop.
    pub fn requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the end is asked for.
    pub async fn wait(&self) {
        self.0.cancelled().await;
    }

    /// As [`wait`](Self::wait), for those who need a future that borrows nothing.
    pub fn wait_owned(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.clone().cancelled_owned()
    }
}

/// Listens for SIGTERM and SIGINT: the first asks for the end, a second one ends the process at once
/// with the code a shell expects (128 + signal).
///
/// # Errors
/// When the system refuses the signal handlers.
///
/// # Panics
/// Outside a tokio runtime.
pub fn on_signals() -> Result<Shutdown, std::io::Error> {
    let shutdown = Shutdown::new();
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(obey(terminate, interrupt, shutdown.clone()));
    Ok(shutdown)
}

async fn obey(mut terminate: Signal, mut interrupt: Signal, shutdown: Shutdown) {
    loop {
        let (name, code) = tokio::select! {
            _ = terminate.recv() => ("SIGTERM", 143),
            _ = interrupt.recv() => ("SIGINT", 130),
        };
        if shutdown.requested() {
            tracing::warn!(signal = name, "asked to end again, ending at once");
            process::exit(code);
        }
        // First the deed: whoever reads the log may be gone already.
        shutdown.request();
        tracing::info!(signal = name, "draining; the same signal again ends at once");
    }
}
