//! What is read as a ClientHello: those of real clients, and whatever else comes.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod exercise;

use std::{fs, path::Path};

use dtls_cookie::HelloError;
use exercise::client_hello;
use proptest::{collection::vec, prelude::*};

fn seed(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/client_hello");
    fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_seed_is_read_or_refused_for_its_reason() {
    for (name, expected) in [
        ("openssl-first", Ok(())),
        ("openssl-with-cookie", Ok(())),
        ("gnutls-first", Ok(())),
        ("gnutls-with-cookie", Ok(())),
        ("shortest", Ok(())),
        ("longest-cookie-and-a-record-after", Ok(())),
        ("fragment", Err(HelloError::Fragment)),
        ("session-id-too-long", Err(HelloError::Malformed)),
        ("odd-suites", Err(HelloError::Malformed)),
        ("extensions-overrun", Err(HelloError::Malformed)),
    ] {
        assert_eq!(client_hello(&seed(name)), expected, "{name}");
    }
}

#[test]
fn a_hello_that_is_cut_anywhere_is_none() {
    for name in ["openssl-first", "gnutls-with-cookie", "shortest"] {
        let whole = seed(name);
        for len in 0..whole.len() {
            assert_eq!(
                client_hello(&whole[..len]),
                Err(HelloError::Malformed),
                "{name} {len}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_in_place_of_some_are_read_or_refused(changes in vec((0..300_usize, any::<u8>()), 1..8)) {
        for name in ["openssl-with-cookie", "gnutls-first"] {
            let mut bytes = seed(name);
            for &(at, byte) in &changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            _ = client_hello(&bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        _ = client_hello(&bytes);
    }
}
