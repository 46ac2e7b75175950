//! Names strangers choose (rooms, members) and names we choose (member ids), checked once.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The most characters (Unicode scalar values) a room's or a member's name may have.
pub const MAX_NAME_CHARS: usize = 64;

/// Names a room: one to 64 characters of any script, no control characters, no outer white space.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Trims and checks `text`; `None` when it is empty, too long or holds a control character.
    pub fn new(text: &str) -> Option<Self> {
        let text = printable(text)?;
        (!text.is_empty()).then(|| Self(text.into()))
    }
}

/// Finds a room: rooms of different kinds never meet, whatever they are called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoomKey {
    /// The kind of room.
    pub space: Space,
    /// Its name within the kind.
    pub name: RoomName,
}

/// A kind of room; members of one speak the same dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Space {
    /// The room protocol's.
    Calls,
    /// Those of classic samples.
    Classic,
    /// PeerJS: one room for each key.
    Peers,
    /// y-webrtc: one room for each topic.
    Topics,
}

impl Space {
    const ALL: [Self; 4] = [Self::Calls, Self::Classic, Self::Peers, Self::Topics];

    /// A letter for the kind, the same in every version.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Calls => b'c',
            Self::Classic => b's',
            Self::Peers => b'p',
            Self::Topics => b't',
        }
    }

    /// The kind that a letter stands for.
    pub(crate) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.code() == code)
    }

    /// Tells whether members hear who else is in their room.
    pub(crate) fn introduces(self) -> bool {
        match self {
            Self::Calls | Self::Classic => true,
            Self::Peers | Self::Topics => false,
        }
    }
}

/// Names a member for people to read; it may be empty and need not be unique.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberName(Arc<str>);

impl MemberName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Trims and checks `text`; `None` when it is too long or holds a control character.
    pub fn new(text: &str) -> Option<Self> {
        printable(text).map(|text| Self(text.into()))
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Serialize for MemberName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RoomName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| D::Error::custom("no name of a room"))
    }
}

impl<'de> Deserialize<'de> for MemberName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| D::Error::custom("no name of a member"))
    }
}

fn printable(text: &str) -> Option<&str> {
    // The length in bytes first, so that a megabyte is refused without being counted.
    if text.len() > MAX_NAME_CHARS * 4 {
        return None;
    }
    if text.chars().any(breaks_lines) {
        return None;
    }
    let text = text.trim();
    (text.chars().count() <= MAX_NAME_CHARS).then_some(text)
}

/// Control characters, and the two separators that logs and terminals also take for line ends.
fn breaks_lines(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Identifies a member to the others of its room, over whatever connection: 128 bits that nobody can guess, random
/// or a hash with a secret of ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(u128);

impl MemberId {
    /// Takes the random bits from the caller.
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits it was made of.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// Reads the 32 lower-case hexadecimal digits that [`fmt::Display`] writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(digits) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for MemberId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemberId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no id of a member"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_are_taken_as_they_stand() {
        for name in [
            "room",
            "渡り鳥の部屋",
            "комната 7",
            "غرفة",
            "👩‍👩‍👧‍👦",
            "a/b?c=d&e#f%00",
            "'; DROP--",
        ] {
            assert_eq!(RoomName::new(name).map(|n| n.0.to_string()), Some(name.into()));
        }
    }

    #[test]
    fn outer_spaces_do_not_make_another_room() {
        assert_eq!(RoomName::new(" \u{3000}north "), RoomName::new("north"));
    }

    #[test]
    fn control_characters_are_refused_wherever_they_stand() {
        for name in [
            "a\r\nb",
            "\0",
            "a\0",
            "tab\t",
            "\u{1b}[2J",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
        ] {
            assert_eq!(RoomName::new(name), None, "{name:?}");
            assert_eq!(MemberName::new(name), None, "{name:?}");
        }
    }

    #[test]
    fn sixty_four_characters_are_the_most_in_any_script() {
        for character in ["a", "é", "渡", "🐦"] {
            assert!(RoomName::new(&character.repeat(64)).is_some());
            assert!(MemberName::new(&character.repeat(65)).is_none());
        }
        assert!(MemberName::new(&"x".repeat(10_000)).is_none());
    }

    #[test]
    fn a_room_needs_a_name_and_a_member_does_not() {
        assert!(RoomName::new("   ").is_none());
        assert!(MemberName::new("").is_some());
    }

    #[test]
    fn only_what_display_writes_is_read_as_an_id() {
        let id = MemberId::new(0xABCD_EF00_0000_0001);
        assert_eq!(MemberId::parse(&id.to_string()), Some(id));
        for text in [
            "",
            "1",
            "0000000000000000ABCDEF0000000001",
            "+000000000000000abcdef0000000001",
            "0000000000000000abcdef00000000010",
            "é000000000000000abcdef00000000",
        ] {
            assert_eq!(MemberId::parse(text), None, "{text:?}");
        }
    }
}
