//! Two phases: nobody is promised a socket that is not open.

use stun_wire::Method;

use super::{client::udp, *};
use crate::{OpenError, Output};

#[test]
fn a_busy_port_is_replaced_before_the_client_hears() {
    let mut world = World::new();
    world
        .open_results
        .extend([Err(OpenError::AddressInUse), Err(OpenError::AddressInUse)]);
    let relayed = Client::alice(1000).allocate(&mut world);
    let asked: Vec<_> = world
        .take_outputs()
        .into_iter()
        .filter_map(|output| {
            let Output::OpenRelay { relay, address, .. } = output else {
                return None;
            };
            Some((relay, address))
        })
        .collect();
    assert_eq!(asked.len(), 3);
    assert!(
        asked.iter().all(|(relay, _)| *relay == asked[0].0),
        "the name stays"
    );
    assert_ne!(asked[0].1, asked[1].1);
    assert_eq!(asked[2].1, relayed);
    assert_eq!(world.ports_in_use(), 1);
}

#[test]
fn after_eight_busy_ports_the_client_is_refused() {
    let mut world = World::new();
    world.open_results.extend([Err(OpenError::AddressInUse); 8]);
    let mut client = Client::alice(1000);
    let heard = client.ask(&mut world, Method::ALLOCATE, udp);
    assert_eq!(error_code(&heard), 508);
    assert!(heard.is_signed_by(&client));
    assert_eq!((world.ports_in_use(), world.server.poll_timeout()), (0, None));
    client.allocate(&mut world);
}

#[test]
fn other_errors_are_not_retried() {
    for error in [
        OpenError::TooManyDescriptors,
        OpenError::AddressNotAvailable,
        OpenError::Other,
    ] {
        let mut world = World::new();
        world.open_results.push_back(Err(error));
        assert_eq!(
            error_code(&Client::alice(1000).ask(&mut world, Method::ALLOCATE, udp)),
            508
        );
        assert_eq!(world.ports_in_use(), 0);
    }
}

#[test]
fn retransmits_wait_with_the_first_and_other_requests_find_no_allocation_yet() {
    let mut world = World::new();
    world.slow = true;
    let mut client = Client::alice(1000);
    client.learn_nonce(&mut world);
    let request = client.request(Method::ALLOCATE, udp);
    assert_eq!(world.hear(client.five_tuple, &request), Heard::Pending);
    assert_eq!(world.hear(client.five_tuple, &request), Heard::Pending);
    assert_eq!(world.unanswered.len(), 1);
    assert_eq!(error_code(&client.ask(&mut world, Method::ALLOCATE, udp)), 437);
    assert_eq!(error_code(&client.refresh(&mut world, 600)), 437);
    assert_eq!(error_code(&client.permit(&mut world, "8.8.8.8:1")), 437);
    let heard = world.opened(world.unanswered[0], Ok(())).unwrap();
    heard.relayed();
    assert_eq!(
        world.hear(client.five_tuple, &request),
        heard,
        "and later ones get the same answer"
    );
}

#[test]
fn an_allocation_freed_while_it_opens_closes_its_socket_as_soon_as_it_is_open() {
    let mut world = World::new();
    world.slow = true;
    let mut client = Client::alice(1000);
    assert_eq!(client.ask(&mut world, Method::ALLOCATE, udp), Heard::Pending);
    let relay = world.unanswered[0];
    assert_eq!(client.refresh(&mut world, 0).lifetime(), 0);
    world.take_outputs();
    assert_eq!(
        world.ports_in_use(),
        1,
        "the port is busy until the shell has answered"
    );
    assert_eq!(world.opened(relay, Ok(())), None);
    assert_eq!(world.take_outputs(), [Output::CloseRelay { relay }]);
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn an_abandoned_socket_that_fails_to_open_needs_no_closing() {
    let mut world = World::new();
    world.slow = true;
    let mut client = Client::alice(1000);
    client.ask(&mut world, Method::ALLOCATE, udp);
    client.refresh(&mut world, 0);
    world.take_outputs();
    world.opened(world.unanswered[0], Err(OpenError::AddressInUse));
    assert_eq!(world.take_outputs(), []);
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn a_place_is_not_given_away_while_its_socket_opens() {
    let mut world = World::new();
    world.slow = true;
    let mut client = Client::alice(1000);
    client.ask(&mut world, Method::ALLOCATE, udp);
    client.refresh(&mut world, 0);
    Client::bob(1001).ask(&mut world, Method::ALLOCATE, udp);
    let [first, second] = world.unanswered[..] else {
        panic!("two sockets to open")
    };
    assert_ne!(first.index, second.index);
}
