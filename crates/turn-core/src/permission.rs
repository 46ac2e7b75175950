//! Permissions: which peer addresses may reach a client, and CreatePermission (RFC 8656 §9 and §10).

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use stun_wire::{AttributeType, Message};

use crate::{
    addresses::Addresses,
    answer::{Done, Refusal, Success},
    auth::Identity,
    few::Few,
    peer_policy::PeerPolicy,
    server::Server,
    types::{Family, FiveTuple, Now},
};

/// Says how far a permission reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// To every port of the address: the policy allows it.
    Anywhere,
    /// Only to live relays of this server, and never by socket: the policy refuses the address, but it is
    /// one of ours.
    OwnRelays,
}

/// Holds the permissions of one allocation. They expire by comparison at use.
#[derive(Debug, Default)]
pub(crate) struct Permissions(Few<Permission>);

#[derive(Debug)]
struct Permission {
    peer: IpAddr,
    scope: Scope,
    expires_at: Instant,
}

impl Permissions {
    pub(crate) fn scope(&self, now: Instant, peer: IpAddr) -> Option<Scope> {
        let permission = self.0.iter().find(|permission| permission.peer == peer)?;
        (now < permission.expires_at).then_some(permission.scope)
    }

    /// Installs or refreshes all of them, or none and tells `false` when they would exceed `capacity`.
    pub(crate) fn grant(
        &mut self,
        now: Instant,
        peers: &[(IpAddr, Scope)],
        expires_at: Instant,
        capacity: u16,
    ) -> bool {
        self.0.retain(|permission| now < permission.expires_at);
        let before = self.0.len();
        for &(peer, scope) in peers {
            if self.0.iter().any(|permission| permission.peer == peer) {
                continue;
            }
            if self.0.len() >= usize::from(capacity) {
                self.0.truncate(before);
                return false;
            }
            self.0.push(Permission {
                peer,
                scope,
                expires_at,
            });
        }
        for permission in self.0.iter_mut() {
            if let Some(&(_, scope)) = peers.iter().find(|(peer, _)| *peer == permission.peer) {
                (permission.scope, permission.expires_at) = (scope, expires_at);
            }
        }
        true
    }

    /// Takes away those for peers of a family.
    pub(crate) fn forget(&mut self, family: Family) {
        self.0.retain(|permission| Family::of(permission.peer) != family);
    }

    /// Has each reach as far as `scope` says of its address.
    pub(crate) fn rescope(&mut self, scope: impl Fn(IpAddr) -> Scope) {
        for permission in self.0.iter_mut() {
            permission.scope = scope(permission.peer);
        }
    }

    /// Leaves only relays in reach at addresses that have become our own machine's.
    pub(crate) fn narrow(&mut self, is_closed: impl Fn(IpAddr) -> bool) {
        for permission in self.0.iter_mut() {
            if is_closed(permission.peer) {
                permission.scope = Scope::OwnRelays;
            }
        }
    }

    pub(crate) fn check_invariants(&self, capacity: u16) {
        assert!(
            self.0.len() <= usize::from(capacity),
            "permissions exceed their bound"
        );
        for (at, permission) in self.0.iter().enumerate() {
            let same = |other: &Permission| other.peer == permission.peer;
            assert!(
                !self.0.iter().take(at).any(same),
                "two permissions for one address"
            );
        }
    }
}

