//! Whom an allocation, a port and a ticket belong to, and whose quota they count for.

use super::*;

#[test]
fn a_token_and_a_password_do_not_share_an_allocation() {
    let mut world = world();
    Client::alice(1000).allocate(&mut world);
    let mut bearer = Bearer::new(1000, 1);
    let heard = bearer.refresh(&mut world, 600);
    assert_eq!(error_code(&heard), 441);
    assert!(heard.is_signed_by(&bearer.client));
    assert_eq!(error_code(&bearer.allocate(&mut world)), 437);
    Bearer::new(1001, 1).allocate(&mut world).relayed();
    assert_eq!(error_code(&Client::alice(1001).refresh(&mut world, 600)), 441);
}

/// Somebody may be called as a key is.
#[test]
fn a_user_of_a_keys_name_is_not_the_bearer_of_its_tokens() {
    let mut world = World::with(|config| {
        believe_tokens(config);
        let realm = config.realm.clone();
        config
            .credentials
            .add_user(&realm, "north", "wonderland")
            .unwrap();
    });
    Client::new(1000, "north", "wonderland").allocate(&mut world);
    assert_eq!(error_code(&Bearer::new(1000, 1).refresh(&mut world, 600)), 441);
    Bearer::new(1001, 1).allocate(&mut world).relayed();
    let mut user = Client::new(1001, "north", "wonderland");
    assert_eq!(error_code(&user.refresh(&mut world, 600)), 401);
}

/// THREATS 27: one token has what one user has, and all tokens of one key are bounded together.
#[test]
fn quotas_count_tokens_and_their_keys() {
    let number = |n: u32| n.try_into().unwrap();
    let quota = Quota::new(QuotaLimits {
        per_user: number(2),
        per_key: number(3),
        ..QuotaLimits::default()
    });
    let mut world = World::with_ledger(quota, believe_tokens);
    let mut port = 1000;
    let mut allocate = |world: &mut World, mac_key: u8| {
        port += 1;
        let mut bearer = Bearer::new(port, mac_key);
        (error_code(&bearer.allocate(world)), bearer)
    };
    let (code, mut first) = allocate(&mut world, 1);
    assert_eq!((code, allocate(&mut world, 1).0), (0, 0));
    assert_eq!(allocate(&mut world, 1).0, 486, "a third of one token");
    assert_eq!(allocate(&mut world, 2).0, 0, "another token");
    assert_eq!(allocate(&mut world, 3).0, 486, "a fourth of one key");
    first.renew(9, BEGIN, 3600);
    assert_eq!(first.refresh(&mut world, 0).lifetime(), 0);
    assert_eq!(
        allocate(&mut world, 1).0,
        0,
        "it was counted for the token it was made with"
    );
    assert_eq!(allocate(&mut world, 3).0, 486);
    let token = Token::new(&[4; 20], BEGIN, 3600).seal(UNION, SERVER_NAME);
    Bearer::with(2000, "union", &[4; 20], &token)
        .allocate(&mut world)
        .relayed();
}

#[test]
fn a_reserved_port_is_for_bearers_of_the_same_key() {
    let mut world = world();
    let reserve = |world: &mut World, port| {
        let heard = Bearer::new(port, 1).ask(world, Method::ALLOCATE, |writer| {
            udp(writer);
            writer.attribute(AttributeType::EVEN_PORT, &[0x80]).unwrap();
        });
        heard.message().reservation_token().unwrap().unwrap()
    };
    let claim = |world: &mut World, bearer: &mut Bearer, token: [u8; 8]| {
        let heard = bearer.ask(world, Method::ALLOCATE, |writer| {
            udp(writer);
            writer
                .attribute(AttributeType::RESERVATION_TOKEN, &token)
                .unwrap();
        });
        error_code(&heard)
    };
    let token = reserve(&mut world, 1000);
    assert_eq!(claim(&mut world, &mut Bearer::new(1001, 2), token), 0);
    let token = reserve(&mut world, 1002);
    let other = Token::new(&[3; 20], BEGIN, 3600).seal(UNION, SERVER_NAME);
    let mut other = Bearer::with(1003, "union", &[3; 20], &other);
    assert_eq!(claim(&mut world, &mut other, token), 508);
}

