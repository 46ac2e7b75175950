#![no_main]

#[path = "../../crates/turn-core/tests/opening/mod.rs"]
mod opening;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| opening::any_token(bytes));
