use std::collections::BTreeSet;

use super::*;
use crate::{config::Realm, testing::now_at};

const CLIENT: &str = "192.0.2.1:5000";

/// 2026-11-01, far from where three bytes of seconds begin anew.
const BEGIN: u64 = 1_793_491_200;

fn nonces_of(realm: &str, key: u8, change: impl FnOnce(&mut Config)) -> Nonces {
    let mut config = Config::new(Realm::new(realm).unwrap(), [key; 32]);
    change(&mut config);
    Nonces::new(&config)
}

fn nonces() -> Nonces {
    nonces_of("example.org", 1, |_| ())
}

fn check(nonce: &[u8], seconds: u64, client: &str) -> NonceCheck {
    nonces().check(now_at(seconds), client.parse().unwrap(), nonce).0
}

fn make(seconds: u64, client: &str, offer: Offer) -> Nonce {
    nonces().make(now_at(seconds), client.parse().unwrap(), offer)
}

#[test]
fn a_nonce_is_good_for_its_lifetime_and_stale_after() {
    for offer in Offer::ALL {
        let nonce = make(BEGIN, CLIENT, offer);
        assert_eq!(check(&nonce, BEGIN, CLIENT), NonceCheck::Fresh);
        assert_eq!(check(&nonce, BEGIN + 3600, CLIENT), NonceCheck::Fresh);
        assert_eq!(check(&nonce, BEGIN + 3601, CLIENT), NonceCheck::Stale);
    }
}

#[test]
fn a_nonce_of_the_future_is_foreign_but_a_small_step_of_the_clock_is_forgiven() {
    let nonce = make(BEGIN, CLIENT, Offer::Algorithms);
    assert_eq!(check(&nonce, BEGIN - 60, CLIENT), NonceCheck::Fresh);
    assert_eq!(check(&nonce, BEGIN - 61, CLIENT), NonceCheck::Foreign);
}

/// Its three bytes of time are the same again, its MAC is not.
#[test]
fn a_nonce_does_not_come_back_to_life_after_194_days() {
    let nonce = make(BEGIN, CLIENT, Offer::Algorithms);
    assert_eq!(check(&nonce, BEGIN + (1 << 24) - 61, CLIENT), NonceCheck::Stale);
    for later in [-60, 0, 1, 3600] {
        let now = (BEGIN + (1 << 24)).strict_add_signed(later);
        assert_eq!(check(&nonce, now, CLIENT), NonceCheck::Foreign, "{later}");
    }
}

#[test]
fn the_bytes_of_the_time_may_wrap_during_the_life_of_a_nonce() {
    let wrap = BEGIN.next_multiple_of(1 << 24);
    for made in [wrap - 3600, wrap - 1, wrap] {
        let nonce = make(made, CLIENT, Offer::Cookie);
        assert_eq!(check(&nonce, made + 3600, CLIENT), NonceCheck::Fresh);
    }
    assert_eq!(
        check(&make(wrap, CLIENT, Offer::Cookie), wrap - 60, CLIENT),
        NonceCheck::Fresh
    );
}

#[test]
fn a_clock_that_stands_at_1970_does_no_harm() {
    let nonce = make(0, CLIENT, Offer::Algorithms);
    assert_eq!(check(&nonce, 0, CLIENT), NonceCheck::Fresh);
    assert_eq!(
        check(&make(BEGIN, CLIENT, Offer::Algorithms), 0, CLIENT),
        NonceCheck::Foreign
    );
}

#[test]
fn a_nonce_is_bound_to_address_and_port() {
    let nonce = make(BEGIN, CLIENT, Offer::Algorithms);
    for other in ["192.0.2.1:5001", "192.0.2.2:5000", "[::ffff:192.0.2.1]:5000"] {
        assert_eq!(check(&nonce, BEGIN, other), NonceCheck::Foreign, "{other}");
    }
}

#[test]
fn a_changed_nonce_is_foreign() {
    for offer in Offer::ALL {
        let nonce = make(BEGIN, CLIENT, offer);
        for at in 0..nonce.len() {
            let mut changed = nonce.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                check(&changed, BEGIN, CLIENT),
                NonceCheck::Foreign,
                "character {at}"
            );
        }
        for text in [
            &b""[..],
            b"AAAA",
            &[0xff; 28],
            &nonce[1..],
            &[&nonce[..], b"A"].concat(),
        ] {
            assert_eq!(check(text, BEGIN, CLIENT), NonceCheck::Foreign);
        }
    }
}

/// RFC 8489 §9.2.1: the cookie keeps an attacker on the way from taking features away.
#[test]
fn a_nonce_under_another_cookie_is_foreign() {
    let text = |nonce: &Nonce| nonce[nonce.len() - TEXT_LEN..].to_vec();
    for made in Offer::ALL {
        let nonce = make(BEGIN, CLIENT, made);
        for shown in Offer::ALL.into_iter().filter(|shown| *shown != made) {
            let cookie = &nonces().prefixes[shown as usize];
            let forged = [cookie, &text(&nonce)[..]].concat();
            let checked = nonces().check(now_at(BEGIN), CLIENT.parse().unwrap(), &forged);
            assert_eq!(checked, (NonceCheck::Foreign, shown), "{made:?}");
        }
    }
}

/// RFC 8489 §9.2 and §18.1: bit 0 is the most significant bit of the first byte.
#[test]
fn the_cookie_says_what_is_offered() {
    let anonymous = |config: &mut Config| {
        let realm = config.realm.clone();
        config
            .credentials
            .add_user(&realm, "alice", "wonderland")
            .unwrap();
    };
    for (nonces, cookies) in [
        (nonces(), ["obMatJos2gAAA", "obMatJos2AAAA"]),
        (
            nonces_of("example.org", 1, anonymous),
            ["obMatJos2wAAA", "obMatJos2QAAA"],
        ),
    ] {
        for (offer, cookie) in [Offer::Algorithms, Offer::Cookie].into_iter().zip(cookies) {
            let nonce = nonces.make(now_at(BEGIN), CLIENT.parse().unwrap(), offer);
            assert!(nonce.starts_with(cookie.as_bytes()), "{}", nonce.escape_ascii());
            assert_eq!(nonce.len(), 28);
        }
    }
    assert_eq!(make(BEGIN, CLIENT, Offer::Nothing).len(), 15);
}

#[test]
fn another_key_or_realm_makes_another_nonce() {
    let nonce = make(BEGIN, CLIENT, Offer::Algorithms);
    for (realm, key) in [("example.org", 2), ("example.net", 1)] {
        let other = nonces_of(realm, key, |_| ());
        let checked = other.check(now_at(BEGIN), CLIENT.parse().unwrap(), &nonce);
        assert_eq!(checked.0, NonceCheck::Foreign);
    }
}

/// THREATS 13: what follows the clock differs for every client and second.
#[test]
fn no_two_clients_or_seconds_share_a_code() {
    let codes: BTreeSet<_> = (0..1000)
        .flat_map(|n: u16| {
            [
                make(BEGIN, &format!("192.0.2.1:{n}"), Offer::Algorithms),
                make(BEGIN + 1 + u64::from(n), CLIENT, Offer::Algorithms),
            ]
        })
        .map(|nonce| nonce[PREFIX_LEN + 4..].to_vec())
        .collect();
    assert_eq!(codes.len(), 2000);
}
