//! Every seed of the fuzz target, and random bytes, hold to what `exercise` demands.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(unreachable_pub, reason = "the fuzz target includes it, too")]
mod exercise;

use std::{fs, path::Path};

use proptest::prelude::*;

#[test]
fn every_seed_is_read_the_same_however_it_is_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/first_bytes");
    let seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds.iter().for_each(|bytes| exercise::first_bytes(bytes));
}

proptest! {
    #[test]
    fn whatever_comes_is_read_the_same_however_it_is_cut(
        start in prop::sample::select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n", b"\x16\x03\x01"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        exercise::first_bytes(&[start, &bytes].concat());
    }
}
