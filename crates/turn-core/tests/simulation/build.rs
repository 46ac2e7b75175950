//! Everyone in a world, made as its plan says.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use net_sim::{HostId, Internet, Link};
use rand::RngExt;
use rand::rngs::StdRng;
use turn_core::{
    Account, Config, Directory, FiveTuple, Ledger, LedgerFull, Parked, PeerPolicy, PortRange, Quota, Realm,
    RelayAddress, RelayAddresses, ReservationToken, Secret, Server, Share, ThirdParty, TokenAlgorithm,
    TokenKey,
};

use crate::client::{Client, FIRST_PORT, KID, SECRET, SERVER_NAME, TOKEN_KEY};
use crate::peer::PEERS;
use crate::plan::{INSIDE, LISTEN_PORT, Plan, SERVER, ip, nat};

/// A client behind a NAT of its own, behind two, or on the internet itself, by IPv4 or IPv6.
pub(crate) fn add_client(net: &mut Internet, rng: &mut StdRng, plan: &Plan, index: usize) -> Client {
    let number = index as u8 + 1;
    let user = format!("user {}", index / 2);
    let v6 = rng.random_bool(0.25);
    let server = SocketAddr::new(ip(SERVER[usize::from(v6)]), LISTEN_PORT);
    let inside: IpAddr = if v6 { ip("fd00::2") } else { ip("192.168.1.2") };
    let outside: IpAddr = format!("{}{number}", if v6 { "2a01:93::" } else { "93.0.0." })
        .parse()
        .unwrap();
    let (host, address) = match rng.random_range(0..5) {
        0 => (net.add_host(&[outside], plan.link), outside),
        1 => {
            let carrier = net.add_nat(nat(rng), &[outside], plan.link);
            let between: IpAddr = if v6 { ip("fd01::7") } else { ip("100.64.0.7") };
            let home = net.add_nat_behind(carrier, nat(rng), &[between], Link::perfect());
            (net.add_host_behind(home, &[inside], Link::perfect()), inside)
        }
        _ => {
            let home = net.add_nat(nat(rng), &[outside], plan.link);
            (net.add_host_behind(home, &[inside], Link::perfect()), inside)
        }
    };
    let address = SocketAddr::new(address, FIRST_PORT);
    let speaks = (rng.random(), rng.random_bool(0.3));
    let wanders = plan.mobility && rng.random_bool(0.8);
    Client::new(host, (address, server), &user, speaks, wanders, net.now())
}

/// The hosts behind [`PEERS`].
pub(crate) fn add_peers(net: &mut Internet) -> Vec<(HostId, SocketAddr)> {
    let link = Link {
        jitter: Duration::from_millis(3),
        ..Link::with_latency(Duration::from_millis(10))
    };
    let mut hosts: Vec<(HostId, SocketAddr)> = Vec::new();
    for address in PEERS.map(|peer| peer.parse::<SocketAddr>().unwrap()) {
        let known = hosts
            .iter()
            .find(|(_, other)| other.ip() == address.ip())
            .map(|(host, _)| *host);
        let host = known.unwrap_or_else(|| net.add_host(&[address.ip()], link));
        hosts.push((host, address));
    }
    hosts
}

/// What all workers of the server share.
pub(crate) struct Shared {
    pub(crate) quota: Arc<Mutex<Quota>>,
    pub(crate) whereabouts: Whereabouts,
}

