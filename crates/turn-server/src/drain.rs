//! The time between the wish to end and the end, in which allocations go on and none is made.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus::{IntGauge, Registry};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::info;

use crate::figures::{Figure, Published};

/// How often it is looked whether an allocation is left. It is longer than published figures may be late, so that
/// one that was made at the last moment is seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The word that the server drains. Workers look at it before they look at datagrams, so it wakes nobody.
#[derive(Clone, Default)]
pub(crate) struct Drain(Arc<AtomicBool>);

impl Drain {
    /// Whether no allocation is to be made any more.
    pub(crate) fn is_begun(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// What drains the server.
pub(crate) struct Draining {
    drain: Drain,
    most: Duration,
    published: Vec<Arc<Published>>,
    gauge: IntGauge,
}

impl Draining {
    /// Lets a drain take up to `most`, and shows it in `registry`.
    pub(crate) fn new(
        most: Duration,
        published: Vec<Arc<Published>>,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let gauge = IntGauge::new(
            "turn_draining",
            "1 while the server waits for its allocations to end, and makes no new ones.",
        )?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(Self {
            drain: Drain::default(),
            most,
            published,
            gauge,
        })
    }

    /// What workers look at.
    pub(crate) fn word(&self) -> Drain {
        self.drain.clone()
    }

    /// Begins, and waits until no allocation is left or the time is over.
    pub(crate) async fn run(&self) {
        if self.most.is_zero() {
            return;
        }
        self.drain.0.store(true, Relaxed);
        self.gauge.set(1);
        let deadline = Instant::now() + self.most;
        info!(
            relays = self.relays(),
            seconds = self.most.as_secs(),
            "no new allocations; waiting for those there are to end"
        );
        tokio::select! {
            () = self.emptied() => info!("no allocation is left"),
            () = sleep_until(deadline) => info!(relays = self.relays(), "the time to drain is over"),
        }
    }

    async fn emptied(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            if self.relays() == 0 {
                return;
            }
        }
    }

    fn relays(&self) -> u64 {
        let figures = self.published.iter().flat_map(|published| published.read());
        figures
            .filter(|(figure, _)| matches!(figure, Figure::Allocations(..)))
            .map(|(_, count)| count)
            .sum()
    }
}
