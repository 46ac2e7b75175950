//! Bounds the answers that go to addresses which proved nothing: such an address may be forged, and the
//! answer then hits a bystander.

use std::{hash::Hash, net::IpAddr, time::Instant};

use ahash::RandomState;

use crate::config::UnauthorizedLimit;

/// Keeps one token bucket per hashed network, in a table that never grows.
///
/// Networks that share a bucket share its allowance. Which ones do depends on a random key, so that nobody
/// can choose to share a victim's.
pub(crate) struct ChallengeLimit {
    limit: UnauthorizedLimit,
    hasher: RandomState,
    start: Option<Instant>,
    /// Per bucket, the nanosecond since `start` at which it is full again: the "theoretical arrival time" of
    /// the generic cell rate algorithm.
    full_at: Box<[u64]>,
}

const BUCKETS: usize = 8192;
const NANOS: u64 = 1_000_000_000;

impl ChallengeLimit {
    pub(crate) fn new(limit: UnauthorizedLimit, hasher: RandomState) -> Self {
        Self {
            limit,
            hasher,
            start: None,
            full_at: vec![0; BUCKETS].into(),
        }
    }

    /// Goes on with another limit; what was answered counts on.
    pub(crate) fn set_limit(&mut self, limit: UnauthorizedLimit) {
        self.limit = limit;
    }

    /// Takes one answer from the allowance of the network of `ip`, or tells that there is none left.
    ///
    /// Loopback is not limited: the network never brings such an address in.
    pub(crate) fn admit(&mut self, now: Instant, ip: IpAddr) -> bool {
        if ip.is_loopback() {
            return true;
        }
        let start = *self.start.get_or_insert(now);
        let now = u64::try_from(now.saturating_duration_since(start).as_nanos()).unwrap_or(u64::MAX);
        let interval = NANOS / u64::from(self.limit.per_second.get());
        let allowance = interval * u64::from(self.limit.burst.get());
        let full_at = &mut self.full_at[bucket(&self.hasher, ip)];
        let next = (*full_at).max(now).saturating_add(interval);
        if next > now.saturating_add(allowance) {
            return false;
        }
        *full_at = next;
        true
    }
}

fn bucket(hasher: &RandomState, ip: IpAddr) -> usize {
    let hash = match ip {
        IpAddr::V4(ip) => hash_of(hasher, (4_u8, u64::from(ip.to_bits() >> 8))),
        IpAddr::V6(ip) => hash_of(hasher, (6_u8, (ip.to_bits() >> 72) as u64)),
    };
    hash as usize % BUCKETS
}

fn hash_of(hasher: &RandomState, network: impl Hash) -> u64 {
    hasher.hash_one(network)
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;
    use crate::testing::start;

    fn limit(per_second: u32, burst: u32) -> ChallengeLimit {
        let number = |n| NonZeroU32::new(n).unwrap();
        let limit = UnauthorizedLimit {
            per_second: number(per_second),
            burst: number(burst),
        };
        ChallengeLimit::new(limit, RandomState::with_seeds(1, 2, 3, 4))
    }

    fn admitted(limit: &mut ChallengeLimit, at: Instant, addresses: &[&str]) -> usize {
        addresses
            .iter()
            .filter(|text| limit.admit(at, text.parse().unwrap()))
            .count()
    }

    #[test]
    fn a_network_gets_its_burst_and_then_its_rate() {
        let mut limit = limit(10, 5);
        assert_eq!(admitted(&mut limit, start(), &["192.0.2.1"; 9]), 5);
        assert_eq!(
            admitted(
                &mut limit,
                start() + Duration::from_millis(300),
                &["192.0.2.1"; 9]
            ),
            3
        );
        assert_eq!(
            admitted(&mut limit, start() + Duration::from_secs(60), &["192.0.2.1"; 9]),
            5
        );
    }

    #[test]
    fn the_whole_slash_24_and_slash_56_share_one_allowance() {
        let mut limit = limit(1, 2);
        assert_eq!(
            admitted(&mut limit, start(), &["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
            2
        );
        assert_eq!(
            admitted(
                &mut limit,
                start(),
                &["2001:db8::1", "2001:db8:0:ff::1", "2001:db8:0:1::1"]
            ),
            2
        );
        assert_eq!(
            admitted(&mut limit, start(), &["198.51.100.1", "2001:db8:0:100::1"]),
            2
        );
    }

    #[test]
    fn loopback_is_not_limited() {
        assert_eq!(
            admitted(
                &mut limit(1, 1),
                start(),
                &["127.0.0.1", "127.0.0.1", "::1", "::1"]
            ),
            4
        );
    }
}
