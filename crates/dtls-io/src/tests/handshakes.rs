//! Handshakes that come to a session.

use std::thread::sleep;

use dtls_cookie::{Record, renumber};
use openssl::ssl::{Ssl, SslVersion};

use super::{identities::chain, *};

#[test]
fn a_client_shakes_hands_and_both_hear_each_other() {
    for kind in [Kind::Ecdsa, Kind::Rsa] {
        let mut internet = Internet::new(limits(), &[identity(kind, "turn.example")]);
        let mut client = Client::new(4000);
        internet.connect(&mut client);
        let counters = internet.sessions.counters();
        assert_eq!((counters.open, counters.half_open, counters.cookies), (1, 0, 1));
        assert_eq!(counters.handshakes(Outcome::Completed), 1);

        client.send(b"ping");
        let id = internet.deliver(&mut client).unwrap();
        assert_eq!(internet.heard, [(id, b"ping".to_vec())]);
        assert!(internet.say(id, b"pong"));
        assert_eq!(client.receive(&mut internet).as_deref(), Some(&b"pong"[..]));
    }
}

#[test]
fn a_long_chain_is_cut_into_datagrams_that_pass_everywhere() {
    let mut internet = Internet::new(limits(), &[chain("turn.example")]);
    let mut client = Client::new(4000);
    let mut sizes = Vec::new();
    while !client.handshake() {
        internet.deliver(&mut client);
        sizes.extend(internet.sent.0.iter().map(|(_, datagram)| datagram.len()));
        internet.carry(&mut client);
    }
    internet.deliver(&mut client);
    assert!(sizes.iter().sum::<usize>() > 2400, "{sizes:?}");
    assert!(sizes.iter().all(|&size| size <= 1200), "{sizes:?}");
    assert_eq!(internet.sessions.counters().open, 1);
}

#[test]
fn a_lost_flight_is_sent_again_by_the_clock() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    let hello = hello_of(&mut client);
    internet.arrive(&client.path, &hello);
    internet.carry(&mut client);
    client.handshake();
    internet.deliver(&mut client);
    assert!(!internet.sent.0.is_empty());
    internet.sent.0.clear();

    // OpenSSL looks at the machine's clock, so the wait has to be a real one.
    sleep(Duration::from_millis(1030));
    internet.wait(Duration::from_millis(1030));
    assert!(!internet.sent.0.is_empty(), "the flight is sent again");
    internet.connect(&mut client);
    assert!(speak(&mut internet, &mut client).is_some());
}

#[test]
fn a_hello_that_comes_again_has_the_lost_flight_sent_again() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    let hello = hello_of(&mut client);
    internet.arrive(&client.path, &hello);
    internet.carry(&mut client);
    let hello = hello_of(&mut client);
    internet.arrive(&client.path, &hello);
    internet.sent.0.clear();
    internet.arrive(&client.path, &hello);
    assert!(internet.sent.0.is_empty(), "not at once: it may be on its way");

    sleep(Duration::from_millis(1000));
    let mut again = hello.clone();
    renumber(&mut again, 1);
    internet.arrive(&client.path, &again);
    assert!(!internet.sent.0.is_empty());
    internet.connect(&mut client);
    assert!(speak(&mut internet, &mut client).is_some());
}

#[test]
fn a_lost_end_of_the_handshake_is_sent_again_when_the_client_asks() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    for _ in 0..2 {
        client.handshake();
        internet.deliver(&mut client);
        internet.carry(&mut client);
    }
    client.handshake();
    internet.deliver(&mut client);
    assert_eq!(internet.sessions.counters().open, 1);
    internet.sent.0.clear();

    sleep(Duration::from_millis(1030));
    internet.connect(&mut client);
    assert!(speak(&mut internet, &mut client).is_some());
}

/// A cookie that has become too old costs a round trip more and not the handshake; and records go on from the
/// number of the hello, so that no client takes them for ones it has seen.
#[test]
fn a_client_with_an_old_cookie_is_asked_for_it_again() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    for round in 0..3 {
        let hello = hello_of(&mut client);
        internet.arrive(&client.path, &hello);
        assert_eq!(internet.sessions.counters().half_open, 0);
        assert_eq!(internet.sessions.counters().cookies, round + 1);
        internet.carry(&mut client);
        internet.wait(Duration::from_secs(61));
    }
    let hello = hello_of(&mut client);
    internet.arrive(&client.path, &hello);
    internet.carry(&mut client);
    let hello = hello_of(&mut client);
    assert_eq!(ClientHello::parse(&hello).unwrap().message_sequence(), 4);
    internet.arrive(&client.path, &hello);
    let answer = Record::parse(&internet.sent.0[0].1, 0).unwrap();
    let asked = Record::parse(&hello, 0).unwrap();
    assert_eq!(answer.sequence, asked.sequence);
    internet.connect(&mut client);
    assert!(speak(&mut internet, &mut client).is_some());
}

