//! The sessions by path and by number, and how many an address has.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use dtls_cookie::COOKIE;
use slab::Slab;

use crate::{Path, session::Session, sieve::Sieve};

/// Names a session. The index is dense; the generation tells a place's present tenant from its former ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// Place in the table.
    pub index: u32,
    /// Which of all sessions.
    pub generation: u32,
}

pub(crate) struct Entry {
    pub(crate) path: Path,
    pub(crate) session: Session,
    pub(crate) stage: Stage,
    /// The cookie its hello had: another hello with it is the same one again.
    pub(crate) cookie: [u8; COOKIE],
    /// The deadline that counts.
    pub(crate) wakes_at: Instant,
    generation: u32,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The handshake goes on.
    Opening {
        give_up_at: Instant,
        /// How long to wait before the last flight is sent again.
        pause: Duration,
        /// Datagrams it has taken.
        datagrams: u32,
        /// What OpenSSL gets to see of the next.
        sieve: Sieve,
        /// Until then no other handshake takes its place.
        settles_at: Instant,
    },
    /// The handshake is done.
    Open {
        /// When the client last proved that it is there.
        heard_at: Instant,
        /// Whether it has an allocation, and may be silent for as long as that lives.
        held: bool,
    },
}

/// The sessions of a path: a client that has lost its session opens another one beside it, and that takes its
/// place only when the handshake has proved that it was the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tenants {
    pub(crate) open: Option<SessionId>,
    pub(crate) opening: Option<SessionId>,
}

/// Strangers choose the keys of these maps; `HashMap`'s own hasher is seeded and made for that.
#[derive(Default)]
pub(crate) struct Table {
    entries: Slab<Entry>,
    paths: HashMap<Path, Tenants>,
    addresses: HashMap<IpAddr, u32>,
    /// Openings from the oldest on; those that are over stay until it is their turn.
    openings: VecDeque<SessionId>,
    half_open: usize,
    generations: u32,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn half_open(&self) -> usize {
        self.half_open
    }

    /// Counts the sessions of the network an address stands for.
    pub(crate) fn of_address(&self, address: IpAddr) -> u32 {
        self.addresses.get(&household(address)).copied().unwrap_or(0)
    }

    pub(crate) fn tenants(&self, path: &Path) -> Tenants {
        self.paths.get(path).copied().unwrap_or_default()
    }

    pub(crate) fn entry(&self, id: SessionId) -> Option<&Entry> {
        let entry = self.entries.get(id.index as usize);
        entry.filter(|entry| entry.generation == id.generation)
    }

    pub(crate) fn entry_mut(&mut self, id: SessionId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id.index as usize);
        entry.filter(|entry| entry.generation == id.generation)
    }

    /// Adds a session whose handshake goes on. **The path has no other such one.**
    pub(crate) fn insert(
        &mut self,
        path: Path,
        session: Session,
        cookie: [u8; COOKIE],
        stage: Stage,
        wakes_at: Instant,
    ) -> SessionId {
        self.generations = self.generations.wrapping_add(1);
        let generation = self.generations;
        let index = self.entries.insert(Entry {
            path,
            session,
            stage,
            cookie,
            wakes_at,
            generation,
        });
        let id = SessionId {
            index: index as u32,
            generation,
        };
        self.paths.entry(path).or_default().opening = Some(id);
        *self.addresses.entry(household(path.client.ip())).or_default() += 1;
        self.half_open += 1;
        self.openings.push_back(id);
        self.tidy_openings();
        id
    }

    /// Takes that a handshake is done; gives the session that had the path until now.
    pub(crate) fn opened(&mut self, id: SessionId, now: Instant) -> Option<SessionId> {
        let entry = self.entry_mut(id)?;
        entry.stage = Stage::Open {
            heard_at: now,
            held: false,
        };
        let path = entry.path;
        self.half_open -= 1;
        let tenants = self.paths.get_mut(&path)?;
        tenants.opening = None;
        tenants.open.replace(id)
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Entry> {
        self.entry(id)?;
        let entry = self.entries.remove(id.index as usize);
        if matches!(entry.stage, Stage::Opening { .. }) {
            self.half_open -= 1;
        }
        if let Some(tenants) = self.paths.get_mut(&entry.path) {
            tenants.open.take_if(|open| *open == id);
            tenants.opening.take_if(|opening| *opening == id);
            if *tenants == Tenants::default() {
                self.paths.remove(&entry.path);
            }
        }
        let household = household(entry.path.client.ip());
        if let Some(count) = self.addresses.get_mut(&household) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&household);
            }
        }
        Some(entry)
    }

    /// The session that has tried for the longest time.
    pub(crate) fn oldest_opening(&mut self) -> Option<SessionId> {
        while let Some(&id) = self.openings.front() {
            if self.is_opening(id) {
                return Some(id);
            }
            self.openings.pop_front();
        }
        None
    }

    /// Every session.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SessionId> {
        self.entries.iter().map(|(index, entry)| SessionId {
            index: index as u32,
            generation: entry.generation,
        })
    }

    fn is_opening(&self, id: SessionId) -> bool {
        self.entry(id)
            .is_some_and(|entry| matches!(entry.stage, Stage::Opening { .. }))
    }

    fn tidy_openings(&mut self) {
        if self.openings.len() > 2 * self.half_open + 64 {
            let mut openings = std::mem::take(&mut self.openings);
            openings.retain(|id| self.is_opening(*id));
            self.openings = openings;
        }
    }
}

/// What one customer has: an IPv4 address, or a /64 of IPv6.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}
