//! Any sequence of datagrams leaves the books right; the fuzz target `turn_server` asks the same at length.

mod exercise;

use std::fs;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_orders_leave_the_books_right(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        exercise::any_orders(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Orders about connections to peers alone, which the above seldom brings together, and time between them.
    #[test]
    fn any_orders_about_peers_leave_the_books_right(
        steps in prop::collection::vec((0_u8..16, any::<u8>(), 0_u8..8), 0..120),
    ) {
        let order = |(step, last, pause): (u8, u8, u8)| {
            let kind = if pause == 0 { 6 } else { 2 };
            [step << 4 | kind, 1, last]
        };
        let bytes: Vec<_> = steps.into_iter().flat_map(order).collect();
        exercise::any_orders(&bytes);
    }
}

#[test]
fn every_seed_of_the_fuzz_target_passes() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/turn_server");
    let seeds: Vec<_> = fs::read_dir(seeds)
        .expect("the seed folder")
        .map(|entry| entry.expect("a seed").path())
        .collect();
    assert!(!seeds.is_empty());
    for seed in seeds {
        exercise::any_orders(&fs::read(seed).expect("a seed"));
    }
}
