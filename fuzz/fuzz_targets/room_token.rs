#![no_main]

#[expect(dead_code, reason = "the other target uses the rest")]
#[path = "../../crates/signaling/tests/reading/mod.rs"]
mod reading;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reading::room_token(bytes));
