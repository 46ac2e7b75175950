#![expect(
    clippy::disallowed_methods,
    reason = "tests begin with some instant; which one does not matter"
)]

use std::time::Duration;

use super::*;

const FIRST: &[u8] = include_bytes!("../../../../fuzz/seeds/client_hello/openssl-first");

fn way() -> Way {
    Way {
        client: "192.0.2.1:4000".parse().unwrap(),
        server: "198.51.100.1:3478".parse().unwrap(),
    }
}

/// The hello with this cookie in it, as its client would send it again.
fn with_cookie(cookie: &[u8]) -> Vec<u8> {
    let length = 13 + 12 + 2 + 32 + 1;
    let mut bytes = FIRST.to_vec();
    bytes[length] = cookie.len() as u8;
    bytes.splice(length + 1..length + 1, cookie.iter().copied());
    for field in [11..13, 14 + 1..14 + 3, 22 + 1..22 + 3] {
        let old = u16::from_be_bytes([bytes[field.start], bytes[field.start + 1]]);
        bytes[field].copy_from_slice(&(old + cookie.len() as u16).to_be_bytes());
    }
    bytes
}

#[test]
fn a_cookie_is_good_for_half_a_minute_and_never_for_a_minute() {
    let start = Instant::now();
    let cookies = Cookies::new(&[1; 32], start);
    for made in [0, 1, 29, 30, 45] {
        let made_at = start + Duration::from_secs(made);
        let cookie = cookies.mint(made_at, way(), &ClientHello::parse(FIRST).unwrap());
        let bytes = with_cookie(&cookie);
        let hello = ClientHello::parse(&bytes).unwrap();
        let is_good = |seconds| cookies.recognise(made_at + Duration::from_secs(seconds), way(), &hello);
        assert!(is_good(0) && is_good(30));
        assert!(!is_good(60) && !is_good(3600));
    }
}

#[test]
fn a_cookie_of_another_secret_address_or_hello_is_not_known() {
    let now = Instant::now();
    let cookies = Cookies::new(&[1; 32], now);
    let first = ClientHello::parse(FIRST).unwrap();
    let cookie = cookies.mint(now, way(), &first);
    let bytes = with_cookie(&cookie);
    let hello = ClientHello::parse(&bytes).unwrap();
    assert!(cookies.recognise(now, way(), &hello));

    assert!(!Cookies::new(&[2; 32], now).recognise(now, way(), &hello));
    let (mut client, mut server) = (way(), way());
    client.client.set_port(4001);
    server.server.set_port(3479);
    let mapped = Way {
        client: "[::ffff:192.0.2.1]:4000".parse().unwrap(),
        ..way()
    };
    for other in [client, server, mapped] {
        assert!(!cookies.recognise(now, other, &hello));
    }
    let mut another = bytes.clone();
    another[13 + 12 + 2] ^= 1;
    assert!(!cookies.recognise(now, way(), &ClientHello::parse(&another).unwrap()));
    for part in [&cookie[..0], &cookie[..15], &[cookie, cookie].concat()] {
        let bytes = with_cookie(part);
        assert!(!cookies.recognise(now, way(), &ClientHello::parse(&bytes).unwrap()));
    }
}
