//! The free ports of one relay address, picked at random in constant time however few are left.

use rand::{RngExt as _, rngs::StdRng};

use crate::config::{PortRange, Share};

/// Keeps one worker's share of the ports of one address.
///
/// Ports are kept by pairs of an even port and the next odd one, because EVEN-PORT asks for an even port or
/// for a whole pair (RFC 8656 §7.2).
#[derive(Debug)]
pub(crate) struct Pool {
    range: PortRange,
    share: Share,
    even: DenseSet,
    odd: DenseSet,
    pairs: DenseSet,
    capacity: u32,
}

/// Says what kind of port is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Any,
    Even,
    /// An even port together with the next one.
    Pair,
}

impl Pool {
    pub(crate) fn new(range: PortRange, share: Share) -> Self {
        let pairs_below = (u32::from(*range.bounds().end()) - u32::from(range.first_pair())) / 2 + 1;
        let own = pairs_below
            .saturating_sub(u32::from(share.index()))
            .div_ceil(u32::from(share.of()));
        let set = || DenseSet::new(own as usize);
        let mut pool = Self {
            range,
            share,
            even: set(),
            odd: set(),
            pairs: set(),
            capacity: 0,
        };
        for place in 0..own as u16 {
            let even = pool.even_port(place);
            for port in [even, even | 1] {
                if range.contains(port) {
                    pool.put_back(port);
                    pool.capacity += 1;
                }
            }
        }
        pool
    }

    /// Takes a port, each with the same chance; of a pair, the even one is returned.
    pub(crate) fn take(&mut self, want: Want, rng: &mut StdRng) -> Option<u16> {
        let place = match want {
            Want::Pair => self.pairs.pick(rng)?,
            Want::Even => self.even.pick(rng)?,
            Want::Any => return self.take_any(rng),
        };
        self.even.remove(place);
        self.pairs.remove(place);
        if want == Want::Pair {
            self.odd.remove(place);
        }
        Some(self.even_port(place))
    }

    fn take_any(&mut self, rng: &mut StdRng) -> Option<u16> {
        let free = self.even.len() + self.odd.len();
        if free == 0 {
            return None;
        }
        let drawn = rng.random_range(0..free);
        let (place, odd) = match drawn.checked_sub(self.even.len()) {
            None => (self.even.items[drawn], 0),
            Some(drawn) => (self.odd.items[drawn], 1),
        };
        if odd == 0 {
            self.even.remove(place)
        } else {
            self.odd.remove(place)
        };
        self.pairs.remove(place);
        Some(self.even_port(place) | odd)
    }

    /// Makes a taken port free again; tells `false` if it was free or is none of this pool.
    pub(crate) fn put_back(&mut self, port: u16) -> bool {
        let Some(place) = self.place(port) else {
            return false;
        };
        let (set, neighbours) = match port & 1 {
            0 => (&mut self.even, &self.odd),
            _ => (&mut self.odd, &self.even),
        };
        let was_taken = set.insert(place);
        if neighbours.contains(place) {
            self.pairs.insert(place);
        }
        was_taken
    }

    pub(crate) fn is_free(&self, port: u16) -> bool {
        let set = if port & 1 == 0 { &self.even } else { &self.odd };
        self.place(port).is_some_and(|place| set.contains(place))
    }

    /// How many ports are taken.
    pub(crate) fn taken(&self) -> u32 {
        self.capacity - (self.even.len() + self.odd.len()) as u32
    }

    fn place(&self, port: u16) -> Option<u16> {
        let own = self.range.contains(port) && self.share.owner(self.range, port) == self.share.index();
        own.then(|| (port - self.range.first_pair()) / 2 / self.share.of())
    }

    fn even_port(&self, place: u16) -> u16 {
        self.range.first_pair() + 2 * (place * self.share.of() + self.share.index())
    }
}

/// Holds a subset of `0..n`, with all operations in constant time: the members lie side by side, and each
/// knows where.
#[derive(Debug)]
struct DenseSet {
    items: Vec<u16>,
    positions: Vec<u16>,
}

/// There are at most 32768 pairs, so this is no position.
const ABSENT: u16 = u16::MAX;

impl DenseSet {
    fn new(n: usize) -> Self {
        Self {
            items: Vec::with_capacity(n),
            positions: vec![ABSENT; n],
        }
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn contains(&self, item: u16) -> bool {
        self.positions[usize::from(item)] != ABSENT
    }

    fn insert(&mut self, item: u16) -> bool {
        if self.contains(item) {
            return false;
        }
        self.positions[usize::from(item)] = self.items.len() as u16;
        self.items.push(item);
        true
    }

    fn remove(&mut self, item: u16) -> bool {
        let position = self.positions[usize::from(item)];
        if position == ABSENT {
            return false;
        }
        self.items.swap_remove(usize::from(position));
        if let Some(&moved) = self.items.get(usize::from(position)) {
            self.positions[usize::from(moved)] = position;
        }
        self.positions[usize::from(item)] = ABSENT;
        true
    }

    fn pick(&self, rng: &mut StdRng) -> Option<u16> {
        (!self.items.is_empty()).then(|| self.items[rng.random_range(0..self.items.len())])
    }
}

#[cfg(test)]
mod tests;
