//! One member of a room.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{history::History, notice::Peer};
use crate::names::{MemberId, MemberName, RoomKey};

/// Who may come back as a member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Holder {
    /// Whoever shows a token that this server has signed for the id; the caller has checked it.
    Signed,
    /// Whoever knows a secret with this digest; such members do not count what they are told.
    Secret([u8; 32]),
}

impl PartialEq for Holder {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Signed, Self::Signed) => true,
            (Self::Secret(one), Self::Secret(other)) => one.ct_eq(other).into(),
            (Self::Signed, Self::Secret(_)) | (Self::Secret(_), Self::Signed) => false,
        }
    }
}

impl Eq for Holder {}

/// What a member may do in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Send to other members.
    pub send: bool,
    /// Be given TURN credentials.
    pub ice: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self {
        send: true,
        ice: true,
    };
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) room: RoomKey,
    pub(super) name: MemberName,
    pub(super) permissions: Permissions,
    pub(super) holder: Option<Holder>,
    pub(super) presence: Presence,
    pub(super) history: History,
    /// The number of its last signal that was taken.
    pub(super) received: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    /// Its connection is lost; what it was told since has numbers above `heard`.
    Away {
        until: Instant,
        heard: u64,
    },
}

impl Member {
    pub(super) fn is_away(&self) -> bool {
        matches!(self.presence, Presence::Away { .. })
    }

    /// Tells whether it says on return which number was the last that it heard.
    pub(super) fn counts(&self) -> bool {
        matches!(self.holder, Some(Holder::Signed))
    }

    /// Tells whether what it is told is numbered and kept: for whoever counts, and for others who may return once
    /// they are away.
    pub(super) fn is_kept(&self) -> bool {
        self.counts() || (self.holder.is_some() && self.is_away())
    }

    pub(super) fn peer(&self, id: MemberId) -> Peer {
        Peer {
            id,
            name: self.name.clone(),
            reconnecting: self.is_away(),
        }
    }
}
