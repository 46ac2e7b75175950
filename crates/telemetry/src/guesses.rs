//! Who guesses passwords and keys: at most one line a minute for each address, for programs that shut such out.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// Addresses that are kept count of at a time, and so the most lines a minute.
const SLOTS: usize = 1024;

/// Seconds in which an address is named once.
const PAUSE: u32 = 60;

/// Writes that somebody at `address` guessed wrong, unless that was written within the last minute; then it is counted,
/// and the next line says how many.
///
/// **Only for addresses that are proven**: whoever reads the log shuts them out.
pub fn log_wrong_guess(over: &'static str, address: IpAddr, reason: &'static str) {
    static GUESSES: Guesses = Guesses::new();
    static SURROUNDINGS: OnceLock<(Instant, RandomState)> = OnceLock::new();
    let (start, hasher) = SURROUNDINGS.get_or_init(|| (Instant::now(), RandomState::new()));
    let second = u32::try_from(start.elapsed().as_secs()).unwrap_or(u32::MAX);
    let address = address.to_canonical();
    if let Some(failures) = GUESSES.permit_at(second, hasher.hash_one(household(address))) {
        // Filters read it from the line's beginning to the address, so nothing that a stranger says may stand before.
        tracing::warn!(target: "watari::guard", %address, failures, over, reason, "authentication failed");
    }
}

/// What one household has of its own: an IPv4 address, or an IPv6 /64.
fn household(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

/// Who was named lately, in a table that never grows and nobody waits for. Who would stand where another stands is left
/// out until that one's minute is over; where that is, a random key decides.
struct Guesses([Slot; SLOTS]);

struct Slot {
    /// Who, by half of the hash, and the second of the last line, counted from one; 0 is nobody.
    named: AtomicU64,
    /// Failures since then.
    failures: AtomicU32,
}

impl Guesses {
    const fn new() -> Self {
        Self(
            [const {
                Slot {
                    named: AtomicU64::new(0),
                    failures: AtomicU32::new(0),
                }
            }; SLOTS],
        )
    }

    /// How many failures there were since the last line, this one included, when it is time for another.
    fn permit_at(&self, second: u32, hash: u64) -> Option<u32> {
        let slot = &self.0[hash as usize % SLOTS];
        let second = second.saturating_add(1);
        let who = hash >> 32 << 32;
        let named = slot.named.load(Relaxed);
        let (is_same, last) = (named >> 32 << 32 == who, named as u32);
        let is_due = last == 0 || second.saturating_sub(last) >= PAUSE;
        let taken = is_due.then(|| {
            let next = who | u64::from(second);
            slot.named.compare_exchange(named, next, Relaxed, Relaxed)
        });
        match taken {
            Some(Ok(_)) if is_same => Some(slot.failures.swap(0, Relaxed).saturating_add(1)),
            Some(Ok(_)) => {
                slot.failures.store(0, Relaxed);
                Some(1)
            }
            Some(Err(_)) | None => {
                if is_same {
                    slot.failures.fetch_add(1, Relaxed);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes of two households that stand at one place.
    const ANNA: u64 = 1 << 32 | 7;
    const BERT: u64 = 2 << 32 | 7;

    #[test]
    fn an_address_is_named_once_a_minute_with_its_failures() {
        let guesses = Guesses::new();
        assert_eq!(guesses.permit_at(0, ANNA), Some(1));
        for second in [0, 1, 59] {
            assert_eq!(guesses.permit_at(second, ANNA), None);
        }
        assert_eq!(guesses.permit_at(60, ANNA), Some(4));
        assert_eq!(guesses.permit_at(61, ANNA), None);
        assert_eq!(guesses.permit_at(300, ANNA), Some(2));
    }

    #[test]
    fn others_have_a_minute_of_their_own_and_never_anothers_failures() {
        let guesses = Guesses::new();
        assert_eq!(guesses.permit_at(0, ANNA), Some(1));
        assert_eq!(guesses.permit_at(0, ANNA + 1), Some(1), "it stands elsewhere");
        assert_eq!(guesses.permit_at(30, ANNA), None);
        assert_eq!(guesses.permit_at(30, BERT), None, "the place is taken");
        assert_eq!(guesses.permit_at(60, BERT), Some(1));
        assert_eq!(guesses.permit_at(61, ANNA), None);
        assert_eq!(guesses.permit_at(120, ANNA), Some(1));
    }

    #[test]
    fn a_flood_from_everywhere_is_named_as_often_as_there_are_places() {
        let guesses = Guesses::new();
        let hasher = RandomState::new();
        let lines = (0..100_000_u64).filter_map(|at| guesses.permit_at(0, hasher.hash_one(at)));
        assert!(lines.count() <= SLOTS);
    }

    #[test]
    fn whoever_changes_within_a_slash_64_is_one_household() {
        let ip = |text: &str| household(text.parse().unwrap());
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:0:0:1"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
    }
}
