#![no_main]

#[path = "../../crates/turn-core/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::any_orders(bytes));
