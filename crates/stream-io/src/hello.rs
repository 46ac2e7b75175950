//! Where a TLS connection wants to go, read from its first message before anything is answered.

use rustls::server::Acceptor;

use crate::rules::{Destination, Rules};

/// The longest ClientHello that is waited for: with post-quantum key shares and a session ticket it is about 3 kB.
pub(crate) const LONGEST: usize = 16 << 10;

const RECORD_HEADER: usize = 5;

/// What the bytes of a handshake tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// More bytes are needed.
    Incomplete,
    /// Not a ClientHello.
    Invalid,
    /// A ClientHello for this destination.
    To(Destination),
}

/// Reads a ClientHello, if `bytes` hold one, and asks `rules` about it.
pub fn read_hello(bytes: &[u8], rules: &Rules) -> Hello {
    if is_cut(bytes) {
        return if bytes.len() < LONGEST {
            Hello::Incomplete
        } else {
            Hello::Invalid
        };
    }
    let mut acceptor = Acceptor::default();
    let mut rest = &bytes[..bytes.len().min(LONGEST)];
    loop {
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let protocols = hello.alpn().into_iter().flatten();
                return Hello::To(rules.destination(protocols, hello.server_name()));
            }
            Ok(None) => {}
            Err(_) => return Hello::Invalid,
        }
        if rest.is_empty() {
            return if bytes.len() < LONGEST {
                Hello::Incomplete
            } else {
                Hello::Invalid
            };
        }
        if acceptor.read_tls(&mut rest).is_err() {
            return Hello::Invalid;
        }
    }
}

/// Whether the first record is not there as a whole. Nearly always the message is in one; told by its length it is
/// parsed once and not with every segment.
fn is_cut(bytes: &[u8]) -> bool {
    match bytes
        .get(3..RECORD_HEADER)
        .and_then(|length| length.first_chunk())
    {
        Some(length) => bytes.len() < RECORD_HEADER + usize::from(u16::from_be_bytes(*length)),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// The first flight of a client.
    pub(crate) fn hello(name: &str, protocols: &[&str]) -> Vec<u8> {
        let mut config = ClientConfig::builder()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = name.to_owned().try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    fn rules() -> Rules {
        Rules::new(
            Destination::Turn,
            [("www.example.org".to_owned(), Destination::Web)],
        )
    }

    #[test]
    fn protocol_and_name_are_read_from_the_first_message() {
        let cases: [(&str, &[&str], Destination); 5] = [
            ("www.example.org", &[], Destination::Web),
            ("turn.example.org", &[], Destination::Turn),
            ("turn.example.org", &["h2", "http/1.1"], Destination::Web),
            ("www.example.org", &["stun.turn"], Destination::Turn),
            ("192.0.2.1", &[], Destination::Turn),
        ];
        for (name, protocols, destination) in cases {
            let bytes = hello(name, protocols);
            assert_eq!(
                read_hello(&bytes, &rules()),
                Hello::To(destination),
                "{name} {protocols:?}"
            );
            for cut in 0..bytes.len() {
                assert_eq!(read_hello(&bytes[..cut], &rules()), Hello::Incomplete, "{cut}");
            }
        }
    }

    /// RFC 8446 §5.1: a message may be spread over several records.
    #[test]
    fn a_message_in_two_records_is_one_message() {
        let bytes = hello("www.example.org", &[]);
        let message = &bytes[RECORD_HEADER..];
        let record = |part: &[u8]| [&[0x16, 3, 1], &(part.len() as u16).to_be_bytes()[..], part].concat();
        let first = record(&message[..100]);
        let both = [&first[..], &record(&message[100..])].concat();
        assert_eq!(read_hello(&first, &rules()), Hello::Incomplete);
        assert_eq!(read_hello(&both, &rules()), Hello::To(Destination::Web));
    }

    #[test]
    fn what_is_no_hello_is_found_out() {
        let mut wrong = hello("a.example", &[]);
        wrong[5] = 2;
        assert_eq!(read_hello(&wrong, &rules()), Hello::Invalid);
        let endless = [&[0x16, 3, 1, 0x40, 0][..], &vec![1; LONGEST]].concat();
        assert_eq!(read_hello(&endless, &rules()), Hello::Invalid);
    }
}
