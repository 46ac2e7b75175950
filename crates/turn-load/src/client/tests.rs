use stun_wire::IntegrityKey;

use super::*;

const REALM: &str = "example.org";

fn account() -> Account {
    Account::User {
        username: "alice".to_owned(),
        password: "wonderland".to_owned(),
    }
}

/// A client that asks, and what all clients share.
struct Story {
    client: Client,
    shared: Option<Credentials>,
    written: Vec<u8>,
}

impl Story {
    fn asking(ask: Ask) -> Self {
        let mut client = Client::new(7);
        client.ask(ask);
        let mut story = Self {
            client,
            shared: None,
            written: Vec::new(),
        };
        story.write();
        story
    }

    fn write(&mut self) {
        let mut out = [0; REQUEST_CAPACITY];
        let len = self.client.write(&mut out).unwrap();
        self.written = out[..len].to_vec();
    }

    fn request(&self) -> Message<'_> {
        Message::parse(&self.written).unwrap()
    }

    fn refuse(&mut self, code: u16, nonce: &[u8]) -> Step {
        self.respond(Class::Error, |writer| {
            writer.error_code(code, "Words").unwrap();
            writer.text(Type::REALM, REALM).unwrap();
            writer.attribute(Type::NONCE, nonce).unwrap();
        })
    }

    fn respond(&mut self, class: Class, write: impl FnOnce(&mut MessageWriter<'_>)) -> Step {
        let (method, id) = (self.request().method(), self.request().transaction_id());
        let mut out = [0; 512];
        let mut writer = MessageWriter::new(&mut out, class, method, id).unwrap();
        write(&mut writer);
        let len = writer.finish();
        let message = Message::parse(&out[..len]).unwrap();
        self.client.answer(&message, &account(), &mut self.shared)
    }
}

fn key() -> IntegrityKey {
    IntegrityKey::new(&stun_wire::long_term_key_md5("alice", REALM, "wonderland"))
}

#[test]
fn a_challenge_is_answered_with_a_signed_request_and_a_grant_gives_the_relay() {
    let mut story = Story::asking(Ask::Allocate(AddressFamily::V4));
    assert!(!story.request().has_integrity());
    let first = story.request().transaction_id();
    assert_eq!(story.refuse(401, b"one"), Step::Again);
    story.write();
    assert_eq!(story.request().nonce(), Some(&b"one"[..]));
    assert_eq!(story.request().verify_integrity(&key()), Ok(()));
    assert_ne!(story.request().transaction_id(), first);

    let relayed = "192.0.2.7:50000".parse().unwrap();
    let forged = story.respond(Class::Success, |writer| {
        writer.xor_address(Type::XOR_RELAYED_ADDRESS, relayed).unwrap();
    });
    assert_eq!(forged, Step::Ignored, "it is not signed");
    let step = story.respond(Class::Success, |writer| {
        writer.xor_address(Type::XOR_RELAYED_ADDRESS, relayed).unwrap();
        writer.integrity(&key()).unwrap();
    });
    assert_eq!(step, Step::Granted);
    assert_eq!(story.client.relayed, Some(relayed));
    assert!(
        story.shared.is_some(),
        "the next client need not derive the key again"
    );
}

#[test]
fn a_stale_nonce_is_replaced_some_times_and_a_second_401_is_a_refusal() {
    let mut story = Story::asking(Ask::Free);
    assert_eq!(story.refuse(401, b"one"), Step::Again);
    for nonce in [b"two", b"thr", b"fou"] {
        story.write();
        assert_eq!(story.refuse(438, nonce), Step::Again);
    }
    story.write();
    assert_eq!(story.request().nonce(), Some(&b"fou"[..]));
    let Step::Refused(refusal) = story.refuse(438, b"fiv") else {
        panic!("it may not go on for ever");
    };
    assert_eq!((refusal.method, refusal.code), ("Refresh", 438));

    let mut story = Story::asking(Ask::Allocate(AddressFamily::V4));
    assert_eq!(story.refuse(401, b"one"), Step::Again);
    story.write();
    let Step::Refused(refusal) = story.refuse(401, b"two") else {
        panic!("the password is wrong");
    };
    assert_eq!((refusal.method, refusal.code), ("Allocate", 401));
}

#[test]
fn an_allocation_that_the_address_has_still_is_asked_for_anew_and_one_that_it_has_not_is_a_refusal() {
    let mut story = Story::asking(Ask::Allocate(AddressFamily::V4));
    assert_eq!(story.refuse(401, b"one"), Step::Again);
    story.write();
    let first = story.request().transaction_id();
    let Step::Later(refusal) = story.refuse(437, b"") else {
        panic!("it may be gone soon");
    };
    assert_eq!((refusal.method, refusal.code), ("Allocate", 437));
    story.write();
    assert_ne!(story.request().transaction_id(), first);

    let mut story = Story::asking(Ask::Free);
    assert!(matches!(story.refuse(437, b""), Step::Refused(_)));
}

#[test]
fn answers_to_other_requests_are_ignored() {
    let mut story = Story::asking(Ask::Permit("192.0.2.1:9".parse().unwrap()));
    story.client.ask(Ask::Permit("192.0.2.1:9".parse().unwrap()));
    assert_eq!(
        story.refuse(403, b""),
        Step::Ignored,
        "that was the request before"
    );
    story.write();
    assert!(matches!(story.refuse(403, b""), Step::Refused(_)));
    assert_eq!(story.refuse(403, b""), Step::Ignored, "nothing is asked any more");
}
