use std::fmt;

/// The 96-bit identifier that ties a response to its request (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub [u8; 12]);

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What part a message plays in a transaction (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Asks for a response.
    Request,
    /// Asks for none.
    Indication,
    /// Answers a request that was granted.
    Success,
    /// Answers a request that was refused.
    Error,
}

/// What a message is about: twelve bits (RFC 8489 §18.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method(u16);

impl Method {
    /// RFC 8489 §18.2.
    pub const BINDING: Self = Self(0x001);
    /// RFC 3489 §11.2.2; reserved since RFC 5389.
    pub const SHARED_SECRET: Self = Self(0x002);
    /// RFC 8656 §17.
    pub const ALLOCATE: Self = Self(0x003);
    /// RFC 8656 §17.
    pub const REFRESH: Self = Self(0x004);
    /// RFC 8656 §17.
    pub const SEND: Self = Self(0x006);
    /// RFC 8656 §17.
    pub const DATA: Self = Self(0x007);
    /// RFC 8656 §17.
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// RFC 8656 §17.
    pub const CHANNEL_BIND: Self = Self(0x009);
    /// RFC 6062 §6.1.
    pub const CONNECT: Self = Self(0x00A);
    /// RFC 6062 §6.1.
    pub const CONNECTION_BIND: Self = Self(0x00B);
    /// RFC 6062 §6.1.
    pub const CONNECTION_ATTEMPT: Self = Self(0x00C);

    /// Makes a method of its twelve bits; higher bits are cut off.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & 0x0FFF)
    }

    /// Returns the twelve bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Names the method in snake case, `"other"` when it is not in the registry: fit for a metrics label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BINDING => "binding",
            Self::SHARED_SECRET => "shared_secret",
            Self::ALLOCATE => "allocate",
            Self::REFRESH => "refresh",
            Self::SEND => "send",
            Self::DATA => "data",
            Self::CREATE_PERMISSION => "create_permission",
            Self::CHANNEL_BIND => "channel_bind",
            Self::CONNECT => "connect",
            Self::CONNECTION_BIND => "connection_bind",
            Self::CONNECTION_ATTEMPT => "connection_attempt",
            Self(_) => "other",
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(0x{:03x})", self.name(), self.0)
    }
}

/// Weaves class and method into the message type: `00 MMMMM C MMM C MMMM` (RFC 8489 §5, figure 3).
pub(crate) const fn message_type(class: Class, method: Method) -> u16 {
    let m = method.0;
    let class = match class {
        Class::Request => 0x000,
        Class::Indication => 0x010,
        Class::Success => 0x100,
        Class::Error => 0x110,
    };
    (m & 0x00F) | (m & 0x070) << 1 | (m & 0xF80) << 2 | class
}

pub(crate) const fn class_of(message_type: u16) -> Class {
    match (message_type & 0x100 != 0, message_type & 0x010 != 0) {
        (false, false) => Class::Request,
        (false, true) => Class::Indication,
        (true, false) => Class::Success,
        (true, true) => Class::Error,
    }
}

pub(crate) const fn method_of(message_type: u16) -> Method {
    let t = message_type;
    Method((t & 0x00F) | (t & 0x0E0) >> 1 | (t & 0x3E00) >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_and_method_survives_the_message_type() {
        for bits in 0..=0x0FFF {
            let method = Method::from_bits(bits);
            for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
                let woven = message_type(class, method);
                assert_eq!(woven & 0xC000, 0);
                assert_eq!((class_of(woven), method_of(woven)), (class, method));
            }
        }
    }

    #[test]
    fn message_types_are_those_of_the_registry() {
        assert_eq!(message_type(Class::Request, Method::BINDING), 0x0001);
        assert_eq!(message_type(Class::Success, Method::BINDING), 0x0101);
        assert_eq!(message_type(Class::Error, Method::ALLOCATE), 0x0113);
        assert_eq!(message_type(Class::Indication, Method::SEND), 0x0016);
    }
}
