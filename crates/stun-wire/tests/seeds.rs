//! Every file of the fuzzers' seed corpus goes through the function that its target calls.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod exercise;

use std::{fs, path::Path};

use stun_wire::Message;

/// Reads the seeds of a target; none at all is a mistake in the path.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

#[test]
fn every_seed_does_no_harm() {
    seeds("message").iter().for_each(|bytes| exercise::message(bytes));
    seeds("message_writer")
        .iter()
        .for_each(|bytes| exercise::message_writer(bytes));
    seeds("channel_data")
        .iter()
        .for_each(|bytes| exercise::channel_data(bytes));
    seeds("stream").iter().for_each(|bytes| exercise::stream(bytes));
}

#[test]
fn the_seeds_of_messages_reach_behind_the_frame_check() {
    let whole = |bytes: &Vec<u8>| Message::parse(bytes).is_ok() || Message::parse_classic(bytes).is_ok();
    let seeds = seeds("message");
    assert!(seeds.iter().filter(|bytes| whole(bytes)).count() * 3 > seeds.len() * 2);
}
