//! Those who only pretend to be somewhere, and those who want too much.

use super::*;

/// Bytes of a record of this content and epoch that nobody has the key for.
pub(super) fn forged(content: u8, epoch: u8, fragment: &[u8]) -> Vec<u8> {
    let mut record = vec![
        content,
        0xfe,
        0xfd,
        0,
        epoch,
        0,
        0,
        0,
        0,
        0,
        9,
        0,
        fragment.len() as u8,
    ];
    record.extend_from_slice(fragment);
    record
}

/// The hello of a new client that has its cookie.
pub(super) fn hello_with_cookie(internet: &mut Internet, client: &mut Client) -> Vec<u8> {
    let hello = hello_of(client);
    internet.arrive(&client.path, &hello);
    internet.carry(client);
    hello_of(client)
}

#[test]
fn a_hello_without_a_cookie_leaves_nothing_and_gets_less_than_it_sent() {
    let mut internet = internet();
    for port in 1..2000 {
        let mut client = Client::new(port);
        let hello = hello_of(&mut client);
        internet.arrive(&client.path, &hello);
    }
    let counters = internet.sessions.counters();
    assert_eq!(
        (counters.cookies, counters.open, counters.half_open),
        (1999, 0, 0)
    );
    assert_eq!(internet.sessions.poll_timeout(), None);
    assert!(internet.answers.iter().all(|(asked, answered)| answered < asked));
    assert_eq!(internet.answers[0].1, HELLO_VERIFY_REQUEST_LEN);
}

#[test]
fn a_cookie_is_good_for_one_address_one_server_and_one_hello() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    let hello = hello_with_cookie(&mut internet, &mut client);
    let mut elsewhere = [client.path; 3];
    elsewhere[0].client.set_port(4001);
    elsewhere[1].client.set_ip([192, 0, 2, 2].into());
    elsewhere[2].server.set_ip([198, 51, 100, 2].into());
    for path in &elsewhere {
        internet.arrive(path, &hello);
    }
    let mut another = hello.clone();
    // A byte of its random, and the last byte of the cookie.
    for at in [13 + 12 + 2 + 7, 13 + 12 + 2 + 32 + 1 + 1 + COOKIE - 1] {
        another[at] ^= 1;
        internet.arrive(&client.path, &another);
    }
    assert_eq!(internet.sessions.counters().half_open, 0);
    assert_eq!(internet.sessions.counters().cookies, 1 + 5);
    internet.arrive(&client.path, &hello);
    assert_eq!(internet.sessions.counters().half_open, 1);
}

#[test]
fn whoever_forges_an_address_cannot_end_the_session_there() {
    let mut internet = internet();
    let (mut client, id) = connected(&mut internet, 4000);
    let path = client.path;
    let hello = hello_of(&mut Client::new(4000));
    internet.arrive(&path, &hello);
    // A fatal alert and a close_notify in the clear, forged ciphertext, another handshake, nonsense.
    for datagram in [
        forged(21, 0, &[2, 40]),
        forged(21, 0, &[1, 0]),
        forged(21, 1, &[7; 40]),
        forged(23, 1, &[7; 40]),
        forged(22, 0, &[16; 40]),
        forged(22, 1, &[7; 40]),
        forged(20, 0, &[1]),
        forged(23, 2, &[7; 40]),
        forged(22, 0, &[1; 40]),
        vec![23; 5],
        vec![63; 500],
    ] {
        internet.arrive(&path, &datagram);
    }
    let counters = internet.sessions.counters();
    assert_eq!(counters.dropped(DropReason::Unreadable), 2);
    assert_eq!(counters.dropped(DropReason::Malformed), 2);
    assert_eq!(counters.dropped(DropReason::Fragment), 1);
    assert_eq!(internet.ended, []);
    assert_eq!(speak(&mut internet, &mut client), Some(id));
    assert!(internet.say(id, b"still here"));
    assert_eq!(client.receive(&mut internet).as_deref(), Some(&b"still here"[..]));
}

