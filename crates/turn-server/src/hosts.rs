//! This machine's addresses. They change while we run: privacy addresses rotate, leases are renewed, floating
//! IPs arrive. Clients must reach none of them, the new ones included.

use std::{
    io, mem,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use datagram_io::host_addresses;

/// How long a new address may go unnoticed. Reading them can wait for a lock in the kernel, which is why no
/// worker does it.
const READ_EVERY: Duration = Duration::from_secs(60);

/// The addresses as they were last read. Each worker has a clone, which knows what that worker has seen.
#[derive(Clone)]
pub(crate) struct Hosts {
    latest: Arc<Latest>,
    seen: u64,
}

struct Latest {
    generation: AtomicU64,
    addresses: Mutex<Vec<IpAddr>>,
}

impl Hosts {
    /// Begins with what the workers know already.
    pub(crate) fn new(addresses: Vec<IpAddr>) -> Self {
        Self {
            latest: Arc::new(Latest {
                generation: AtomicU64::new(0),
                addresses: Mutex::new(addresses),
            }),
            seen: 0,
        }
    }

    /// Gives all addresses if they changed since this clone was last asked. Otherwise it costs one load.
    ///
    /// Nobody is woken by a change: a worker that asks before it looks at datagrams cannot be late.
    pub(crate) fn changed(&mut self) -> Option<Vec<IpAddr>> {
        let generation = self.latest.generation.load(Relaxed);
        if mem::replace(&mut self.seen, generation) == generation {
            return None;
        }
        // The lock orders this after what the generation told of; something even newer is told twice.
        Some(self.latest.addresses().clone())
    }

    fn update(&self, now: Vec<IpAddr>) {
        let mut addresses = self.latest.addresses();
        // A machine has at least its loopback: an empty list is a reading that failed.
        if now.is_empty() || *addresses == now {
            return;
        }
        *addresses = now;
        self.latest.generation.fetch_add(1, Relaxed);
    }
}

impl Latest {
    fn addresses(&self) -> MutexGuard<'_, Vec<IpAddr>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that reads the addresses again and again; it ends when this is dropped.
pub(crate) struct Watch {
    _alive: Sender<()>,
}

impl Watch {
    /// Starts it.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn start(hosts: Hosts) -> io::Result<Self> {
        Self::with(hosts, READ_EVERY, host_addresses)
    }

    fn with(
        hosts: Hosts,
        every: Duration,
        mut read: impl FnMut() -> Vec<IpAddr> + Send + 'static,
    ) -> io::Result<Self> {
        let (alive, watched) = channel();
        thread::Builder::new()
            .name("host-addresses".to_owned())
            .spawn(move || {
                while watched.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    hosts.update(read());
                }
            })?;
        Ok(Self { _alive: alive })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn every_worker_is_told_of_a_change_once() {
        let (before, after) = (ips(&["127.0.0.1"]), ips(&["127.0.0.1", "192.0.2.1"]));
        let hosts = Hosts::new(before.clone());
        let mut workers = [hosts.clone(), hosts.clone()];
        hosts.update(before);
        assert!(workers.iter_mut().all(|worker| worker.changed().is_none()));
        hosts.update(after.clone());
        for worker in &mut workers {
            assert_eq!(worker.changed(), Some(after.clone()));
            assert_eq!(worker.changed(), None);
        }
    }

    #[test]
    fn a_reading_that_failed_changes_nothing() {
        let mut hosts = Hosts::new(ips(&["127.0.0.1"]));
        hosts.update(Vec::new());
        assert_eq!(hosts.changed(), None);
    }

    #[test]
    fn the_watch_reads_until_it_is_dropped() {
        let mut hosts = Hosts::new(ips(&["127.0.0.1"]));
        let (was_read, reads) = channel();
        let watch = Watch::with(hosts.clone(), Duration::from_millis(1), move || {
            // Nobody listens any more once the test is over.
            let _ = was_read.send(());
            ips(&["192.0.2.1"])
        })
        .unwrap();
        let patience = Duration::from_secs(10);
        // The second reading begins after the first one was handed over.
        for _ in 0..2 {
            reads.recv_timeout(patience).unwrap();
        }
        assert_eq!(hosts.changed(), Some(ips(&["192.0.2.1"])));
        drop(watch);
        let ended = std::iter::repeat_with(|| reads.recv_timeout(patience)).find_map(Result::err);
        assert_eq!(ended, Some(RecvTimeoutError::Disconnected));
    }
}
