//! Any bytes are an access token or none; the fuzz target `access_token` asks the same at length.

mod opening;

use std::fs;

use proptest::prelude::*;

proptest! {
    #[test]
    fn any_bytes_are_a_token_or_none(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        opening::any_token(&bytes);
    }

    #[test]
    fn any_block_is_a_token_or_none(
        cipher in prop::sample::select(vec![1_u8, 3]), claimed in 0_u16..70, more in 0_usize..90, fill in any::<u8>(),
    ) {
        let mut bytes = vec![cipher];
        bytes.extend(claimed.to_be_bytes());
        bytes.extend(vec![fill; more]);
        opening::any_token(&bytes);
    }
}

#[test]
fn every_seed_of_the_fuzz_target_passes() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/access_token");
    let seeds: Vec<_> = fs::read_dir(seeds)
        .expect("the seed folder")
        .map(|entry| entry.expect("a seed").path())
        .collect();
    assert!(!seeds.is_empty());
    for seed in seeds {
        opening::any_token(&fs::read(seed).expect("a seed"));
    }
}