/// Somebody who hears the client's hello and sends it again, later.
#[test]
fn a_hello_that_is_sent_again_does_not_open_another_session() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    let hello = hello_with_cookie(&mut internet, &mut client);
    internet.arrive(&client.path, &hello);
    internet.arrive(&client.path, &hello);
    assert_eq!(internet.sessions.counters().half_open, 1);
    internet.connect(&mut client);
    let id = speak(&mut internet, &mut client);
    internet.arrive(&client.path, &hello);
    let counters = internet.sessions.counters();
    assert_eq!((counters.open, counters.half_open), (1, 0));
    assert_eq!(counters.dropped(DropReason::Repeated), 1);
    assert_eq!(speak(&mut internet, &mut client), id);
}

#[test]
fn a_client_that_begins_anew_replaces_its_session_when_the_handshake_is_done() {
    let mut internet = internet();
    let (mut before, old) = connected(&mut internet, 4000);
    let mut after = Client::new(4000);
    let hello = hello_with_cookie(&mut internet, &mut after);
    internet.arrive(&after.path, &hello);
    assert_eq!(
        speak(&mut internet, &mut before),
        Some(old),
        "nothing is proved yet"
    );
    assert_eq!(internet.ended, []);

    internet.connect(&mut after);
    assert_eq!(internet.ended, [old]);
    let new = speak(&mut internet, &mut after).unwrap();
    assert_ne!(new, old);
    assert!(!internet.say(old, b"to nobody"));
    assert_eq!(internet.sessions.counters().open, 1);
    assert_eq!(speak(&mut internet, &mut before), None);
}

#[test]
fn a_client_that_begins_anew_within_its_handshake_gets_another_one() {
    let mut internet = internet();
    let mut first = Client::new(4000);
    let hello = hello_with_cookie(&mut internet, &mut first);
    internet.arrive(&first.path, &hello);
    internet.sent.0.clear();
    let mut anew = Client::new(4000);
    let hello = hello_with_cookie(&mut internet, &mut anew);
    internet.arrive(&anew.path, &hello);
    assert_eq!(internet.sessions.counters().dropped(DropReason::TooSoon), 1);
    internet.wait(Duration::from_secs(1));
    internet.arrive(&anew.path, &hello);
    internet.connect(&mut anew);
    let counters = internet.sessions.counters();
    assert_eq!((counters.open, counters.half_open), (1, 0));
    assert_eq!(counters.handshakes(Outcome::Evicted), 1);
}

/// Each new handshake costs a signature.
#[test]
fn two_hellos_in_turn_begin_one_handshake_a_second() {
    let mut internet = internet();
    let hellos = [(); 2].map(|()| hello_with_cookie(&mut internet, &mut Client::new(4000)));
    let path = Client::new(4000).path;
    for second in 0..3 {
        for _ in 0..20 {
            for hello in &hellos {
                internet.arrive(&path, hello);
            }
        }
        let counters = internet.sessions.counters();
        assert_eq!(counters.half_open, 1);
        assert_eq!(counters.handshakes(Outcome::Evicted), second);
        internet.wait(Duration::from_secs(1));
    }
}

#[test]
fn a_round_begins_a_few_handshakes_and_the_next_one_a_few_more() {
    let mut internet = internet();
    let mut clients: Vec<_> = (0..6).map(|port| Client::new(4000 + port)).collect();
    let hellos = clients
        .iter_mut()
        .map(|client| (client.path, hello_with_cookie(&mut internet, client)));
    let hellos: Vec<_> = hellos.collect();
    internet.sessions.begin_round();
    for (path, hello) in &hellos {
        internet.arrive_too(path, hello);
    }
    let counters = internet.sessions.counters();
    assert_eq!((counters.half_open, counters.dropped(DropReason::Busy)), (4, 2));
    internet.sessions.begin_round();
    for (path, hello) in &hellos {
        internet.arrive_too(path, hello);
    }
    assert_eq!(internet.sessions.counters().half_open, 6);
}

#[test]
fn the_oldest_handshake_makes_room_when_there_are_too_many() {
    let mut internet = internet();
    let mut clients: Vec<_> = (0..12).map(|port| Client::new(4000 + port)).collect();
    for client in &mut clients {
        let hello = hello_with_cookie(&mut internet, client);
        internet.arrive(&client.path, &hello);
    }
    let counters = internet.sessions.counters();
    assert_eq!(counters.half_open, 10);
    assert_eq!(counters.handshakes(Outcome::Evicted), 2);
    for client in &mut clients[2..] {
        internet.connect(client);
    }
    assert_eq!(internet.sessions.counters().open, 10);
}

