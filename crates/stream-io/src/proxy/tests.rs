//! Headers as proxies send them, cut anywhere, and what is none.

use proptest::prelude::*;

use super::*;

fn complete(len: usize, client: Option<&str>) -> ProxyHeader {
    ProxyHeader::Complete {
        len,
        client: client.map(|client| client.parse().unwrap()),
    }
}

fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [SIGNATURE_2, &[command, family], &length, body].concat()
}

/// 192.0.2.7:56324 to 203.0.113.1:443.
const TCP4: [u8; 12] = [192, 0, 2, 7, 203, 0, 113, 1, 0xdc, 0x04, 0x01, 0xbb];

fn tcp6() -> Vec<u8> {
    let from: Ipv6Addr = "2001:db8::7".parse().unwrap();
    let to: Ipv6Addr = "2001:db8::1".parse().unwrap();
    [&from.octets()[..], &to.octets(), &[0xdc, 0x04, 0x01, 0xbb]].concat()
}

#[test]
fn a_line_names_the_client() {
    for (line, client) in [
        (
            "PROXY TCP4 192.0.2.7 203.0.113.1 56324 443\r\n",
            Some("192.0.2.7:56324"),
        ),
        (
            "PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n",
            Some("[2001:db8::7]:56324"),
        ),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    ] {
        let bytes = format!("{line}\x16\x03");
        assert_eq!(
            read_header(bytes.as_bytes()),
            complete(line.len(), client),
            "{line}"
        );
    }
}

#[test]
fn a_line_that_is_not_as_it_should_be_is_refused() {
    let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(100));
    for line in [
        "PROXY TCP4 192.0.2.7 203.0.113.1 56324\r\n",
        "PROXY TCP4 192.0.2.7 203.0.113.1 56324 443 \r\n",
        "PROXY TCP4  192.0.2.7 203.0.113.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.7 203.0.113.1 +5 443\r\n",
        "PROXY TCP4 192.0.2.7 203.0.113.1 05 443\r\n",
        "PROXY TCP4 192.0.2.7 203.0.113.1 65536 443\r\n",
        "PROXY TCP4 192.0.2.07 203.0.113.1 1 443\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 443\r\n",
        "PROXY TCP6 192.0.2.7 203.0.113.1 1 443\r\n",
        "PROXY UDP4 192.0.2.7 203.0.113.1 1 443\r\n",
        "PROXY \r\n",
        "PROXY tcp4 192.0.2.7 203.0.113.1 1 443\r\n",
        "GET / HTTP/1.1\r\n",
        &long,
    ] {
        assert_eq!(read_header(line.as_bytes()), ProxyHeader::Invalid, "{line}");
    }
}

#[test]
fn a_binary_header_names_the_client_and_what_follows_the_addresses_is_skipped() {
    let cases = [
        (binary(0x21, 0x11, &TCP4), Some("192.0.2.7:56324")),
        (
            binary(0x21, 0x11, &[&TCP4[..], &[4, 0, 1, 0]].concat()),
            Some("192.0.2.7:56324"),
        ),
        (binary(0x21, 0x21, &tcp6()), Some("[2001:db8::7]:56324")),
        (binary(0x20, 0x00, &[]), None),
        (binary(0x20, 0x11, &TCP4), None),
        (binary(0x21, 0x00, &[1, 2, 3]), None),
    ];
    for (header, client) in cases {
        let bytes = [&header[..], b"\x00\x01"].concat();
        assert_eq!(read_header(&bytes), complete(header.len(), client), "{header:?}");
    }
}

#[test]
fn a_binary_header_that_is_not_as_it_should_be_is_refused() {
    let mut long = binary(0x21, 0x11, &TCP4);
    long[field::LENGTH].copy_from_slice(&4097_u16.to_be_bytes());
    for header in [
        binary(0x11, 0x11, &TCP4),
        binary(0x22, 0x11, &TCP4),
        binary(0x21, 0x12, &TCP4),
        binary(0x21, 0x31, &[0; 216]),
        binary(0x21, 0x11, &TCP4[..11]),
        binary(0x21, 0x21, &TCP4),
        long,
    ] {
        assert_eq!(read_header(&header), ProxyHeader::Invalid, "{header:?}");
    }
}

#[test]
fn a_header_that_is_cut_anywhere_is_waited_for() {
    let headers = [
        b"PROXY TCP4 192.0.2.7 203.0.113.1 56324 443\r\n".to_vec(),
        binary(0x21, 0x21, &tcp6()),
    ];
    for header in headers {
        for cut in 0..header.len() {
            assert_eq!(read_header(&header[..cut]), ProxyHeader::Incomplete, "{cut}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_comes_the_answer_stays_within_the_bytes(
        version in 0..3_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..150),
    ) {
        let signature: &[u8] = [b"".as_slice(), SIGNATURE_1, SIGNATURE_2][version];
        let bytes = [signature, &bytes].concat();
        if let ProxyHeader::Complete { len, .. } = read_header(&bytes) {
            prop_assert!(len <= bytes.len());
            prop_assert_eq!(read_header(&bytes[..len]), read_header(&bytes));
        }
    }
}
