use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::SeedableRng as _;

use super::*;

fn pool(min: u16, max: u16) -> Pool {
    Pool::new(PortRange::new(min, max).unwrap(), Share::default())
}

fn rng() -> StdRng {
    StdRng::from_seed([7; 32])
}

fn take_all(pool: &mut Pool, want: Want, rng: &mut StdRng) -> BTreeSet<u16> {
    std::iter::from_fn(|| pool.take(want, rng)).collect()
}

#[test]
fn every_port_of_the_range_is_given_once() {
    for (min, max) in [
        (50_000, 50_009),
        (50_001, 50_010),
        (50_001, 50_001),
        (50_000, 50_000),
        (65_535, 65_535),
    ] {
        assert_eq!(
            take_all(&mut pool(min, max), Want::Any, &mut rng()),
            (min..=max).collect()
        );
    }
}

#[test]
fn the_whole_port_space_fits() {
    assert_eq!(
        take_all(&mut pool(1, 65_535), Want::Any, &mut rng()).len(),
        65_535
    );
}

#[test]
fn an_even_port_is_even_and_may_lack_a_neighbour() {
    let taken = take_all(&mut pool(50_001, 50_006), Want::Even, &mut rng());
    assert_eq!(taken, BTreeSet::from([50_002, 50_004, 50_006]));
}

#[test]
fn a_pair_is_whole() {
    let mut pool = pool(50_001, 50_006);
    assert_eq!(
        take_all(&mut pool, Want::Pair, &mut rng()),
        BTreeSet::from([50_002, 50_004])
    );
    assert_eq!(
        take_all(&mut pool, Want::Any, &mut rng()),
        BTreeSet::from([50_001, 50_006])
    );
}

#[test]
fn shares_divide_the_range_without_rest_or_overlap() {
    let range = PortRange::new(50_001, 50_020).unwrap();
    let mut all = BTreeSet::new();
    for index in 0..3 {
        let share = Share::new(index, 3).unwrap();
        for port in take_all(&mut Pool::new(range, share), Want::Any, &mut rng()) {
            assert_eq!(share.owner(range, port), index);
            assert!(all.insert(port), "{port} belongs to two workers");
        }
    }
    assert_eq!(all, range.bounds().collect());
}

#[test]
fn more_workers_than_pairs_leave_some_without_ports() {
    let mut pool = Pool::new(PortRange::new(50_000, 50_001).unwrap(), Share::new(2, 3).unwrap());
    assert_eq!(pool.take(Want::Any, &mut rng()), None);
    assert_eq!(pool.taken(), 0);
}

/// THREATS 13: 64 bins, 63 degrees of freedom; 120 is far beyond the 99.9th percentile (103).
#[test]
fn ports_are_drawn_evenly_even_when_nearly_all_are_taken() {
    let (mut pool, mut rng) = (pool(49_152, 65_535), rng());
    while pool.taken() < 16_384 - 163 {
        pool.take(Want::Any, &mut rng).unwrap();
    }
    let mut bins = [0_f64; 64];
    let draws = 64_000;
    let free: Vec<_> = (49_152..=65_535).filter(|&port| pool.is_free(port)).collect();
    for _ in 0..draws {
        let port = pool.take(Want::Any, &mut rng).unwrap();
        let rank = free.iter().position(|&one| one == port).unwrap();
        bins[rank * 64 / free.len()] += 1.0;
        pool.put_back(port);
    }
    let mut sizes = [0_f64; 64];
    (0..free.len()).for_each(|rank| sizes[rank * 64 / free.len()] += 1.0);
    let chi_squared: f64 = (0..64)
        .map(|bin| {
            let expected = f64::from(draws) * sizes[bin] / free.len() as f64;
            (bins[bin] - expected).powi(2) / expected
        })
        .sum();
    assert!(chi_squared < 120.0, "χ² = {chi_squared}");
}

#[test]
fn a_port_put_back_twice_is_free_once() {
    let mut pool = pool(50_000, 50_003);
    let port = pool.take(Want::Any, &mut rng()).unwrap();
    assert!(pool.put_back(port));
    assert!(!pool.put_back(port));
    assert!(!pool.put_back(40_000), "none of ours");
    assert_eq!(take_all(&mut pool, Want::Any, &mut rng()).len(), 4);
}

/// THREATS 19 and 21: a long random walk ends where it began.
#[test]
fn a_long_soak_loses_no_port() {
    let (mut pool, mut rng) = (pool(50_001, 50_200), rng());
    let mut held = Vec::new();
    for round in 0..200_000_u32 {
        let want = [Want::Any, Want::Even, Want::Pair][round as usize % 3];
        if rng.random_bool(0.52) {
            if let Some(port) = pool.take(want, &mut rng) {
                held.push(port);
                if want == Want::Pair {
                    held.push(port + 1);
                }
            }
        } else if !held.is_empty() {
            let port = held.swap_remove(rng.random_range(0..held.len()));
            assert!(pool.put_back(port));
        }
        assert_eq!(pool.taken() as usize, held.len());
    }
    held.drain(..).for_each(|port| assert!(pool.put_back(port)));
    assert_eq!(take_all(&mut pool, Want::Pair, &mut rng).len(), 99);
}

proptest! {
    #[test]
    fn the_pool_agrees_with_a_plain_set(
        min in 1_u16..=65_535, size in 0_u16..40, of in 1_u16..5, index in 0_u16..5,
        steps in prop::collection::vec((0_u8..4, any::<u16>()), 0..200),
    ) {
        let range = PortRange::new(min, min.saturating_add(size)).unwrap();
        let share = Share::new(index % of, of).unwrap();
        let mut pool = Pool::new(range, share);
        let mut rng = rng();
        let own: BTreeSet<u16> = range.bounds().filter(|&port| share.owner(range, port) == share.index()).collect();
        let mut free = own.clone();
        for (step, pick) in steps {
            match step {
                0 => match pool.take(Want::Any, &mut rng) {
                    Some(port) => prop_assert!(free.remove(&port)),
                    None => prop_assert!(free.is_empty()),
                },
                1 => match pool.take(Want::Even, &mut rng) {
                    Some(port) => prop_assert!(port & 1 == 0 && free.remove(&port)),
                    None => prop_assert!(!free.iter().any(|port| port & 1 == 0)),
                },
                2 => match pool.take(Want::Pair, &mut rng) {
                    Some(port) => prop_assert!(port & 1 == 0 && free.remove(&port) && free.remove(&(port + 1))),
                    None => prop_assert!(!free.iter().any(|port| port & 1 == 0 && free.contains(&(port + 1)))),
                },
                _ => {
                    let port = range.bounds().nth(usize::from(pick) % range.bounds().len()).unwrap();
                    prop_assert_eq!(pool.put_back(port), own.contains(&port) && free.insert(port));
                }
            }
            prop_assert_eq!(pool.taken() as usize, own.len() - free.len());
        }
    }
}
