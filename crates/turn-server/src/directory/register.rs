//! A map from hashes to workers that many threads read and write at once, none waiting for another.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Words of a group.
const GROUP: usize = 8;

/// One cache line, and never parts of two.
#[derive(Default)]
#[repr(align(64))]
struct Group([AtomicU64; GROUP]);

/// A fixed number of words, each empty or an entry. An entry stands in one of two groups, which its hash names.
///
/// ```text
/// | 48 bits of the hash | worker + 1 |      0 is empty
/// ```
///
/// Reading looks at two cache lines. The key itself is not kept: of 2⁴⁸ strangers one is taken for somebody who is
/// there, and is then handed to a worker that does not know him.
pub(super) struct Register {
    groups: Box<[Group]>,
}

impl Register {
    /// Makes one at most half full with so many entries. Two groups to choose from then do not run full.
    pub(super) fn for_up_to(entries: usize) -> Self {
        let groups = (2 * entries.max(GROUP)).next_power_of_two() / GROUP;
        Self {
            groups: (0..groups).map(|_| Group::default()).collect(),
        }
    }

    /// Adds an entry; `false` if both of its groups are full, and then it is not found.
    pub(super) fn insert(&self, hash: u64, worker: u16) -> bool {
        let entry = entry(hash, worker);
        let [one, other] = self.groups(hash);
        let taken = |group: &[AtomicU64; GROUP]| group.iter().filter(|word| word.load(Relaxed) != 0).count();
        let (first, second) = if taken(one) <= taken(other) {
            (one, other)
        } else {
            (other, one)
        };
        let mut words = first.iter().chain(second);
        words.any(|word| word.compare_exchange(0, entry, Relaxed, Relaxed).is_ok())
    }

    /// Removes an entry; `false` if there is none.
    pub(super) fn remove(&self, hash: u64, worker: u16) -> bool {
        let entry = entry(hash, worker);
        let mut words = self.groups(hash).into_iter().flatten();
        words.any(|word| word.compare_exchange(entry, 0, Relaxed, Relaxed).is_ok())
    }

    /// Finds the worker of an entry.
    pub(super) fn find(&self, hash: u64) -> Option<u16> {
        let wanted = entry(hash, 0) >> u16::BITS;
        let words = self.groups(hash).into_iter().flatten();
        let mut words = words.map(|word| word.load(Relaxed));
        let found = words.find(|word| *word != 0 && word >> u16::BITS == wanted)?;
        (found as u16).checked_sub(1)
    }

    fn groups(&self, hash: u64) -> [&[AtomicU64; GROUP]; 2] {
        let count = self.groups.len();
        // Bits that do not choose the first group choose the second.
        [hash, hash.rotate_left(u32::BITS)].map(|bits| &self.groups[bits as usize & (count - 1)].0)
    }
}

/// There are fewer than 65,535 workers: each has 64 ports at least.
fn entry(hash: u64, worker: u16) -> u64 {
    (hash & !u64::from(u16::MAX)) | u64::from(worker.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use ahash::RandomState;

    use super::*;

    fn hashes(from: u32, count: u32) -> Vec<u64> {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        (from..from + count)
            .map(|number| hasher.hash_one(number))
            .collect()
    }

    #[test]
    fn an_entry_is_found_until_it_is_removed_and_only_by_its_own_worker() {
        let register = Register::for_up_to(10);
        let hash = hashes(0, 1)[0];
        assert_eq!(register.find(hash), None);
        assert!(register.insert(hash, 7));
        assert_eq!(register.find(hash), Some(7));
        assert!(!register.remove(hash, 6));
        assert!(register.remove(hash, 7));
        assert!(!register.remove(hash, 7));
        assert_eq!(register.find(hash), None);
    }

    #[test]
    fn it_holds_what_it_is_made_for_and_a_full_one_refuses() {
        let register = Register::for_up_to(16_384);
        let all = hashes(0, 16_384);
        assert!(all.iter().all(|&hash| register.insert(hash, (hash % 9) as u16)));
        assert!(
            all.iter()
                .all(|&hash| register.find(hash) == Some((hash % 9) as u16))
        );
        assert!(
            hashes(1 << 20, 16_384)
                .iter()
                .all(|&hash| register.find(hash).is_none())
        );
        let more = hashes(1 << 21, 40_000);
        assert!(more.iter().any(|&hash| !register.insert(hash, 1)));
    }

    #[test]
    fn a_group_is_one_cache_line() {
        assert_eq!((size_of::<Group>(), align_of::<Group>()), (64, 64));
    }

    #[test]
    fn one_entry_twice_is_removed_one_at_a_time() {
        let register = Register::for_up_to(10);
        let hash = hashes(0, 1)[0];
        assert!(register.insert(hash, 1) && register.insert(hash, 1));
        assert!(register.remove(hash, 1));
        assert_eq!(register.find(hash), Some(1));
    }

    #[test]
    fn workers_that_write_at_once_lose_nothing() {
        let register = Register::for_up_to(8_000);
        thread::scope(|scope| {
            for worker in 0..4_u16 {
                let register = &register;
                scope.spawn(move || {
                    let own = hashes(u32::from(worker) << 20, 2_000);
                    for _ in 0..20 {
                        assert!(own.iter().all(|&hash| register.insert(hash, worker)));
                        assert!(own.iter().all(|&hash| register.find(hash) == Some(worker)));
                        assert!(own.iter().all(|&hash| register.remove(hash, worker)));
                    }
                });
            }
        });
        let mut words = register.groups.iter().flat_map(|group| &group.0);
        assert!(words.all(|word| word.load(Relaxed) == 0));
    }
}
