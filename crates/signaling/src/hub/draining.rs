//! Sends clients away one after the other, so that they do not all come back at once.

use std::time::Duration;

use rand::seq::SliceRandom as _;
use tokio::time::{Instant, sleep_until};

use super::seats::Place;

/// How much of the time a single client takes up at most: few clients need not wait for the end of it.
const EACH: Duration = Duration::from_millis(2);

/// Does something with each place, in no order, spread over about `over`.
pub(super) async fn in_turn(mut places: Vec<Place>, over: Duration, mut send_away: impl FnMut(Place)) {
    places.shuffle(&mut rand::rng());
    let count = u32::try_from(places.len()).unwrap_or(u32::MAX).max(1);
    let each = (over / count).min(EACH);
    let began = Instant::now();
    for (turn, place) in (0..).zip(places) {
        sleep_until(began + each * turn).await;
        send_away(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::MemberId;

    #[tokio::test(start_paused = true)]
    async fn many_are_spread_over_the_time_and_few_are_done_at_once() {
        for (count, millis) in [(0, 0), (10, 18), (5000, 1999)] {
            let began = Instant::now();
            let places = (0..count).map(|id| Place::new(MemberId::new(id), 1)).collect();
            let mut gone = 0;
            in_turn(places, Duration::from_secs(2), |_| gone += 1).await;
            assert_eq!(gone, count);
            let took = began.elapsed().as_millis();
            assert!((millis..millis + 5).contains(&took), "{took} ms for {count}");
        }
    }
}
