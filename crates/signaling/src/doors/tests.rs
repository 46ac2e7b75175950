use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

// Keys made for these tests alone.
const RSA_PRIVATE: &str = include_str!("rsa_private.pem");
const RSA_PUBLIC: &str = include_str!("rsa_public.pem");
const ED_PRIVATE: &str = include_str!("ed_private.pem");
const ED_PUBLIC: &str = include_str!("ed_public.pem");
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn key(algorithm: KeyAlgorithm) -> RoomKeyConfig {
    let is_secret = algorithm == KeyAlgorithm::HS256;
    let public = match algorithm {
        KeyAlgorithm::HS256 => None,
        KeyAlgorithm::RS256 => Some(RSA_PUBLIC),
        KeyAlgorithm::EdDSA => Some(ED_PUBLIC),
    };
    RoomKeyConfig {
        id: None,
        algorithm,
        secret: is_secret.then(|| Hidden(SECRET.into())),
        public_key: public.map(str::to_owned),
        file: None,
    }
}

fn config(keys: &[KeyAlgorithm]) -> RoomTokensConfig {
    RoomTokensConfig {
        required: true,
        keys: keys.iter().copied().map(key).collect(),
        ..RoomTokensConfig::default()
    }
}

fn doors(keys: &[KeyAlgorithm]) -> Doors {
    Doors::new(&config(keys)).unwrap()
}

fn sign(algorithm: Algorithm, claims: &Value) -> String {
    let key = if algorithm == Algorithm::RS256 {
        EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap()
    } else if algorithm == Algorithm::EdDSA {
        EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes()).unwrap()
    } else {
        EncodingKey::from_secret(SECRET.as_bytes())
    };
    encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn in_seconds(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs()).unwrap() + seconds
}

fn claims() -> Value {
    json!({ "room": "north", "exp": in_seconds(60) })
}

fn north() -> RoomName {
    RoomName::new("north").unwrap()
}

fn open(doors: &Doors, token: &str) -> Result<Pass, Problem> {
    doors.open(Some(token), &north())
}

#[test]
fn each_algorithm_opens_the_door_with_its_own_key_only() {
    use KeyAlgorithm::{EdDSA, HS256, RS256};
    let pairs = [
        (Algorithm::HS256, HS256),
        (Algorithm::RS256, RS256),
        (Algorithm::EdDSA, EdDSA),
    ];
    for (algorithm, _) in pairs {
        let token = sign(algorithm, &claims());
        for (_, key) in pairs {
            let opened = open(&doors(&[key]), &token).is_ok();
            assert_eq!(opened, pairs.contains(&(algorithm, key)), "{algorithm:?} {key:?}");
        }
        assert!(open(&doors(&[HS256, RS256, EdDSA]), &token).is_ok());
    }
}

#[test]
fn without_a_token_nobody_enters_where_one_is_required() {
    assert_eq!(
        doors(&[KeyAlgorithm::HS256]).open(None, &north()),
        Err(Problem::TokenRequired)
    );
    let open = Doors::new(&RoomTokensConfig::default()).unwrap();
    assert_eq!(open.open(None, &north()).unwrap().permissions, Permissions::ALL);
    // One that cannot be checked is not waved through.
    let token = sign(Algorithm::HS256, &claims());
    assert_eq!(open.open(Some(&token), &north()), Err(Problem::BadToken));
}

#[test]
fn a_token_is_good_for_its_room_and_its_time() {
    let doors = doors(&[KeyAlgorithm::HS256]);
    for (what, wrong) in [
        ("another room", json!({ "room": "south", "exp": in_seconds(60) })),
        ("expired", json!({ "room": "north", "exp": in_seconds(-60) })),
        ("without an expiry", json!({ "room": "north" })),
        (
            "not yet",
            json!({ "room": "north", "exp": in_seconds(600), "nbf": in_seconds(300) }),
        ),
        ("without a room", json!({ "exp": in_seconds(60) })),
    ] {
        let token = sign(Algorithm::HS256, &wrong);
        assert_eq!(open(&doors, &token), Err(Problem::BadToken), "{what}");
    }
}

/// RFC 8725 §2.1: an attacker changes the algorithm.
#[test]
fn the_token_does_not_choose_how_it_is_checked() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let doors = doors(&[KeyAlgorithm::RS256, KeyAlgorithm::EdDSA]);
    for public in [RSA_PUBLIC, ED_PUBLIC, RSA_PUBLIC.trim(), ED_PUBLIC.trim()] {
        let key = EncodingKey::from_secret(public.as_bytes());
        let token = encode(&Header::new(Algorithm::HS256), &claims(), &key).unwrap();
        assert_eq!(open(&doors, &token), Err(Problem::BadToken));
    }
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","typ":"JWT"}"#,
        r#"{"typ":"JWT"}"#,
    ] {
        let parts = [header.to_owned(), claims().to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
        for signature in ["", "AAAA"] {
            let token = format!("{}.{}.{signature}", parts[0], parts[1]);
            assert_eq!(open(&doors, &token), Err(Problem::BadToken), "{header}");
        }
    }
    for token in ["", ".", "..", "a.b.c", &"x".repeat(60_000)] {
        assert_eq!(open(&doors, token), Err(Problem::BadToken));
    }
}

