//! Which of several TURN nodes a client is told.

use sha2::{Digest as _, Sha256};

/// A node as the choice sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) name: &'a str,
    pub(super) region: Option<&'a str>,
    /// Its share of the clients, in proportion to the others' weights.
    pub(super) weight: u32,
    pub(super) is_healthy: bool,
}

/// Gives the places of up to `most` nodes for `user`, the best first.
///
/// Those of `region` come before all others. Within a region chance decides by weight, the same for a user each time
/// and on each signaling server (rendezvous hashing): when a node comes or goes, only its own clients change. Nodes that
/// are not healthy are passed over, unless none is.
pub(super) fn choose(
    candidates: &[Candidate<'_>],
    region: Option<&str>,
    user: &str,
    most: usize,
) -> Vec<usize> {
    let any_healthy = candidates.iter().any(|candidate| candidate.is_healthy);
    let mut ranked: Vec<_> = candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| candidate.is_healthy || !any_healthy)
        .map(|(place, candidate)| {
            let is_elsewhere = region.is_some() && candidate.region != region;
            (is_elsewhere, wait(candidate, user), place)
        })
        .collect();
    ranked.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
    ranked.into_iter().take(most).map(|(_, _, place)| place).collect()
}

/// A time drawn from the exponential distribution whose rate is the weight: of several, each is the least one as often
/// as its weight says.
fn wait(candidate: &Candidate<'_>, user: &str) -> f64 {
    let mut digest = Sha256::new();
    // The length keeps apart what only together is the same text.
    digest.update((candidate.name.len() as u64).to_be_bytes());
    digest.update(candidate.name);
    digest.update(user);
    let digest = digest.finalize();
    let word = u64::from_be_bytes(std::array::from_fn(|at| digest[at]));
    // 53 bits are what the number holds exactly; the half keeps it from 0 and 1.
    let uniform = ((word >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln() / f64::from(candidate.weight.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node<'a>(name: &'a str, region: &'a str, weight: u32) -> Candidate<'a> {
        Candidate {
            name,
            region: Some(region).filter(|region| !region.is_empty()),
            weight,
            is_healthy: true,
        }
    }

    /// How many of ten thousand users get each node first.
    fn shares(candidates: &[Candidate<'_>]) -> Vec<usize> {
        let mut shares = vec![0; candidates.len()];
        for user in 0..10_000 {
            shares[choose(candidates, None, &format!("{user}"), 2)[0]] += 1;
        }
        shares
    }

    #[test]
    fn nodes_get_clients_by_their_weights() {
        let shares = shares(&[node("a", "", 1), node("b", "", 2), node("c", "", 7)]);
        for (share, expected) in shares.into_iter().zip([1000, 2000, 7000_usize]) {
            assert!(share.abs_diff(expected) < 200, "{share} for {expected}");
        }
    }

    #[test]
    fn a_client_gets_nodes_of_its_region_first_and_then_others() {
        let candidates = [node("a", "eu", 100), node("b", "us", 1), node("c", "", 100)];
        for user in 0..100 {
            let chosen = choose(&candidates, Some("us"), &format!("{user}"), 2);
            assert_eq!((chosen[0], chosen.len()), (1, 2));
        }
        let unknown = choose(&candidates, Some("mars"), "anna", 3);
        assert_eq!(unknown, choose(&candidates, None, "anna", 3));
    }

    #[test]
    fn a_node_that_is_not_healthy_is_left_out_unless_none_is() {
        let mut candidates = [node("a", "eu", 1), node("b", "us", 1)];
        candidates[0].is_healthy = false;
        assert_eq!(choose(&candidates, Some("eu"), "anna", 2), [1]);
        candidates[1].is_healthy = false;
        assert_eq!(choose(&candidates, Some("eu"), "anna", 2), [0, 1]);
    }

    proptest! {
        #[test]
        fn who_loses_a_node_that_was_not_its_own_keeps_what_it_has(
            weights in prop::collection::vec(1_u32..100, 3..8),
            user in ".{0,20}",
            gone in 0_usize..8,
        ) {
            let names: Vec<_> = (0..weights.len()).map(|place| format!("node{place}")).collect();
            let mut candidates: Vec<_> =
                names.iter().zip(&weights).map(|(name, &weight)| node(name, "", weight)).collect();
            let before = choose(&candidates, None, &user, 2);
            let gone = gone % candidates.len();
            candidates[gone].is_healthy = false;
            let after = choose(&candidates, None, &user, 2);
            prop_assert!(!after.contains(&gone));
            for kept in before.iter().filter(|place| **place != gone) {
                prop_assert!(after.contains(kept), "{before:?} became {after:?} without {gone}");
            }
            prop_assert_eq!(after.len(), 2);
        }
    }
}
