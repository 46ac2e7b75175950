use std::fmt;

/// The sixteen bits in front of an attribute that say what it holds (RFC 8489 §18.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeType(pub u16);

impl AttributeType {
    /// Tells whether a receiver that does not know the attribute must refuse the request with 420
    /// (RFC 8489 §14: 0x0000–0x7FFF).
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "unknown" => write!(f, "0x{:04x}", self.0),
            name => f.write_str(name),
        }
    }
}

macro_rules! registry {
    ($($constant:ident = $value:literal, $name:literal, $source:literal;)*) => {
        impl AttributeType {
            $(
                #[doc = concat!($name, " (", $source, ").")]
                pub const $constant: Self = Self($value);
            )*

            /// Every attribute of the registry, in the order of its numbers.
            pub const REGISTRY: &'static [Self] = &[$(Self::$constant),*];

            /// Names the attribute as the RFC writes it, `"unknown"` when it is not in the registry.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$constant => $name,)*
                    Self(_) => "unknown",
                }
            }
        }
    };
}

registry! {
    MAPPED_ADDRESS = 0x0001, "MAPPED-ADDRESS", "RFC 8489 §14.1";
    RESPONSE_ADDRESS = 0x0002, "RESPONSE-ADDRESS", "RFC 3489 §11.2.2";
    CHANGE_REQUEST = 0x0003, "CHANGE-REQUEST", "RFC 5780 §7.2";
    SOURCE_ADDRESS = 0x0004, "SOURCE-ADDRESS", "RFC 3489 §11.2.5";
    CHANGED_ADDRESS = 0x0005, "CHANGED-ADDRESS", "RFC 3489 §11.2.3";
    USERNAME = 0x0006, "USERNAME", "RFC 8489 §14.3";
    PASSWORD = 0x0007, "PASSWORD", "RFC 3489 §11.2.7";
    MESSAGE_INTEGRITY = 0x0008, "MESSAGE-INTEGRITY", "RFC 8489 §14.5";
    ERROR_CODE = 0x0009, "ERROR-CODE", "RFC 8489 §14.8";
    UNKNOWN_ATTRIBUTES = 0x000A, "UNKNOWN-ATTRIBUTES", "RFC 8489 §14.13";
    REFLECTED_FROM = 0x000B, "REFLECTED-FROM", "RFC 3489 §11.2.11";
    CHANNEL_NUMBER = 0x000C, "CHANNEL-NUMBER", "RFC 8656 §18.1";
    LIFETIME = 0x000D, "LIFETIME", "RFC 8656 §18.2";
    BANDWIDTH = 0x0010, "BANDWIDTH", "reserved by RFC 5766 §15";
    XOR_PEER_ADDRESS = 0x0012, "XOR-PEER-ADDRESS", "RFC 8656 §18.3";
    DATA = 0x0013, "DATA", "RFC 8656 §18.4";
    REALM = 0x0014, "REALM", "RFC 8489 §14.9";
    NONCE = 0x0015, "NONCE", "RFC 8489 §14.10";
    XOR_RELAYED_ADDRESS = 0x0016, "XOR-RELAYED-ADDRESS", "RFC 8656 §18.5";
    REQUESTED_ADDRESS_FAMILY = 0x0017, "REQUESTED-ADDRESS-FAMILY", "RFC 8656 §18.6";
    EVEN_PORT = 0x0018, "EVEN-PORT", "RFC 8656 §18.7";
    REQUESTED_TRANSPORT = 0x0019, "REQUESTED-TRANSPORT", "RFC 8656 §18.8";
    DONT_FRAGMENT = 0x001A, "DONT-FRAGMENT", "RFC 8656 §18.9";
    ACCESS_TOKEN = 0x001B, "ACCESS-TOKEN", "RFC 7635 §6.2";
    MESSAGE_INTEGRITY_SHA256 = 0x001C, "MESSAGE-INTEGRITY-SHA256", "RFC 8489 §14.6";
    PASSWORD_ALGORITHM = 0x001D, "PASSWORD-ALGORITHM", "RFC 8489 §14.12";
    USERHASH = 0x001E, "USERHASH", "RFC 8489 §14.4";
    XOR_MAPPED_ADDRESS = 0x0020, "XOR-MAPPED-ADDRESS", "RFC 8489 §14.2";
    TIMER_VAL = 0x0021, "TIMER-VAL", "reserved by RFC 5766 §15";
    RESERVATION_TOKEN = 0x0022, "RESERVATION-TOKEN", "RFC 8656 §18.10";
    PRIORITY = 0x0024, "PRIORITY", "RFC 8445 §7.1.1";
    USE_CANDIDATE = 0x0025, "USE-CANDIDATE", "RFC 8445 §7.1.2";
    PADDING = 0x0026, "PADDING", "RFC 5780 §7.6";
    RESPONSE_PORT = 0x0027, "RESPONSE-PORT", "RFC 5780 §7.5";
    CONNECTION_ID = 0x002A, "CONNECTION-ID", "RFC 6062 §6.2.1";
    ADDITIONAL_ADDRESS_FAMILY = 0x8000, "ADDITIONAL-ADDRESS-FAMILY", "RFC 8656 §18.11";
    ADDRESS_ERROR_CODE = 0x8001, "ADDRESS-ERROR-CODE", "RFC 8656 §18.12";
    PASSWORD_ALGORITHMS = 0x8002, "PASSWORD-ALGORITHMS", "RFC 8489 §14.11";
    ALTERNATE_DOMAIN = 0x8003, "ALTERNATE-DOMAIN", "RFC 8489 §14.16";
    ICMP = 0x8004, "ICMP", "RFC 8656 §18.13";
    SOFTWARE = 0x8022, "SOFTWARE", "RFC 8489 §14.14";
    ALTERNATE_SERVER = 0x8023, "ALTERNATE-SERVER", "RFC 8489 §14.15";
    TRANSACTION_TRANSMIT_COUNTER = 0x8025, "TRANSACTION_TRANSMIT_COUNTER", "RFC 7982 §3.1";
    CACHE_TIMEOUT = 0x8027, "CACHE-TIMEOUT", "RFC 5780 §7.1";
    FINGERPRINT = 0x8028, "FINGERPRINT", "RFC 8489 §14.7";
    ICE_CONTROLLED = 0x8029, "ICE-CONTROLLED", "RFC 8445 §7.1.3";
    ICE_CONTROLLING = 0x802A, "ICE-CONTROLLING", "RFC 8445 §7.1.3";
    RESPONSE_ORIGIN = 0x802B, "RESPONSE-ORIGIN", "RFC 5780 §7.3";
    OTHER_ADDRESS = 0x802C, "OTHER-ADDRESS", "RFC 5780 §7.4";
    ECN_CHECK = 0x802D, "ECN-CHECK STUN", "RFC 6679 §7.2.2";
    THIRD_PARTY_AUTHORIZATION = 0x802E, "THIRD-PARTY-AUTHORIZATION", "RFC 7635 §6.1";
    ORIGIN = 0x802F, "ORIGIN", "draft-ietf-tram-stun-origin";
    MOBILITY_TICKET = 0x8030, "MOBILITY-TICKET", "RFC 8016 §3.5";
    DRAFT_ADDITIONAL_ADDRESS_FAMILY = 0x8032, "ADDITIONAL-ADDRESS-FAMILY of the drafts", "draft-ietf-tram-turnbis, sent by coturn";
    GOOG_NETWORK_INFO = 0xC057, "GOOG-NETWORK-INFO", "registered by Google, sent by libwebrtc";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_ordered_and_every_entry_has_a_name() {
        assert!(AttributeType::REGISTRY.is_sorted_by(|a, b| a < b));
        assert!(
            AttributeType::REGISTRY
                .iter()
                .all(|kind| kind.name() != "unknown")
        );
        assert_eq!(AttributeType(0x7777).name(), "unknown");
        assert_eq!(format!("{:?}", AttributeType(0x7777)), "0x7777");
    }

    #[test]
    fn comprehension_is_required_below_0x8000() {
        assert!(AttributeType::DATA.is_comprehension_required());
        assert!(AttributeType(0x7FFF).is_comprehension_required());
        assert!(!AttributeType::ADDITIONAL_ADDRESS_FAMILY.is_comprehension_required());
    }
}