#[test]
fn a_token_that_was_touched_opens_nothing() {
    let doors = doors(&[KeyAlgorithm::HS256]);
    let token = sign(Algorithm::HS256, &claims());
    for at in (0..token.len()).filter(|at| token.as_bytes()[*at] != b'.') {
        // The last character of a part may have bits that mean nothing; another first bit never does.
        let mut bytes = token.clone().into_bytes();
        bytes[at] = match bytes[at] {
            b'A'..=b'Z' => b'0',
            _ => b'A',
        };
        let touched = String::from_utf8(bytes).unwrap();
        assert_eq!(open(&doors, &touched), Err(Problem::BadToken), "at {at}");
    }
}

#[test]
fn what_a_handshake_brings_is_a_room_token_only_where_there_are_keys() {
    let brought = || Some("for another application".to_owned());
    let none = Doors::new(&RoomTokensConfig::default()).unwrap();
    assert_eq!(none.brought(brought()), None);
    let mut optional = config(&[KeyAlgorithm::HS256]);
    optional.required = false;
    let optional = Doors::new(&optional).unwrap();
    assert_eq!(optional.brought(brought()), brought());
    let long = optional.brought(Some("x".repeat(MAX_TOKEN + 1)));
    assert_eq!(long.as_deref(), Some(""), "not kept, and none all the same");
    assert_eq!(optional.open(long.as_deref(), &north()), Err(Problem::BadToken));
}

#[test]
fn a_token_that_is_too_long_is_not_looked_at() {
    let doors = doors(&[KeyAlgorithm::HS256]);
    for (padding, opens) in [(MAX_TOKEN / 2, true), (MAX_TOKEN, false)] {
        let mut claims = claims();
        claims["more"] = "x".repeat(padding).into();
        let token = sign(Algorithm::HS256, &claims);
        assert_eq!(token.len() <= MAX_TOKEN, opens);
        assert_eq!(open(&doors, &token).is_ok(), opens);
    }
}

#[test]
fn a_token_may_give_a_name_and_take_permissions_away() {
    let doors = doors(&[KeyAlgorithm::HS256]);
    let pass = |more: Value| {
        let mut claims = claims();
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        open(&doors, &sign(Algorithm::HS256, &claims))
    };
    let anna = pass(json!({ "name": "Anna" })).unwrap();
    assert_eq!(anna.name.unwrap().as_str(), "Anna");
    assert_eq!(anna.permissions, Permissions::ALL);
    for (listed, send, ice) in [
        (json!([]), false, false),
        (json!(["send"]), true, false),
        (json!(["ice", "fly"]), false, true),
    ] {
        let permissions = pass(json!({ "permissions": listed })).unwrap().permissions;
        assert_eq!(permissions, Permissions { send, ice });
    }
    assert_eq!(pass(json!({ "name": "a\u{0}" })), Err(Problem::BadName));
    assert_eq!(pass(json!({ "permissions": "send" })), Err(Problem::BadToken));
}

#[test]
fn issuer_and_audience_are_checked_where_they_are_set() {
    let mut config = config(&[KeyAlgorithm::HS256]);
    config.issuer = Some("app".into());
    config.audience = Some("watari".into());
    let doors = Doors::new(&config).unwrap();
    for (iss, aud, opens) in [
        (json!("app"), json!("watari"), true),
        (json!("app"), json!(["other", "watari"]), true),
        (json!("app"), json!("other"), false),
        (json!("other"), json!("watari"), false),
        (Value::Null, json!("watari"), false),
        (json!("app"), Value::Null, false),
    ] {
        let mut claims = claims();
        for (key, value) in [("iss", &iss), ("aud", &aud)] {
            if !value.is_null() {
                claims[key] = value.clone();
            }
        }
        let opened = open(&doors, &sign(Algorithm::HS256, &claims)).is_ok();
        assert_eq!(opened, opens, "{iss} {aud}");
    }
}

#[test]
fn white_space_around_a_secret_is_no_part_of_it_wherever_it_stands() {
    let padded = format!("  {SECRET}\n");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &padded).unwrap();
    let token = sign(Algorithm::HS256, &claims());
    for (secret, file) in [(Some(padded), None), (None, Some(file.path().to_owned()))] {
        let mut config = config(&[KeyAlgorithm::HS256]);
        config.keys[0].secret = secret.map(Hidden);
        config.keys[0].file = file;
        assert!(open(&Doors::new(&config).unwrap(), &token).is_ok());
    }
}

#[test]
fn a_key_that_cannot_be_used_is_said_to_be() {
    let mut short = config(&[KeyAlgorithm::HS256]);
    short.keys[0].secret = Some(Hidden("short".into()));
    assert!(matches!(
        Doors::new(&short),
        Err(RoomKeyError::Short { index: 0 })
    ));
    let mut wrong = config(&[KeyAlgorithm::RS256]);
    wrong.keys[0].public_key = Some("-----BEGIN NOTHING-----".into());
    assert!(matches!(Doors::new(&wrong), Err(RoomKeyError::Invalid { .. })));
    wrong.keys[0].public_key = None;
    wrong.keys[0].file = Some("/nonexistent/key".into());
    assert!(matches!(Doors::new(&wrong), Err(RoomKeyError::Unreadable { .. })));
}
