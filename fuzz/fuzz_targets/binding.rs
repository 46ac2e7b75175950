#![no_main]

#[path = "../../crates/stun-core/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::answer_any(bytes));
