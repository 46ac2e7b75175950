//! The handle to the pairs that are being served.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use tracing::warn;

use crate::{MinVersion, Mistake, Pair, PairConfig, tls};

/// The live set of certificates; clones share it.
#[derive(Clone, Default)]
pub struct Certificates {
    shared: Arc<Shared>,
    /// If only those of some files are served.
    part: Option<Arc<Part>>,
}

/// A part of the set.
struct Part {
    files: Vec<PairConfig>,
    /// Its pairs, and of which generation they are.
    chosen: ArcSwap<(Arc<Vec<Pair>>, u64)>,
}

#[derive(Default)]
struct Shared {
    files: Vec<PairConfig>,
    live: ArcSwap<Live>,
    tried: AtomicU64,
    failed: AtomicU64,
    unrenewed: AtomicU64,
}

/// What one generation serves.
#[derive(Default)]
struct Live {
    pairs: Arc<Vec<Pair>>,
    /// Which of the files they are from.
    places: Vec<usize>,
    generation: u64,
}

impl Certificates {
    /// Reads all pairs, or names everything wrong with any of them. Awaited ones that are not there yet are served from
    /// when they come; see [`Certificates::watch`].
    ///
    /// An expired certificate is served all the same, with a warning: some clients do not look, and the relay
    /// is worth more to them than no relay.
    pub fn load(files: &[PairConfig]) -> Result<Self, Vec<Mistake>> {
        let (places, pairs) = read_all(files, &[])?;
        for (place, files) in files.iter().enumerate() {
            if !places.contains(&place) {
                let (certificate, key) = (files.certificate.display(), files.key.display());
                warn!(
                    "{certificate} and {key} are not there yet: nobody is shown this certificate until they have come"
                );
            }
        }
        let live = Live {
            pairs: Arc::new(pairs),
            places,
            generation: 0,
        };
        let shared = Shared {
            files: files.to_vec(),
            live: ArcSwap::from_pointee(live),
            ..Shared::default()
        };
        Ok(Self {
            shared: Arc::new(shared),
            part: None,
        })
    }

    /// Whether there is nothing to serve, neither now nor later.
    pub fn is_empty(&self) -> bool {
        self.part
            .as_ref()
            .map_or(&self.shared.files, |part| &part.files)
            .is_empty()
    }

    /// A part of the set, of the pairs in these files; it follows the whole.
    #[must_use]
    pub fn of(&self, files: &[PairConfig]) -> Self {
        let live = self.shared.live.load();
        let chosen = (choose(&live.pairs, files), live.generation);
        Self {
            shared: Arc::clone(&self.shared),
            part: Some(Arc::new(Part {
                files: files.to_vec(),
                chosen: ArcSwap::from_pointee(chosen),
            })),
        }
    }

    /// Settings of a TLS listener that speaks these application protocols, the preferred one first; with none a
    /// client's list is ignored. The certificate is chosen from the live set at each handshake.
    pub fn server_config(&self, alpn: &[&[u8]], min: MinVersion) -> Arc<rustls::ServerConfig> {
        tls::server_config(self, alpn, min)
    }

    /// The pairs of this moment.
    pub fn pairs(&self) -> Arc<Vec<Pair>> {
        let live = self.shared.live.load();
        let Some(part) = &self.part else {
            return live.pairs.clone();
        };
        let chosen = part.chosen.load();
        if chosen.1 == live.generation {
            return chosen.0.clone();
        }
        let pairs = choose(&live.pairs, &part.files);
        part.chosen.store(Arc::new((pairs.clone(), live.generation)));
        pairs
    }

    /// Rises each time that other pairs are served.
    pub fn generation(&self) -> u64 {
        self.shared.live.load().generation
    }

    /// Reads the files again and serves them from the next handshake on, if all of them are in order.
    ///
    /// Says whether anything changed; with a mistake everything stays as it is.
    pub fn reload(&self) -> Result<bool, Vec<Mistake>> {
        self.shared.tried.fetch_add(1, Relaxed);
        let served = self.shared.live.load();
        let (places, pairs) = read_all(&self.shared.files, &served.places).inspect_err(|_| {
            self.shared.failed.fetch_add(1, Relaxed);
        })?;
        let is_same = same(&pairs, &served.pairs);
        if !is_same {
            self.replace(places, pairs);
        }
        Ok(!is_same)
    }

    /// How often changed files were refused since the start.
    pub fn reload_failures(&self) -> u64 {
        self.shared.failed.load(Relaxed)
    }

    /// How often no new certificate was to be had from a directory.
    pub fn renewal_failures(&self) -> u64 {
        self.shared.unrenewed.load(Relaxed)
    }

    pub(crate) fn count_renewal_failure(&self) {
        self.shared.unrenewed.fetch_add(1, Relaxed);
    }

    pub(crate) fn files(&self) -> &[PairConfig] {
        &self.shared.files
    }

    #[cfg(test)]
    pub(crate) fn reloads_tried(&self) -> u64 {
        self.shared.tried.load(Relaxed)
    }

    /// Serves these pairs from the next handshake on.
    fn replace(&self, places: Vec<usize>, pairs: Vec<Pair>) {
        let pairs = Arc::new(pairs);
        self.shared.live.rcu(|live| Live {
            pairs: pairs.clone(),
            places: places.clone(),
            generation: live.generation + 1,
        });
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("pairs", &self.pairs())
            .field("generation", &self.generation())
            .finish()
    }
}

/// Pairs, and which of the files they are from. Awaited ones may be missing until they have been served once.
fn read_all(files: &[PairConfig], served: &[usize]) -> Result<(Vec<usize>, Vec<Pair>), Vec<Mistake>> {
    let (mut places, mut pairs, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    for (place, files) in files.iter().enumerate() {
        match Pair::read(files) {
            Ok(read) => {
                read.warn_about(files);
                places.push(place);
                pairs.push(read);
            }
            Err(problem) if problem.is_absence() && files.awaited && !served.contains(&place) => {}
            Err(problem) => mistakes.push(Mistake { pair: place, problem }),
        }
    }
    if mistakes.is_empty() {
        Ok((places, pairs))
    } else {
        Err(mistakes)
    }
}

/// The pairs that were read from these files.
fn choose(pairs: &[Pair], files: &[PairConfig]) -> Arc<Vec<Pair>> {
    let chosen = pairs.iter().filter(|pair| files.contains(&pair.files));
    Arc::new(chosen.cloned().collect())
}

fn same(some: &[Pair], others: &[Pair]) -> bool {
    some.len() == others.len()
        && some
            .iter()
            .zip(others)
            .all(|(one, other)| one.chain == other.chain && one.key.secret_der() == other.key.secret_der())
}

#[cfg(test)]
mod tests;