#[test]
fn an_address_and_the_server_have_so_many_sessions_and_no_more() {
    let pairs = [identity(Kind::Ecdsa, "turn.example")];
    let few = Limits {
        per_address: 2,
        sessions: 3,
        ..limits()
    };
    let mut internet = Internet::new(few, &pairs);
    let refused = |internet: &mut Internet, client: &mut Client| {
        let before = internet.sessions.counters().dropped(DropReason::Full);
        let hello = hello_with_cookie(internet, client);
        internet.arrive(&client.path, &hello);
        internet.sessions.counters().dropped(DropReason::Full) - before == 1
    };
    let (mut first, _) = connected(&mut internet, 4000);
    connected(&mut internet, 4001);
    assert!(
        refused(&mut internet, &mut Client::new(4002)),
        "the address is full"
    );
    let mut other = Client::new(4003);
    other.path.client.set_ip([192, 0, 2, 99].into());
    internet.connect(&mut other);
    let mut third = Client::new(4004);
    third.path.client.set_ip([192, 0, 2, 100].into());
    assert!(refused(&mut internet, &mut third), "the server is full");
    first.close();
    internet.deliver(&mut first);
    internet.carry(&mut third);
    let mut third = Client::new(4005);
    third.path.client.set_ip([192, 0, 2, 100].into());
    internet.connect(&mut third);
}

/// One who may have no more sessions says hello as often as he likes: others begin theirs in the same round.
#[test]
fn a_crowded_address_takes_no_ones_turn() {
    let few = Limits {
        per_address: 1,
        ..limits()
    };
    let mut internet = Internet::new(few, &[identity(Kind::Ecdsa, "turn.example")]);
    connected(&mut internet, 4000);
    let mut greedy: Vec<_> = (0..8).map(|port| Client::new(4001 + port)).collect();
    let hellos = greedy
        .iter_mut()
        .map(|client| (client.path, hello_with_cookie(&mut internet, client)));
    let hellos: Vec<_> = hellos.collect();
    let mut other = Client::new(5000);
    other.path.client.set_ip([192, 0, 2, 99].into());
    let hello = hello_with_cookie(&mut internet, &mut other);
    internet.sessions.begin_round();
    for (path, greedy) in &hellos {
        internet.arrive_too(path, greedy);
    }
    internet.arrive_too(&other.path, &hello);
    let counters = internet.sessions.counters();
    assert_eq!(counters.half_open, 1);
    assert_eq!(
        [DropReason::Full, DropReason::Busy].map(|reason| counters.dropped(reason)),
        [8, 0]
    );
}

#[test]
fn addresses_of_one_ipv6_network_count_together() {
    let few = Limits {
        per_address: 1,
        ..limits()
    };
    let mut internet = Internet::new(few, &[identity(Kind::Ecdsa, "turn.example")]);
    let at = |ip: &str, port| {
        let mut client = Client::new(port);
        client.path.client.set_ip(ip.parse().unwrap());
        client
    };
    internet.connect(&mut at("2001:db8:1:1::1", 4000));
    let mut neighbour = at("2001:db8:1:1:ffff::2", 4000);
    let hello = hello_with_cookie(&mut internet, &mut neighbour);
    internet.arrive(&neighbour.path, &hello);
    assert_eq!(internet.sessions.counters().dropped(DropReason::Full), 1);
    internet.connect(&mut at("2001:db8:1:2::1", 4000));
}

/// Whatever a handshake is sent, OpenSSL keeps little of it.
#[test]
fn a_handshake_takes_few_datagrams() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    let hello = hello_with_cookie(&mut internet, &mut client);
    internet.arrive(&client.path, &hello);
    for number in 0..40 {
        internet.arrive(&client.path, &forged(22, 1, &[number; 100]));
    }
    let counters = internet.sessions.counters();
    assert_eq!(counters.half_open, 0);
    assert_eq!(counters.handshakes(Outcome::Failed), 1);
    assert_eq!(counters.dropped(DropReason::NoSession), 40 - 32);
}

#[test]
fn records_without_a_session_are_counted_and_not_answered() {
    let mut internet = internet();
    let path = Client::new(4000).path;
    for content in [20, 21, 22, 23] {
        internet.arrive(&path, &forged(content, 1, &[7; 40]));
    }
    assert_eq!(internet.sessions.counters().dropped(DropReason::NoSession), 4);
    assert!(internet.sent.0.is_empty());
}
