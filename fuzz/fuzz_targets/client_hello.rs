#![no_main]

#[path = "../../crates/dtls-cookie/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = exercise::client_hello(bytes);
});
