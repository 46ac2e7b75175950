//! A table whose places are reused, and whose keys tell a place's present tenant from its former ones.

use crate::types::{PeerConnectionId, RelayId};

/// Names a place and the tenancy it was given out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    pub(crate) fn index(self) -> u32 {
        self.index
    }
}

impl From<RelayId> for Key {
    fn from(relay: RelayId) -> Self {
        Self {
            index: relay.index,
            generation: relay.generation,
        }
    }
}

impl From<Key> for RelayId {
    fn from(key: Key) -> Self {
        Self {
            index: key.index,
            generation: key.generation,
        }
    }
}

impl From<PeerConnectionId> for Key {
    fn from(peer: PeerConnectionId) -> Self {
        Self {
            index: peer.index,
            generation: peer.generation,
        }
    }
}

impl From<Key> for PeerConnectionId {
    fn from(key: Key) -> Self {
        Self {
            index: key.index,
            generation: key.generation,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    vacant: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    tenant: Option<T>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
        }
    }

    /// Gives the tenant the place that was left last, so that indexes stay dense.
    pub(crate) fn insert(&mut self, tenant: T) -> Key {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                tenant: None,
            });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.tenant = Some(tenant);
        Key {
            index,
            generation: slot.generation,
        }
    }

    /// Gives the key of a place's present tenant.
    pub(crate) fn key_at(&self, index: u32) -> Option<Key> {
        let slot = self.slots.get(index as usize)?;
        slot.tenant.as_ref().map(|_| Key {
            index,
            generation: slot.generation,
        })
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        slot.tenant.as_ref().filter(|_| slot.generation == key.generation)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        slot.tenant.as_mut().filter(|_| slot.generation == key.generation)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| slot.tenant.as_mut())
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let tenant = slot.tenant.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.vacant.push(key.index);
        Some(tenant)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let key = Key {
                index: index as u32,
                generation: slot.generation,
            };
            slot.tenant.as_ref().map(|tenant| (key, tenant))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_tenants_key_opens_nothing() {
        let mut slots = Slots::new();
        let first = slots.insert("first");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second");
        assert_eq!(second.index, first.index, "the place is used again");
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&"second")));
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.key_at(0), Some(second));
        slots.remove(second);
        assert_eq!((slots.key_at(0), slots.key_at(1)), (None, None));
        slots.insert("third");
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn places_stay_dense() {
        let mut slots = Slots::new();
        for round in 0..1000 {
            let key = slots.insert(round);
            assert_eq!(key.index, 0);
            slots.remove(key);
        }
        assert_eq!(slots.iter().count(), 0);
    }
}
