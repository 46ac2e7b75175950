#![no_main]

#[path = "../../crates/stream-io/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::first_bytes(bytes));