#[test]
fn a_client_that_numbers_its_records_anew_is_understood() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    while !client.handshake() {
        while let Some(mut datagram) = client.sent().pop_front() {
            if Record::parse(&datagram, 0).unwrap().sequence > 0 {
                renumber(&mut datagram, 1_u64.wrapping_neg());
            }
            internet.arrive(&client.path, &datagram);
        }
        for (_, datagram) in &mut internet.sent.0 {
            if ClientHello::parse(datagram) == Err(HelloError::NotHello) && datagram.len() != 44 {
                renumber(datagram, 1);
            }
        }
        internet.carry(&mut client);
    }
    assert_eq!(internet.sessions.counters().open, 1);
    assert!(speak(&mut internet, &mut client).is_some());
}

#[test]
fn several_records_of_a_datagram_are_all_heard() {
    let mut internet = internet();
    let (mut client, id) = connected(&mut internet, 4000);
    internet.heard.clear();
    for text in [&b"one"[..], b"two", b"three"] {
        client.send(text);
    }
    let datagram: Vec<u8> = client.sent().drain(..).flatten().collect();
    internet.arrive(&client.path, &datagram);
    let expected = [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
    assert_eq!(internet.heard, expected.map(|text| (id, text)));
}

#[test]
fn application_protocols_of_turn_are_chosen_and_others_refused() {
    let alpn = |protocols: &'static [u8]| {
        Client::with(
            4000,
            |context| context.set_alpn_protos(protocols).unwrap(),
            |_| {},
        )
    };
    for (offered, chosen) in [
        (&b"\x09stun.turn"[..], &b"stun.turn"[..]),
        (b"\x06webrtc\x12stun.nat-discovery", b"stun.nat-discovery"),
    ] {
        let mut client = alpn(offered);
        internet().connect(&mut client);
        assert_eq!(client.ssl().selected_alpn_protocol(), Some(chosen));
    }
    assert!(is_refused(alpn(b"\x06webrtc")));
}

#[test]
fn the_certificate_is_the_one_for_the_name_that_was_asked_for() {
    let identities = [
        identity(Kind::Ecdsa, "first.example"),
        identity(Kind::Rsa, "second.example"),
    ];
    for (asked, shown) in [
        (None, 0),
        (Some("first.example"), 0),
        (Some("second.example"), 1),
        (Some("other.example"), 0),
    ] {
        let mut internet = Internet::new(limits(), &identities);
        let name = |ssl: &mut Ssl| asked.into_iter().for_each(|name| ssl.set_hostname(name).unwrap());
        let mut client = Client::with(4000, |_| {}, name);
        internet.connect(&mut client);
        let leaf = client.ssl().peer_certificate().unwrap().to_der().unwrap();
        assert_eq!(leaf, identities[shown].leaf(), "{asked:?}");
    }
}

#[test]
fn new_certificates_are_for_new_sessions() {
    let mut internet = internet();
    let (mut before, id) = connected(&mut internet, 4000);
    let new = identity(Kind::Ecdsa, "turn.example");
    new.write(internet.folder.path(), "0");
    assert!(internet.certificates.reload().unwrap());
    let (after, _) = connected(&mut internet, 4001);
    let leaf = after.ssl().peer_certificate().unwrap().to_der().unwrap();
    assert_eq!(leaf, new.leaf());
    assert_eq!(speak(&mut internet, &mut before), Some(id));
}

#[test]
fn without_a_certificate_nobody_is_answered() {
    let mut internet = Internet::new(limits(), &[]);
    let mut client = Client::new(4000);
    let hello = hello_of(&mut client);
    internet.arrive(&client.path, &hello);
    assert_eq!(internet.sessions.counters().dropped(DropReason::NoCertificate), 1);
    assert!(internet.sent.0.is_empty());
}

#[test]
fn dtls_1_0_is_refused() {
    assert!(is_refused(Client::with(
        4000,
        |context| {
            context.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
            context.set_min_proto_version(Some(SslVersion::DTLS1)).unwrap();
            context.set_max_proto_version(Some(SslVersion::DTLS1)).unwrap();
        },
        |_| {}
    )));
}

/// Whether the server breaks off the handshake of this client with an alert and forgets it.
fn is_refused(mut client: Client) -> bool {
    let mut internet = internet();
    let hello = hello_of(&mut client);
    internet.arrive(&client.path, &hello);
    internet.carry(&mut client);
    let hello = hello_of(&mut client);
    internet.arrive(&client.path, &hello);
    let counters = internet.sessions.counters();
    assert_eq!((counters.open, counters.half_open), (0, 0));
    let alerts = internet.sent.0.iter().filter(|(_, datagram)| datagram[0] == 21);
    counters.handshakes(Outcome::Failed) == 1 && alerts.count() == 1
}
