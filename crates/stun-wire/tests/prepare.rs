//! Names and passwords as RFC 8265 and RFC 4013 prepare them.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::borrow::Cow;

use precis_profiles::{OpaqueString, precis_core::profile::PrecisFastInvocation};
use proptest::prelude::*;
use stun_wire::{PrepareError, prepare_opaque_string, prepare_saslprep};

#[test]
fn opaque_strings_keep_what_people_type_and_unify_what_looks_alike() {
    // RFC 8265 §4.3, table 4.
    for same in [
        "correct horse battery staple",
        "Correct Horse Battery Staple",
        "πßå",
        "Jack of ♦s",
    ] {
        assert_eq!(prepare_opaque_string(same).unwrap(), same);
    }
    assert_eq!(prepare_opaque_string("foo\u{1680}bar").unwrap(), "foo bar");
    assert_eq!(prepare_opaque_string("e\u{301}").unwrap(), "é");
    assert_eq!(prepare_opaque_string("").unwrap_err(), PrepareError::Empty);
    assert_eq!(
        prepare_opaque_string("my cat is a \u{9}by").unwrap_err(),
        PrepareError::Forbidden
    );
    assert_eq!(
        prepare_opaque_string("nul\0").unwrap_err(),
        PrepareError::Forbidden
    );
}

#[test]
fn saslprep_maps_as_its_rfc_shows() {
    // RFC 4013 §3.
    assert_eq!(prepare_saslprep("I\u{AD}X").unwrap(), "IX");
    assert_eq!(prepare_saslprep("user").unwrap(), "user");
    assert_eq!(prepare_saslprep("USER").unwrap(), "USER");
    assert_eq!(prepare_saslprep("\u{AA}").unwrap(), "a");
    assert_eq!(prepare_saslprep("\u{2168}").unwrap(), "IX");
    assert_eq!(prepare_saslprep("\u{7}").unwrap_err(), PrepareError::Forbidden);
    assert_eq!(prepare_saslprep("\u{627}1").unwrap_err(), PrepareError::Forbidden);
    assert_eq!(prepare_saslprep("\u{AD}").unwrap_err(), PrepareError::Empty);
}

/// RFC 8264 §7: what is stored must be what a second enforcement makes of it.
#[test]
fn what_would_be_refused_when_prepared_again_is_refused_at_once() {
    // GREEK ANO TELEIA is a MIDDLE DOT to NFC, which RFC 5892 allows between two l alone.
    assert_eq!(
        prepare_opaque_string("\u{387}").unwrap_err(),
        PrepareError::Forbidden
    );
    assert_eq!(prepare_opaque_string("l\u{387}l").unwrap(), "l\u{b7}l");
}

#[test]
fn printable_ascii_is_borrowed() {
    assert!(matches!(
        prepare_opaque_string("1700000000:alice"),
        Ok(Cow::Borrowed(_))
    ));
    assert!(matches!(
        prepare_saslprep("1700000000:alice"),
        Ok(Cow::Borrowed(_))
    ));
}

proptest! {
    #[test]
    fn the_short_way_for_ascii_agrees_with_the_profiles(text in "[ -~]{1,40}") {
        prop_assert_eq!(prepare_opaque_string(&text).unwrap(), OpaqueString::enforce(&text[..]).unwrap());
        prop_assert_eq!(prepare_saslprep(&text).unwrap(), stringprep::saslprep(&text).unwrap());
    }

    #[test]
    fn what_is_prepared_once_stays_as_it_is(text in "\\PC{0,20}") {
        for prepare in [prepare_opaque_string, prepare_saslprep] {
            if let Ok(once) = prepare(&text) {
                prop_assert_eq!(prepare(&once).unwrap(), &once[..]);
            }
        }
    }
}