/// One worker of the server.
pub(crate) fn worker(rng: &mut StdRng, plan: &Plan, index: u16, shared: &Shared) -> Server {
    let mut config = Config::new(Realm::new("sim").unwrap(), [7; 32]);
    config.credentials.add_secret(Secret::new(SECRET));
    let mut third_party = ThirdParty::new(SERVER_NAME).unwrap();
    third_party.add_key(
        KID,
        TokenKey::new(TokenAlgorithm::A256Gcm, TOKEN_KEY).unwrap(),
        0..u64::MAX,
    );
    config.credentials.set_third_party(third_party);
    config.software = Some("Watari".to_owned());
    (config.permission_lifetime, config.channel_lifetime) = plan.lifetimes;
    config.ports = PortRange::new(plan.ports.0, plan.ports.1).unwrap();
    config.mobility = plan.mobility;
    config.share = Share::new(index, plan.workers).unwrap();
    let [v4, v6] = SERVER.map(ip);
    let local_v4 = if plan.mapped { ip(INSIDE) } else { v4 };
    let mapped = plan.mapped.then(|| RelayAddress::new(local_v4, v4).unwrap());
    let fallback = |local, external| Some(RelayAddress::new(local, external).unwrap());
    config.relay = RelayAddresses::new(
        mapped.into_iter().collect(),
        fallback(local_v4, v4),
        fallback(v6, v6),
    )
    .unwrap();
    if plan.own_open {
        config.policy = PeerPolicy::new(&[v4.into(), v6.into()], &[]);
    }
    config.host_addresses = vec![local_v4, v6];
    config.listeners = [local_v4, v6].map(|ip| SocketAddr::new(ip, LISTEN_PORT)).to_vec();
    let server = Server::new(config, Box::new(SharedQuota(shared.quota.clone())), rng.random());
    server.with_directory(Box::new(shared.whereabouts.clone()))
}

/// One quota for all workers, as the shell keeps it.
struct SharedQuota(Arc<Mutex<Quota>>);

impl Ledger for SharedQuota {
    fn reserve(&mut self, user: Account<'_>) -> Result<(), LedgerFull> {
        self.0.lock().unwrap().reserve(user)
    }

    fn release(&mut self, user: Account<'_>) {
        self.0.lock().unwrap().release(user);
    }

    fn reserve_connection(&mut self, user: Account<'_>) -> Result<(), LedgerFull> {
        self.0.lock().unwrap().reserve_connection(user)
    }

    fn release_connection(&mut self, user: Account<'_>) {
        self.0.lock().unwrap().release_connection(user);
    }

    fn park(&mut self, token: ReservationToken, parked: Parked) {
        self.0.lock().unwrap().park(token, parked);
    }

    fn claim(&mut self, now: Instant, token: ReservationToken, user: &str, worker: u16) -> Option<Parked> {
        self.0.lock().unwrap().claim(now, token, user, worker)
    }

    fn give_back(&mut self, token: ReservationToken) {
        self.0.lock().unwrap().give_back(token);
    }

    fn unpark(&mut self, token: ReservationToken) -> Option<u16> {
        self.0.lock().unwrap().unpark(token)
    }
}

/// A directory that never errs.
#[derive(Clone, Default)]
pub(crate) struct Whereabouts(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    relays: BTreeMap<SocketAddr, u16>,
    clients: HashMap<FiveTuple, u16>,
}

impl Whereabouts {
    /// How many relays and clients are in it.
    pub(crate) fn len(&self) -> (usize, usize) {
        let known = self.0.lock().unwrap();
        (known.relays.len(), known.clients.len())
    }
}

impl Directory for Whereabouts {
    fn relay_opened(&mut self, local: SocketAddr, worker: u16) {
        let former = self.0.lock().unwrap().relays.insert(local, worker);
        assert_eq!(former, None, "{local} is open twice");
    }

    fn relay_closed(&mut self, local: SocketAddr, worker: u16) {
        assert_eq!(self.0.lock().unwrap().relays.remove(&local), Some(worker));
    }

    fn relay(&self, local: SocketAddr) -> Option<u16> {
        self.0.lock().unwrap().relays.get(&local).copied()
    }

    fn client_came(&mut self, client: FiveTuple, worker: u16) {
        let former = self.0.lock().unwrap().clients.insert(client, worker);
        assert_eq!(former, None, "{client:?} has two allocations");
    }

    fn client_left(&mut self, client: FiveTuple, worker: u16) {
        assert_eq!(self.0.lock().unwrap().clients.remove(&client), Some(worker));
    }

    fn client(&self, client: FiveTuple) -> Option<u16> {
        self.0.lock().unwrap().clients.get(&client).copied()
    }
}
