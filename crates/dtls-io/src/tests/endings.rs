//! How sessions end.

use openssl::ssl::ShutdownState;

use super::*;

/// Whether the server's last word is on its way to the client.
fn hears_the_end(internet: &mut Internet, client: &mut Client) -> bool {
    assert_eq!(client.receive(internet), None);
    client.shutdown().contains(ShutdownState::RECEIVED)
}

#[test]
fn a_client_that_says_goodbye_is_answered_and_forgotten() {
    let mut internet = internet();
    let (mut client, id) = connected(&mut internet, 4000);
    client.close();
    internet.deliver(&mut client);
    assert_eq!(internet.ended, [id]);
    assert!(hears_the_end(&mut internet, &mut client));
    assert_eq!(internet.sessions.counters().open, 0);
    assert!(!internet.say(id, b"to nobody"));
    assert_eq!(internet.sessions.counters().dropped(DropReason::NotSealed), 1);
}

#[test]
fn a_silent_session_without_an_allocation_ends() {
    let mut internet = internet();
    let (mut client, id) = connected(&mut internet, 4000);
    internet.wait(Duration::from_secs(59));
    assert_eq!(speak(&mut internet, &mut client), Some(id));
    internet.wait(Duration::from_secs(59));
    assert_eq!(internet.ended, []);
    internet.wait(Duration::from_secs(2));
    assert_eq!(internet.ended, [id]);
    assert!(hears_the_end(&mut internet, &mut client));
    internet.wait(Duration::from_secs(3600));
    assert_eq!(internet.sessions.poll_timeout(), None);
}

#[test]
fn a_session_lives_with_its_allocation() {
    let mut internet = internet();
    let (mut client, id) = connected(&mut internet, 4000);
    internet.sessions.hold(internet.now, id, true);
    internet.wait(Duration::from_secs(100_000));
    assert_eq!(internet.ended, []);
    assert_eq!(internet.sessions.poll_timeout(), None, "it is not looked at");
    assert_eq!(speak(&mut internet, &mut client), Some(id));

    internet.sessions.hold(internet.now, id, false);
    internet.wait(Duration::from_secs(59));
    assert_eq!(internet.ended, []);
    internet.wait(Duration::from_secs(1));
    assert_eq!(internet.ended, [id]);
}

#[test]
fn a_handshake_that_does_not_go_on_is_given_up() {
    let mut internet = internet();
    let mut client = Client::new(4000);
    for _ in 0..2 {
        client.handshake();
        internet.deliver(&mut client);
        internet.carry(&mut client);
    }
    assert_eq!(internet.sessions.counters().half_open, 1);
    internet.wait(Duration::from_secs(11));
    let counters = internet.sessions.counters();
    assert_eq!((counters.open, counters.half_open), (0, 0));
    assert_eq!(counters.handshakes(Outcome::TimedOut), 1);
    assert_eq!(internet.ended, [], "the core has never heard of it");
    assert_eq!(internet.sessions.poll_timeout(), None);
}

#[test]
fn a_server_that_ends_says_goodbye_to_everyone() {
    let mut internet = internet();
    let (mut one, _) = connected(&mut internet, 4000);
    let (mut other, _) = connected(&mut internet, 4001);
    internet.sessions.close(&mut internet.sent);
    assert!(hears_the_end(&mut internet, &mut one));
    assert!(hears_the_end(&mut internet, &mut other));
    assert_eq!(internet.sessions.counters().open, 0);
}

#[test]
fn plaintext_too_long_for_a_record_is_counted() {
    let mut internet = internet();
    let (mut client, id) = connected(&mut internet, 4000);
    assert!(internet.say(id, &[7; 1 << 14]));
    assert_eq!(client.receive(&mut internet), Some(vec![7; 1 << 14]));
    assert!(!internet.say(id, &[7; (1 << 14) + 1]));
    assert_eq!(internet.sessions.counters().dropped(DropReason::NotSealed), 1);
    assert!(internet.say(id, b"as before"));
    assert_eq!(client.receive(&mut internet).as_deref(), Some(&b"as before"[..]));
}

#[test]
fn deadlines_stay_in_proportion_to_sessions() {
    let mut internet = internet();
    for round in 0..200 {
        let (mut client, _) = connected(&mut internet, 4000 + round);
        client.close();
        internet.deliver(&mut client);
    }
    assert!(
        internet.sessions.deadlines.len() <= 64,
        "{}",
        internet.sessions.deadlines.len()
    );
}