impl Server {
    /// Answers CreatePermission: installs all that are asked for, or none (RFC 8656 §10.2).
    pub(crate) fn create_permission(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
    ) -> Result<Done, Refusal> {
        let key = identity.ready_allocation()?;
        let capacity = self.config.limits.permissions_per_allocation;
        let mut peers = Vec::new();
        for peer in message.xor_addresses(AttributeType::XOR_PEER_ADDRESS) {
            // Whoever names more than could be granted is refused before each is looked at.
            if peers.len() >= usize::from(capacity) {
                return Err(Refusal::InsufficientCapacity);
            }
            let peer = peer.map_err(|_| Refusal::BadRequest)?;
            peers.push((peer.ip(), self.admit_peer(from, peer)?));
        }
        if peers.is_empty() {
            return Err(Refusal::BadRequest);
        }
        let expires_at = now.instant + self.config.permission_lifetime;
        let allocation = self
            .table
            .allocation_mut(key)
            .ok_or(Refusal::AllocationMismatch)?;
        if !allocation
            .permissions
            .grant(now.instant, &peers, expires_at, capacity)
        {
            return Err(Refusal::InsufficientCapacity);
        }
        Ok(Done::Now(Success::Permitted))
    }

    /// Decides whether the client may reach this peer, and how far.
    pub(crate) fn admit_peer(&self, from: FiveTuple, peer: SocketAddr) -> Result<Scope, Refusal> {
        let family = Family::of(peer.ip());
        let allocation = self.table.client(from).and_then(|key| self.table.allocation(key));
        if allocation.is_none_or(|allocation| allocation.relays[family.index()].is_none()) {
            return Err(Refusal::PeerFamilyMismatch);
        }
        if self.addresses.is_listener(peer) {
            return Err(Refusal::Forbidden);
        }
        match Scope::of(&self.config.policy, &self.addresses, peer.ip()) {
            Scope::Anywhere => Ok(Scope::Anywhere),
            Scope::OwnRelays => self
                .addresses
                .own_relay(peer)
                .map(|_| Scope::OwnRelays)
                .ok_or(Refusal::Forbidden),
        }
    }
}

impl Scope {
    /// Says how far a permission for this address may reach.
    pub(crate) fn of(policy: &PeerPolicy, addresses: &Addresses, peer: IpAddr) -> Self {
        // Our own machine is closed even at a public address: behind its firewall, services trust it.
        let is_open = if addresses.is_host(peer) {
            policy.opens(peer)
        } else {
            policy.allows(peer)
        };
        if is_open { Self::Anywhere } else { Self::OwnRelays }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::start;

    fn peer(last: u8) -> (IpAddr, Scope) {
        (IpAddr::from([8, 8, 8, last]), Scope::Anywhere)
    }

    #[test]
    fn the_bound_counts_live_addresses_once() {
        let mut permissions = Permissions::default();
        let later = start() + Duration::from_secs(300);
        assert!(permissions.grant(start(), &[peer(1), peer(1), peer(2)], later, 2));
        assert!(
            permissions.grant(start(), &[peer(2)], later, 2),
            "a refresh needs no room"
        );
        assert!(!permissions.grant(start(), &[peer(1), peer(3)], later, 2));
        assert_eq!(permissions.scope(start(), peer(3).0), None, "all or none");
        assert!(permissions.grant(later, &[peer(3), peer(4)], later + Duration::from_secs(300), 2));
        permissions.check_invariants(2);
    }

    #[test]
    fn a_refused_grant_leaves_no_memory_behind() {
        let mut permissions = Permissions::default();
        let many: Vec<_> = (0..5_000_u32)
            .map(|n| (IpAddr::from((0x0808_0000 + n).to_be_bytes()), Scope::Anywhere))
            .collect();
        assert!(!permissions.grant(start(), &many, start() + Duration::from_secs(300), 128));
        assert!(permissions.0.capacity() <= 256, "{}", permissions.0.capacity());
    }

    #[test]
    fn a_refused_grant_leaves_the_others_as_they_were() {
        let mut permissions = Permissions::default();
        let end = start() + Duration::from_secs(300);
        assert!(permissions.grant(start(), &[peer(1)], end, 1));
        let half_way = start() + Duration::from_secs(150);
        assert!(!permissions.grant(
            half_way,
            &[peer(1), peer(2)],
            half_way + Duration::from_secs(300),
            1
        ));
        assert_eq!(
            permissions.scope(end, peer(1).0),
            None,
            "its time was not prolonged"
        );
    }
}
