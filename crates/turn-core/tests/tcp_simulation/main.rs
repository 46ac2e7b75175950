//! The control path of TCP allocations (RFC 6062) on a simulated machine: clients that ask for anything at any time,
//! peers that accept, refuse, come and go, and time that passes.
//!
//! Every seed is another course of events. After each of them the server checks its own books, and an oracle that knows
//! only requests, answers and RFC 6062 says which connections to peers there are.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]
#![allow(clippy::disallowed_methods, reason = "seeds come from the environment")]

#[path = "../driver/mod.rs"]
mod driver;
mod oracle;
mod world;

use world::World;

/// Seeds of an ordinary run; WATARI_SIM_SEEDS asks for more.
const SEEDS: u64 = 200;

#[test]
fn tcp_relays_have_exactly_the_connections_that_were_granted_and_lose_them_in_time() {
    if let Some(seed) = number_from_env("WATARI_SIM_SEED") {
        return World::new(seed).live_and_die();
    }
    for seed in 0..number_from_env("WATARI_SIM_SEEDS").unwrap_or(SEEDS) {
        let lived = std::panic::catch_unwind(|| World::new(seed).live_and_die());
        assert!(
            lived.is_ok(),
            "replay: WATARI_SIM_SEED={seed} cargo test -p turn-core --test tcp_simulation -- --nocapture"
        );
    }
}

fn number_from_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text}")),
    )
}
