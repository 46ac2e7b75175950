//! Whoever guesses is told of, but only where nobody else can have written his address.

use stun_wire::Method;

use super::{
    bearer::{Bearer, believe_tokens},
    client::udp,
    *,
};
use crate::{AuthFailure, Credentials, FiveTuple, Output, Transport};

fn watchful() -> World {
    World::with(|config| config.tell_wrong_guesses = true)
}

/// Sends a signed Allocate with what the client holds, and gives those who were told of.
fn told_of(world: &mut World, client: &mut Client) -> Vec<(FiveTuple, AuthFailure)> {
    let request = client.request(Method::ALLOCATE, udp);
    world.hear(client.five_tuple, &request);
    let guesses = world.take_outputs().into_iter().filter_map(|output| {
        let Output::GuessedWrong { five_tuple, failure } = output else {
            return None;
        };
        Some((five_tuple, failure))
    });
    guesses.collect()
}

#[test]
fn a_wrong_password_and_an_unknown_name_are_told_after_the_challenge_was_answered() {
    let mut world = watchful();
    for (name, failure) in [
        ("alice", AuthFailure::WrongPassword),
        ("nobody", AuthFailure::UnknownUser),
    ] {
        let mut client = Client::new(1000, name, "wrong");
        client.learn_nonce(&mut world);
        let at = client.five_tuple;
        for _ in 0..2 {
            assert_eq!(told_of(&mut world, &mut client), [(at, failure)]);
        }
    }
}

#[test]
fn over_udp_nobody_is_told_of_by_what_a_forger_could_have_sent() {
    let mut world = watchful();
    let mut forger = Client::new(1000, "alice", "wrong");
    forger.nonce = b"AAAAAAAAAAAAAAAAAAAA".to_vec();
    assert_eq!(told_of(&mut world, &mut forger), [], "a nonce of his own");
    forger.learn_nonce(&mut world);
    for at in ["198.51.100.7:1001", "198.51.100.8:1000"] {
        let mut forger = forger.clone().at(at, "192.0.2.1:3478");
        assert_eq!(
            told_of(&mut world, &mut forger),
            [],
            "a nonce that {at} never got"
        );
    }
    world.pass(3601);
    assert_eq!(
        told_of(&mut world, &mut forger),
        [],
        "he may have lost the address since"
    );
}

#[test]
fn over_a_connection_the_address_needs_no_other_proof() {
    let mut world = watchful();
    for transport in [Transport::Tcp, Transport::Tls, Transport::Dtls] {
        let mut client = Client::new(1000, "alice", "wrong").over(transport);
        client.nonce = b"AAAAAAAAAAAAAAAAAAAA".to_vec();
        let at = client.five_tuple;
        assert_eq!(
            told_of(&mut world, &mut client),
            [(at, AuthFailure::WrongPassword)]
        );
    }
}

#[test]
fn whoever_begins_or_is_late_guesses_nothing() {
    let mut world = watchful();
    let mut late = Client::minted(1000, "carol", super::world::BEGIN + 1);
    late.learn_nonce(&mut world);
    world.pass(2);
    assert_eq!(told_of(&mut world, &mut late), []);
    let mut stale = Client::alice(1001);
    stale.learn_nonce(&mut world);
    world.pass(3601);
    assert_eq!(told_of(&mut world, &mut stale), []);
    let mut abroad = Client::alice(1002);
    abroad.learn_nonce(&mut world);
    abroad.realm = "elsewhere".into();
    assert_eq!(told_of(&mut world, &mut abroad), []);
}

/// An office behind one address has what an operator took away, and asks for as long as its calls last.
#[test]
fn whoever_was_believed_before_the_credentials_changed_guesses_nothing() {
    let mut world = World::with(|config| {
        config.tell_wrong_guesses = true;
        believe_tokens(config);
    });
    let mut bearer = Bearer::new(1002, 1);
    bearer.allocate(&mut world).relayed();
    let minted = Client::minted(1001, "carol", super::world::BEGIN + 3600);
    let mut clients = [Client::alice(1000), minted];
    for client in &mut clients {
        client.allocate(&mut world);
    }
    let mut old_secret = Credentials::default();
    old_secret.add_secret(crate::Secret::new("south"));
    world.server.set_credentials(old_secret, true);
    bearer.client.learn_nonce(&mut world);
    world.take_outputs();
    assert_eq!(error_code(&bearer.client.refresh(&mut world, 600)), 401);
    for client in &mut clients {
        client.learn_nonce(&mut world);
        assert_eq!(told_of(&mut world, client), [], "{}", client.username);
    }
    let withdrawn = world.server.counters().auth_failures(AuthFailure::Withdrawn);
    assert_eq!(withdrawn, 3);
    let at = clients[0].five_tuple;
    clients[0].key = Client::new(1000, "alice", "wrong").key;
    assert_eq!(
        told_of(&mut world, &mut clients[0]),
        [(at, AuthFailure::UnknownUser)]
    );
    let [_, carol] = &mut clients;
    let elsewhere = &mut Client::new(1003, &carol.username, "wrong");
    elsewhere.learn_nonce(&mut world);
    assert_eq!(
        told_of(&mut world, elsewhere),
        [(elsewhere.five_tuple, AuthFailure::WrongPassword)]
    );
}

#[test]
fn guessers_are_told_of_as_soon_as_it_is_asked_for_and_no_longer() {
    let mut world = World::new();
    let mut client = Client::new(1000, "alice", "wrong");
    client.learn_nonce(&mut world);
    for (tell, times) in [(true, 1), (false, 0)] {
        world.server.tell_wrong_guesses(tell);
        assert_eq!(told_of(&mut world, &mut client).len(), times);
    }
}

#[test]
fn nobody_is_told_of_unless_it_is_asked_for() {
    let mut world = World::new();
    let mut client = Client::new(1000, "alice", "wrong").over(Transport::Tcp);
    client.learn_nonce(&mut world);
    assert_eq!(told_of(&mut world, &mut client), []);
}
