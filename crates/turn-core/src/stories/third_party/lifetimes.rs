//! How long a token serves, and what takes its place.

use super::*;

#[test]
fn a_key_is_good_in_its_time_only() {
    for (valid, code) in [(BEGIN..BEGIN + 1, 0), (BEGIN + 1..u64::MAX, 401), (0..BEGIN, 401)] {
        let mut world = World::with(|config| {
            let mut third_party = ThirdParty::new(SERVER_NAME).unwrap();
            let key = TokenKey::new(TokenAlgorithm::A256Gcm, NORTH).unwrap();
            third_party.add_key("north", key, valid.clone());
            config.credentials.set_third_party(third_party);
        });
        assert_eq!(
            error_code(&Bearer::new(1000, 1).allocate(&mut world)),
            code,
            "{valid:?}"
        );
        let expired = world.server.counters().auth_failures(AuthFailure::Expired);
        assert_eq!(expired, u64::from(code != 0), "nobody guesses: {valid:?}");
    }
}

/// For TURN, RFC 7635 has lifetimes end no later than the token's.
#[test]
fn an_allocation_lives_no_longer_than_its_token() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.renew(1, BEGIN - 3400, 3600);
    assert_eq!(bearer.allocate(&mut world).message().lifetime(), Some(Ok(205)));
    world.pass(100);
    assert_eq!(bearer.client.refresh(&mut world, 3600).lifetime(), 105);
    world.pass(104);
    assert_eq!(bearer.refresh(&mut world, 3600).lifetime(), 1);
    world.pass(1);
    assert_eq!(world.ports_in_use(), 0, "it has expired with the token");
    assert_eq!(error_code(&bearer.refresh(&mut world, 600)), 401);
}

/// What the allocation keeps of a token is no token: whoever has no new one prolongs nothing beyond it.
#[test]
fn no_refresh_without_a_token_outlives_the_last_one() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.renew(1, BEGIN - 3500, 3600);
    assert_eq!(bearer.allocate(&mut world).message().lifetime(), Some(Ok(105)));
    world.pass(104);
    assert_eq!(bearer.client.refresh(&mut world, 3600).lifetime(), 1);
    world.pass_millis(999);
    assert_eq!(bearer.client.refresh(&mut world, 3600).lifetime(), 1);
    world.pass_millis(999);
    assert_eq!(error_code(&bearer.client.refresh(&mut world, 3600)), 401);
    world.pass(1);
    assert_eq!(world.ports_in_use(), 0);
}

#[test]
fn a_fresh_token_gives_no_more_than_its_lifetime() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.renew(1, BEGIN + 50, 90);
    assert_eq!(bearer.allocate(&mut world).message().lifetime(), Some(Ok(90)));
}

/// A new token takes the place of the old one, whose key signs nothing any more.
#[test]
fn refresh_with_a_new_token_goes_on_with_its_key() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.allocate(&mut world).relayed();
    let mut old = bearer.clone();
    world.pass(500);
    bearer.renew(2, BEGIN + 500, 3600);
    let heard = bearer.refresh(&mut world, 3600);
    assert_eq!(heard.lifetime(), 3600);
    assert!(heard.is_signed_by(&bearer.client));
    assert_eq!(error_code(&bearer.client.permit(&mut world, "8.8.8.8:1")), 0);
    assert_eq!(error_code(&old.client.permit(&mut world, "8.8.8.8:1")), 401);
}

/// Authorization servers change their keys, and what a client is called by changes with them.
#[test]
fn a_new_token_may_come_under_another_key() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.allocate(&mut world).relayed();
    let token = Token::new(&[2; 20], BEGIN, 3600).seal(UNION, SERVER_NAME);
    let mut renewed = Bearer::with(1000, "union", &[2; 20], &token);
    renewed.client.nonce = bearer.client.nonce.clone();
    assert_eq!(renewed.refresh(&mut world, 600).lifetime(), 600);
    assert_eq!(error_code(&renewed.client.permit(&mut world, "8.8.8.8:1")), 0);
    assert_eq!(renewed.client.refresh(&mut world, 0).lifetime(), 0);
    assert_eq!(world.ports_in_use(), 0);
}
