//! Which clients' datagrams arrive here although another worker holds their allocation: they moved, and the kernel
//! brings them to a worker by their address.

use std::time::{Duration, Instant};

use ahash::RandomState;
use hashbrown::HashMap;

use crate::types::FiveTuple;

/// Holds a way to another worker for each such client. Only that worker adds one, after it authenticated the client.
pub(crate) struct Routes {
    /// Strangers choose these keys, hence ahash with a random seed: they cannot make them collide.
    by_client: HashMap<FiveTuple, Route, RandomState>,
    /// Clients whose routes went because they were outlived, until somebody asks.
    outlived: Vec<FiveTuple>,
    capacity: usize,
    swept_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Route {
    worker: u16,
    /// When the allocation ends unless it is refreshed, which renews the route.
    until: Instant,
}

/// Routes that are outlived go when there is no room for another one; all are looked at so often at most.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Routes {
    pub(crate) fn new(hasher: RandomState, capacity: u32) -> Self {
        Self {
            by_client: HashMap::with_hasher(hasher),
            outlived: Vec::new(),
            capacity: capacity as usize,
            swept_at: None,
        }
    }

    /// Tells which worker holds the client's allocation, if it is another one. Without any route it costs nothing.
    pub(crate) fn owner(&self, now: Instant, client: FiveTuple) -> Option<u16> {
        let route = self.by_client.get(&client)?;
        (now < route.until).then_some(route.worker)
    }

    /// Adds or renews a route, or tells `false` if there are too many.
    pub(crate) fn keep(&mut self, now: Instant, client: FiveTuple, worker: u16, until: Instant) -> bool {
        if self.by_client.len() >= self.capacity && !self.by_client.contains_key(&client) {
            self.sweep(now);
            if self.by_client.len() >= self.capacity {
                return false;
            }
        }
        self.by_client.insert(client, Route { worker, until });
        true
    }

    pub(crate) fn forget(&mut self, client: FiveTuple) -> Option<u16> {
        self.by_client.remove(&client).map(|route| route.worker)
    }

    /// Gives a client whose route went to make room.
    pub(crate) fn next_outlived(&mut self) -> Option<FiveTuple> {
        self.outlived.pop()
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept_at.is_none_or(|at| at + SWEEP_EVERY <= now) {
            self.swept_at = Some(now);
            let outlived = self.by_client.extract_if(|_, route| now >= route.until);
            self.outlived.extend(outlived.map(|(client, _)| client));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "all are looked at, whatever the order")]
    pub(crate) fn check_invariants(&self, mut has_allocation: impl FnMut(FiveTuple) -> bool) {
        assert!(self.by_client.len() <= self.capacity, "too many routes");
        assert!(
            !self.by_client.keys().any(|&client| has_allocation(client)),
            "a route leads away from an allocation of this worker"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{five_tuple, start};

    #[test]
    fn a_full_table_makes_room_by_what_is_outlived_and_by_nothing_else() {
        let mut routes = Routes::new(RandomState::with_seeds(1, 2, 3, 4), 2);
        let later = |seconds| start() + Duration::from_secs(seconds);
        assert!(routes.keep(start(), five_tuple(1), 7, later(10)));
        assert!(routes.keep(start(), five_tuple(2), 7, later(20)));
        assert!(!routes.keep(later(5), five_tuple(3), 7, later(30)));
        assert!(routes.keep(later(5), five_tuple(2), 8, later(30)), "renewed");
        assert!(routes.keep(later(10), five_tuple(3), 7, later(30)));
        assert_eq!(routes.next_outlived(), Some(five_tuple(1)));
        assert_eq!(routes.next_outlived(), None);
        let owners = [1, 2, 3].map(|port| routes.owner(later(10), five_tuple(port)));
        assert_eq!(owners, [None, Some(8), Some(7)]);
    }

    #[test]
    fn a_route_ends_in_time_and_when_it_is_forgotten() {
        let mut routes = Routes::new(RandomState::with_seeds(1, 2, 3, 4), 2);
        routes.keep(start(), five_tuple(1), 7, start() + Duration::from_secs(10));
        let just_before = start() + Duration::from_millis(9_999);
        assert_eq!(routes.owner(just_before, five_tuple(1)), Some(7));
        assert_eq!(
            routes.owner(start() + Duration::from_secs(10), five_tuple(1)),
            None
        );
        assert_eq!(routes.forget(five_tuple(1)), Some(7));
        assert_eq!(routes.forget(five_tuple(1)), None);
    }
}
