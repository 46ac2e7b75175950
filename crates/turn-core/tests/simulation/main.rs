//! The server on a simulated internet: clients behind NATs, lossy links, clock jumps and a hostile sender.
//!
//! Every seed is another world. After every call the server checks its own books, and an oracle that knows only
//! requests, answers and RFC 8656 says what must be relayed and what must not. In the end everything is free again.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]
#![allow(clippy::print_stderr, reason = "a failing seed is named on stderr")]
#![allow(clippy::disallowed_methods, reason = "seeds come from the environment")]
#![allow(
    clippy::disallowed_types,
    reason = "the quota is shared as in a shell, behind a lock"
)]

mod build;
mod client;
mod finale;
mod hostile;
mod judge;
mod machine;
mod oracle;
mod peer;
mod plan;
mod request;
#[path = "../tokens/mod.rs"]
mod tokens;
mod world;

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

/// Seeds of an ordinary run; WATARI_SIM_SEEDS asks for more.
const SEEDS: u64 = 200;

#[test]
fn relays_exactly_what_was_permitted_and_frees_everything_in_the_end() {
    if let Some(seed) = number_from_env("WATARI_SIM_SEED") {
        return World::new(seed).live_and_die();
    }
    let seeds = number_from_env("WATARI_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| run_seeds(&next, seeds)))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    for seed in &failed {
        eprintln!(
            "seed {seed} failed; replay: WATARI_SIM_SEED={seed} cargo test -p turn-core --test simulation -- --nocapture"
        );
    }
    assert!(
        failed.is_empty(),
        "{} of {seeds} seeds failed: {failed:?}",
        failed.len()
    );
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let lives = [7, 7, 8].map(|seed| {
        let mut world = World::new(seed);
        world.live_and_die();
        world.summary()
    });
    assert_eq!(lives[0], lives[1]);
    assert_ne!(lives[0], lives[2]);
}

/// Takes seeds until none is left; gives back those that failed.
fn run_seeds(next: &AtomicU64, seeds: u64) -> Vec<u64> {
    let taken =
        std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds));
    taken
        .filter(|&seed| panic::catch_unwind(|| World::new(seed).live_and_die()).is_err())
        .collect()
}

fn number_from_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text}")),
    )
}
