//! Those who have a cookie and try what a handshake can be made to keep.

use super::{
    strangers::{forged, hello_with_cookie},
    *,
};

/// A fragment of one byte of a message that says it has 100,000.
fn fragment(number: u16) -> Vec<u8> {
    let mut message = vec![16, 0x01, 0x86, 0xa0];
    message.extend_from_slice(&number.to_be_bytes());
    message.extend_from_slice(&[0, 0, 0, 0, 0, 1, 7]);
    message
}

/// A record of a handshake with this number.
fn record(epoch: u8, number: u16, fragment: &[u8]) -> Vec<u8> {
    let mut record = forged(22, epoch, fragment);
    record[9..11].copy_from_slice(&number.to_be_bytes());
    record
}

/// OpenSSL keeps records of the next epoch, and takes memory for all bytes that the first one of a message promises.
#[test]
fn what_comes_too_early_is_not_kept() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    let hello = hello_with_cookie(&mut internet, &mut client);
    internet.arrive(&client.path, &hello);
    for number in 0..27 {
        internet.arrive(&client.path, &forged(22, 1, &[number; 40]));
    }
    let counters = internet.sessions.counters();
    assert_eq!(
        counters.dropped(DropReason::Unexpected),
        25,
        "two are let through"
    );
    let ten: Vec<u8> = (2..12)
        .flat_map(|number| forged(22, 0, &fragment(number)))
        .collect();
    let after_the_hello = [hello, forged(22, 0, &fragment(2))].concat();
    let in_one_record = forged(22, 0, &[fragment(0), fragment(2)].concat());
    let cut = forged(22, 0, &fragment(0)[..9]);
    for (sent, datagram) in [ten, after_the_hello, in_one_record, cut].iter().enumerate() {
        internet.arrive(&client.path, datagram);
        let dropped = internet.sessions.counters().dropped(DropReason::Unexpected);
        assert_eq!(dropped, 25 + 1 + sent as u64);
    }
    assert_eq!(internet.sessions.counters().half_open, 1);
}

/// An attacker's handshake takes hardly more than one that was left alone.
#[cfg(target_os = "linux")]
#[test]
fn a_hoarder_s_handshake_takes_little_memory() {
    const MANY: u16 = 300;
    let many = Limits {
        sessions: 1000,
        half_open: 1000,
        per_address: 1000,
        ..limits()
    };
    let mut internet = Internet::new(many, &[identity(Kind::Ecdsa, "turn.example")]);
    let begin = |internet: &mut Internet, port| {
        let mut client = Client::new(port);
        let hello = hello_with_cookie(internet, &mut client);
        internet.arrive(&client.path, &hello);
        internet.sent.0.clear();
        client.path
    };
    for port in 1..50 {
        begin(&mut internet, port);
    }
    let before = resident_kb();
    let paths: Vec<_> = (0..MANY).map(|port| begin(&mut internet, 1000 + port)).collect();
    let left_alone = (resident_kb() - before) / i64::from(MANY);
    for path in &paths {
        let fragments: Vec<u8> = (2..12)
            .flat_map(|number| record(0, number, &fragment(number)))
            .collect();
        internet.arrive(path, &fragments);
        for number in 0..29 {
            internet.arrive(path, &record(1, number, &[7; 40]));
        }
    }
    assert_eq!(internet.sessions.counters().half_open, u64::from(MANY) + 49);
    let hoarded = (resident_kb() - before) / i64::from(MANY);
    assert!(
        hoarded < 2 * left_alone,
        "{hoarded} kB instead of {left_alone} kB"
    );
}

/// Without what is mapped from files: how much of the program's text is resident is the page cache's affair.
#[cfg(target_os = "linux")]
fn resident_kb() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