/// RFC 8016 §3.2.2, 441 for another user: whoever has somebody else's ticket needs his token, too.
#[test]
fn a_ticket_is_for_the_bearer_of_its_token() {
    let mut world = World::with(|config| {
        believe_tokens(config);
        moving::mobile(config);
    });
    let mut bearer = Bearer::new(1000, 1);
    let heard = bearer.ask(&mut world, Method::ALLOCATE, moving::wish);
    let ticket = moving::ticket(&heard);
    let redeem = |world: &mut World, bearer: &mut Bearer| {
        let heard = bearer.ask(world, Method::REFRESH, |writer| {
            writer.attribute(AttributeType::MOBILITY_TICKET, &ticket).unwrap();
        });
        assert!(heard.is_signed_by(&bearer.client));
        heard
    };
    assert_eq!(error_code(&redeem(&mut world, &mut Bearer::new(1001, 2))), 441);
    assert_eq!(
        error_code(&redeem(&mut world, &mut Bearer::new(1002, 1))),
        0,
        "the same token elsewhere"
    );
    let mut moved = Bearer::new(1002, 1);
    moved.client.learn_nonce(&mut world);
    moved.renew(3, BEGIN, 3600);
    assert_eq!(
        moved.refresh(&mut world, 600).lifetime(),
        600,
        "a new token from where it said it would be"
    );
    assert_eq!(error_code(&moved.client.permit(&mut world, "8.8.8.8:1")), 0);
}

#[test]
fn a_hidden_name_is_no_keys_id() {
    let mut world = world();
    let bearer = Bearer::new(1000, 1);
    let mut client = bearer.client.clone();
    client.learn_nonce(&mut world);
    let nonce = client.nonce.clone();
    let request = client.write(Class::Request, Method::ALLOCATE, udp, |writer| {
        let hash = stun_wire::user_hash("north", "example.org");
        writer.attribute(AttributeType::USERHASH, &hash).unwrap();
        writer
            .attribute(AttributeType::ACCESS_TOKEN, &bearer.token)
            .unwrap();
        writer.text(AttributeType::REALM, "example.org").unwrap();
        writer.attribute(AttributeType::NONCE, &nonce).unwrap();
        writer.integrity(&bearer.client.key).unwrap();
    });
    assert_eq!(error_code(&world.hear(client.five_tuple, &request)), 401);
}

/// A key that leaked is changed, and what it is called may stay.
#[test]
fn a_token_is_good_no_longer_than_its_own_key_under_whatever_id() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.allocate(&mut world).relayed();
    let change = |world: &mut World, key: &[u8]| {
        let mut third_party = ThirdParty::new(SERVER_NAME).unwrap();
        let key = TokenKey::new(TokenAlgorithm::A256Gcm, key).unwrap();
        third_party.add_key("north", key, 0..u64::MAX);
        let mut credentials = crate::Credentials::default();
        credentials.set_third_party(third_party);
        world.server.set_credentials(credentials, true);
    };
    change(&mut world, &[9; 32]);
    assert_eq!(error_code(&bearer.client.refresh(&mut world, 600)), 401);
    // Nor does a token of the new key make the old one good again.
    let mut renewed = bearer.clone();
    renewed.mac_key = vec![2; 20];
    renewed.client.key = IntegrityKey::new(&renewed.mac_key);
    renewed.token = Token::new(&renewed.mac_key, BEGIN, 3600).seal(&[9; 32], SERVER_NAME);
    let permitted = renewed.ask(&mut world, Method::CREATE_PERMISSION, |writer| {
        let peer = "8.8.8.8:1".parse().unwrap();
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
    });
    assert_eq!(error_code(&permitted), 0);
    assert_eq!(error_code(&bearer.client.refresh(&mut world, 600)), 401);
    assert_eq!(error_code(&renewed.refresh(&mut world, 600)), 0);
    assert_eq!(error_code(&renewed.client.refresh(&mut world, 600)), 0);
    change(&mut world, NORTH);
    assert_eq!(error_code(&renewed.client.refresh(&mut world, 600)), 401);
}

#[test]
fn a_token_is_good_as_long_as_its_key_is_known() {
    let mut world = world();
    let mut bearer = Bearer::new(1000, 1);
    bearer.allocate(&mut world).relayed();
    let mut config = crate::Config::new(world.server.config.realm.clone(), [1; 32]);
    believe_tokens(&mut config);
    world.server.set_credentials(config.credentials, true);
    assert_eq!(error_code(&bearer.client.refresh(&mut world, 600)), 0);
    world.server.set_credentials(crate::Credentials::default(), true);
    assert_eq!(error_code(&bearer.client.refresh(&mut world, 600)), 401);
}
