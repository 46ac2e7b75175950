//! What TCP clients and UDP peers send each other stays what it was: one datagram a message, one message a datagram.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::net::UdpSocket;

use stun_wire::AddressFamily;

use client::{Client, Relayed, wire::Wire};
use server::{Server, config, peer};

/// The longest payloads of UDP over IPv4 and IPv6, and around them what one link, a page and a jumbo frame take.
const SIZES: [usize; 17] = [
    0, 1, 2, 3, 4, 5, 20, 548, 1199, 1200, 1472, 4096, 9001, 32_767, 65_472, 65_506, 65_507,
];
const LONGEST_V6: usize = 65_527;

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 % 251) as u8).collect()
}

fn expect(peer: &UdpSocket, sent: &[u8]) {
    let mut bytes = vec![0; 66_000];
    let len = peer.recv(&mut bytes).unwrap();
    assert!(bytes[..len] == *sent, "{len} bytes instead of {}", sent.len());
}

/// RFC 8656 §15 and §16: "Any fragmented packets are reassembled in the server and then forwarded to the client over the
/// TCP connection".
#[test]
fn datagrams_of_every_size_keep_their_bounds_through_a_tcp_client_both_ways() {
    // STUN's length field ends at 65,535, so that over IPv6 the longest datagrams fit a channel only.
    for (listen, longest, by_indication) in [("127.0.0.1:0", 65_507, 65_507), ("[::1]:0", LONGEST_V6, 65_504)]
    {
        let server = Server::start(&config(listen, 1));
        let mut client = Client::by(Wire::tcp(server.tcp()), server.tcp());
        assert!(client.permit(server.tcp()).is_err(), "nothing yet but a nonce");
        let family = AddressFamily::of(server.tcp().ip());
        let relayed = client.allocate_again(Some(family)).unwrap();
        let there = peer(listen);
        let home = there.local_addr().unwrap();
        let mut bytes = vec![0; 70_000];
        for with_channel in [false, true] {
            if with_channel {
                client.bind(0x4000, home).unwrap();
            } else {
                client.permit(home).unwrap();
            }
            for len in SIZES.into_iter().chain([by_indication, longest]) {
                if !with_channel && len > by_indication {
                    continue;
                }
                let sent = payload(len);
                let expected = if with_channel {
                    client.send_channel(0x4000, &sent);
                    Relayed::Channel(0x4000, &sent)
                } else {
                    client.send_indication(home, &sent);
                    Relayed::Data(home, &sent)
                };
                expect(&there, &sent);
                there.send_to(&sent, relayed).unwrap();
                assert!(client.receive(&mut bytes) == expected, "{len} bytes");
            }
        }
    }
}

/// Sent at once, so that the stream carries many in one segment and parts of one in many.
#[test]
fn a_burst_of_datagrams_comes_out_one_by_one_and_in_order() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let mut client = Client::by(Wire::tcp(server.tcp()), server.tcp());
    let relayed = client.allocate();
    let there = peer("127.0.0.1:0");
    client.bind(0x4000, there.local_addr().unwrap()).unwrap();
    let burst: Vec<_> = (0..30).map(|number| payload(number * 23)).collect();
    let mut bytes = vec![0; 2048];
    for _ in 0..20 {
        for sent in &burst {
            client.send_channel(0x4000, sent);
        }
        for sent in &burst {
            expect(&there, sent);
        }
        for sent in &burst {
            there.send_to(sent, relayed).unwrap();
        }
        for sent in &burst {
            assert_eq!(client.receive(&mut bytes), Relayed::Channel(0x4000, sent));
        }
    }
}
