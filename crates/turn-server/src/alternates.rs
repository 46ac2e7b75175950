//! Other servers that clients may be sent to, and which of them are there now.

mod probe;

use std::{
    io, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use prometheus::{IntGaugeVec, Opts, Registry};
use tracing::{info, warn};
use turn_core::Alternate;

/// The servers, and whether each answered when it was last asked. Each worker has a clone, which knows what that
/// worker has seen.
#[derive(Clone)]
pub(crate) struct Alternates {
    shared: Arc<Shared>,
    seen: u64,
}

struct Shared {
    servers: Vec<Alternate>,
    generation: AtomicU64,
    /// By place in `servers`. Nobody is there until it answered.
    answering: Mutex<Vec<bool>>,
    counts: IntGaugeVec,
}

impl Alternates {
    /// Shows in `registry` how many there are.
    pub(crate) fn new(servers: Vec<Alternate>, registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts = Opts::new(
            "turn_alternate_servers",
            "Other servers that clients may be sent to, by whether they answer.",
        );
        let counts = IntGaugeVec::new(opts, &["state"])?;
        registry.register(Box::new(counts.clone()))?;
        let answering = Mutex::new(vec![false; servers.len()]);
        let alternates = Self {
            shared: Arc::new(Shared {
                servers,
                generation: AtomicU64::new(0),
                answering,
                counts,
            }),
            seen: 0,
        };
        alternates.shared.count(&alternates.shared.answering());
        Ok(alternates)
    }

    /// Gives those that answer if there was a change since this clone was last asked. Otherwise it costs one load.
    pub(crate) fn changed(&mut self) -> Option<Vec<Alternate>> {
        let generation = self.shared.generation.load(Relaxed);
        if mem::replace(&mut self.seen, generation) == generation {
            return None;
        }
        // The lock orders this after what the generation told of; something even newer is told twice.
        let answering = self.shared.answering();
        let servers = self.shared.servers.iter().zip(answering.iter());
        Some(
            servers
                .filter(|(_, answers)| **answers)
                .map(|(server, _)| server.clone())
                .collect(),
        )
    }
}

impl Shared {
    fn note(&self, index: usize, answers: bool) {
        let mut answering = self.answering();
        if mem::replace(&mut answering[index], answers) == answers {
            return;
        }
        self.count(&answering);
        self.generation.fetch_add(1, Relaxed);
        let Alternate {
            address, transport, ..
        } = &self.servers[index];
        let transport = transport.name();
        if answers {
            info!(%address, transport, "alternate server answers");
        } else {
            warn!(%address, transport, "alternate server does not answer; no client is sent there");
        }
    }

    fn count(&self, answering: &[bool]) {
        let there = answering.iter().filter(|answers| **answers).count();
        for (state, count) in [("answering", there), ("silent", answering.len() - there)] {
            self.counts
                .with_label_values(&[state])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn answering(&self) -> MutexGuard<'_, Vec<bool>> {
        self.answering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads that ask the servers, one each; they end when this is dropped.
pub(crate) struct Checks {
    _alive: Vec<Sender<()>>,
}

impl Checks {
    /// Asks each server now and `every` so often.
    ///
    /// # Errors
    /// If a thread cannot be made.
    pub(crate) fn start(alternates: &Alternates, every: Duration) -> io::Result<Self> {
        Self::with(alternates, every, probe::answers)
    }

    fn with(
        alternates: &Alternates,
        every: Duration,
        ask: impl Fn(&Alternate) -> bool + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let checks = (0..alternates.shared.servers.len()).map(|index| {
            let (alive, watched) = channel::<()>();
            let (shared, ask) = (Arc::clone(&alternates.shared), ask.clone());
            thread::Builder::new()
                .name(format!("alternate-{index}"))
                .spawn(move || {
                    loop {
                        shared.note(index, ask(&shared.servers[index]));
                        if watched.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                            return;
                        }
                    }
                })?;
            Ok(alive)
        });
        Ok(Self {
            _alive: checks.collect::<io::Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU16, sync::atomic::AtomicBool, time::Instant};

    use turn_core::Transport;

    use super::*;

    fn alternate(port: u16) -> Alternate {
        Alternate {
            address: ([127, 0, 0, 1], port).into(),
            transport: Transport::Udp,
            weight: NonZeroU16::MIN,
            domain: None,
        }
    }

    fn ports(alternates: &[Alternate]) -> Vec<u16> {
        alternates.iter().map(|one| one.address.port()).collect()
    }

    fn shown(registry: &Registry) -> Vec<(String, f64)> {
        let family = registry.gather().remove(0);
        let samples = family.get_metric().iter();
        samples
            .map(|sample| {
                (
                    sample.get_label()[0].value().to_owned(),
                    sample.get_gauge().get_value(),
                )
            })
            .collect()
    }

    #[test]
    fn every_worker_is_told_of_a_change_once() {
        let registry = Registry::new();
        let alternates = Alternates::new(vec![alternate(1), alternate(2)], &registry).unwrap();
        let mut workers = [alternates.clone(), alternates.clone()];
        alternates.shared.note(0, false);
        assert!(workers.iter_mut().all(|worker| worker.changed().is_none()));
        alternates.shared.note(1, true);
        for worker in &mut workers {
            assert_eq!(worker.changed().as_deref().map(ports), Some(vec![2]));
            assert_eq!(worker.changed(), None);
        }
        let counts = [("answering", 1.0), ("silent", 1.0)].map(|(state, count)| (state.to_owned(), count));
        assert_eq!(shown(&registry), counts);
    }

    #[test]
    fn servers_are_asked_again_and_again_until_the_checks_are_dropped() {
        let mut alternates = Alternates::new(vec![alternate(1), alternate(2)], &Registry::new()).unwrap();
        let second_is_there = Arc::new(AtomicBool::new(true));
        let (asked, asks) = channel();
        let there = Arc::clone(&second_is_there);
        let checks = Checks::with(&alternates, Duration::from_millis(1), move |one| {
            // Nobody listens any more once the test is over.
            let _ = asked.send(());
            one.address.port() == 1 || there.load(Relaxed)
        })
        .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut wait_for = |expected: &[u16]| {
            let mut now = Vec::new();
            while now != expected {
                assert!(Instant::now() < deadline, "{now:?}, not {expected:?}");
                if let Some(changed) = alternates.changed() {
                    now = ports(&changed);
                }
                thread::sleep(Duration::from_millis(1));
            }
        };
        wait_for(&[1, 2]);
        second_is_there.store(false, Relaxed);
        wait_for(&[1]);
        drop(checks);
        let patience = Duration::from_secs(10);
        let ended = std::iter::repeat_with(|| asks.recv_timeout(patience)).find_map(Result::err);
        assert_eq!(ended, Some(RecvTimeoutError::Disconnected));
    }
}
