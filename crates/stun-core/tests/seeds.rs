//! Every file of the fuzzer's seed corpus goes through the function that its target calls.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod exercise;

use std::{fs, path::Path};

#[test]
fn every_seed_gets_a_proper_answer_or_none() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/binding");
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds.iter().for_each(|bytes| exercise::answer_any(bytes));
}
