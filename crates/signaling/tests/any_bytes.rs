//! Any bytes are a message, a token or nothing; the fuzz targets ask the same at length.

mod reading;

use std::fs;

use proptest::prelude::*;

proptest! {
    #[test]
    fn any_words_of_the_protocols_are_a_message_or_none(words in prop::collection::vec(0..WORDS.len(), 0..24)) {
        let text: String = words.into_iter().map(|word| WORDS[word]).collect();
        reading::message(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_a_room_token_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        reading::room_token(&bytes);
    }
}

/// What messages are made of.
const WORDS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"type\"",
    "\"payload\"",
    "\"dst\"",
    "\"topic\"",
    "\"to\"",
    "\"seq\"",
    "\"candidate\"",
    "\"description\"",
    "\"publish\"",
    "\"OFFER\"",
    "\"offer\"",
    "\"message\"",
    "\"0123456789abcdef0123456789abcdef\"",
    "null",
    "0",
    " ",
    "\"\\u0000\"",
    "\"渡\"",
];

#[test]
fn every_seed_of_the_fuzz_targets_passes() {
    for target in ["signaling_message", "room_token"] {
        let folder = format!("{}/../../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        let seeds = fs::read_dir(folder).expect("the seed folder");
        let seeds: Vec<_> = seeds.map(|entry| entry.expect("a seed").path()).collect();
        assert!(!seeds.is_empty());
        for seed in seeds {
            let bytes = fs::read(seed).expect("a seed");
            match target {
                "room_token" => reading::room_token(&bytes),
                _ => reading::message(&bytes),
            }
        }
    }
}
