//! Which sockets there are on this machine, and whose, as `/proc` tells.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

/// A bound UDP socket or a listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// UDP, or else TCP.
    pub is_udp: bool,
    /// Where it is bound.
    pub address: SocketAddr,
    inode: u64,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it is called, as a terminal may show it.
    pub name: String,
}

impl Process {
    /// Whether it opens sockets for services that it starts when somebody comes.
    pub fn is_systemd(&self) -> bool {
        self.name == "systemd"
    }
}

/// Whether a socket is of UDP, its address, and the number and name of who holds it.
pub type Known<'a> = (bool, SocketAddr, Option<(u32, &'a str)>);

/// All bound sockets, and the processes that hold them, as far as this user may see.
#[derive(Debug, Default)]
pub struct Sockets {
    /// The sockets.
    pub bound: Vec<Bound>,
    holders: BTreeMap<u64, Process>,
}

impl Sockets {
    /// Looks at everything there is; empty where there is no `/proc`.
    pub fn look() -> Self {
        let tables = [("udp", true), ("udp6", true), ("tcp", false), ("tcp6", false)];
        let bound = tables.iter().flat_map(|(name, is_udp)| {
            let text = fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
            let found: Vec<_> = text.lines().filter_map(|line| read(line, *is_udp)).collect();
            found
        });
        Self {
            bound: bound.collect(),
            holders: holders(),
        }
    }

    /// Those that keep others from binding this address.
    pub fn at(&self, is_udp: bool, address: SocketAddr) -> impl Iterator<Item = &Bound> {
        self.bound.iter().filter(move |bound| {
            bound.is_udp == is_udp && bound.address.port() == address.port() && covers(bound.address, address)
        })
    }

    /// Who holds a socket.
    pub fn holder(&self, bound: &Bound) -> Option<&Process> {
        self.holders.get(&bound.inode)
    }

    /// Who listens where connections to this address go.
    pub fn listener(&self, server: SocketAddr) -> Option<&Process> {
        let near = |bound: &Bound| remoteness(bound.address.ip(), server.ip());
        let listeners = self
            .bound
            .iter()
            .filter(|bound| !bound.is_udp && bound.address.port() == server.port());
        let nearest = listeners.clone().filter_map(near).min()?;
        let mut nearest = listeners.filter(|bound| near(bound) == Some(nearest));
        nearest.find_map(|bound| self.holder(bound))
    }

    /// Sockets that are known already.
    pub fn of(sockets: &[Known<'_>]) -> Self {
        let mut all = Self::default();
        for (inode, (is_udp, address, process)) in (1..).zip(sockets) {
            all.bound.push(Bound {
                is_udp: *is_udp,
                address: *address,
                inode,
            });
            let process = process.map(|(pid, name)| Process {
                pid,
                name: shown(name),
            });
            all.holders.extend(process.map(|process| (inode, process)));
        }
        all
    }
}

/// How far a listener's address is from the one that is connected to, if it takes connections to that at all.
fn remoteness(listener: IpAddr, server: IpAddr) -> Option<u8> {
    if listener.to_canonical() == server.to_canonical() {
        return Some(0);
    }
    match (listener.is_unspecified(), listener.is_ipv4() == server.is_ipv4()) {
        (true, true) => Some(1),
        // One of IPv6 may take IPv4, too, and none the other way around.
        (true, false) if listener.is_ipv6() => Some(2),
        (true | false, true | false) => None,
    }
}

/// What a process is called, as a terminal may show it: each gives itself its name.
pub fn name_of(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(shown(&name))
}

fn shown(comm: &str) -> String {
    comm.trim_end().escape_debug().to_string()
}

/// Whether one of them stands in the way of the other: the same address, or the wildcard of its family.
fn covers(one: SocketAddr, other: SocketAddr) -> bool {
    let same = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    same && one.is_ipv4() == other.is_ipv4()
}

/// A line of `/proc/net/tcp` and its like.
fn read(line: &str, is_udp: bool) -> Option<Bound> {
    const LISTENING: &str = "0A";
    let mut words = line.split_ascii_whitespace().skip(1);
    let address = address(words.next()?)?;
    let state = words.nth(1)?;
    if !is_udp && state != LISTENING {
        return None;
    }
    let inode = words.nth(5)?.parse().ok()?;
    Some(Bound {
        is_udp,
        address,
        inode,
    })
}

/// `0100007F:0D96`: each 32 bits of the address are a number of this machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..ip.len()).step_by(8) {
        let number = u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?;
        bytes.extend(number.to_ne_bytes());
    }
    let ip: IpAddr = if let Ok(v4) = <[u8; 4]>::try_from(&bytes[..]) {
        Ipv4Addr::from(v4).into()
    } else {
        Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..]).ok()?).into()
    };
    Some(SocketAddr::new(ip, port))
}

fn holders() -> BTreeMap<u64, Process> {
    let mut holders = BTreeMap::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for folder in processes {
        let pid = folder.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid {
            add_sockets(&folder.path(), pid, &mut holders);
        }
    }
    holders
}

fn add_sockets(folder: &Path, pid: u32, holders: &mut BTreeMap<u64, Process>) {
    // Those of other users are for root alone.
    let descriptors = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
    let inodes = descriptors.filter_map(|descriptor| {
        let target = fs::read_link(descriptor.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse::<u64>().ok()
    });
    let mut inodes = inodes.peekable();
    if inodes.peek().is_none() {
        return;
    }
    let process = Process {
        pid,
        name: name_of(pid).unwrap_or_default(),
    };
    for inode in inodes {
        hold(holders, inode, process.clone());
    }
}

/// Systemd keeps the sockets that it hands to a service: the service is the one that has them.
fn hold(holders: &mut BTreeMap<u64, Process>, inode: u64, process: Process) {
    match holders.entry(inode) {
        Entry::Occupied(_) if process.is_systemd() => {}
        Entry::Occupied(mut other) => {
            other.insert(process);
        }
        Entry::Vacant(free) => {
            free.insert(process);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn listening_sockets_are_read_and_connections_are_not() {
        let line = |local: &str, state: &str| {
            format!(
                "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  0  0 4711 1 0 100"
            )
        };
        let loopback = if cfg!(target_endian = "little") {
            "0100007F"
        } else {
            "7F000001"
        };
        let found = read(&line(&format!("{loopback}:0D96"), "0A"), false).unwrap();
        assert_eq!(found.address, "127.0.0.1:3478".parse().unwrap());
        assert_eq!(found.inode, 4711);
        assert_eq!(read(&line(&format!("{loopback}:0D96"), "01"), false), None);
        let any = read(&line(&format!("{}:0D96", "0".repeat(32)), "07"), true).unwrap();
        assert_eq!(any.address, "[::]:3478".parse().unwrap());
        assert_eq!(
            read("  sl  local_address rem_address   st tx_queue rx_queue", false),
            None
        );
    }

    #[test]
    fn a_wildcard_stands_in_the_way_of_each_address_of_its_family() {
        let sockets = Sockets::of(&[
            (true, at("0.0.0.0:3478"), None),
            (false, at("10.0.0.1:3478"), None),
        ]);
        let in_the_way = |is_udp, address| sockets.at(is_udp, at(address)).count();
        assert_eq!(in_the_way(true, "192.0.2.1:3478"), 1);
        assert_eq!(in_the_way(true, "[::1]:3478"), 0);
        assert_eq!(in_the_way(false, "192.0.2.1:3478"), 0);
        assert_eq!(in_the_way(false, "0.0.0.0:3478"), 1);
    }

    #[test]
    fn a_socket_that_systemd_handed_on_is_the_services() {
        let process = |pid, name: &str| Process {
            pid,
            name: name.to_owned(),
        };
        let (systemd, watari) = (process(1, "systemd"), process(7, "watari"));
        for both in [[&systemd, &watari], [&watari, &systemd]] {
            let mut holders = BTreeMap::new();
            for process in both {
                hold(&mut holders, 3, process.clone());
            }
            assert_eq!(holders[&3], watari);
        }
    }

    #[test]
    fn a_listener_at_the_very_address_comes_before_one_at_all() {
        let sockets = Sockets::of(&[
            (true, at("127.0.0.1:3002"), Some((9, "udp"))),
            (false, at("127.0.0.1:3002"), Some((1, "a"))),
            (false, at("127.0.0.1:3003"), Some((3, "a"))),
            (false, at("0.0.0.0:3002"), Some((4, "a"))),
            (false, at("127.0.0.2:3004"), Some((5, "a"))),
            (false, at("[::]:3002"), Some((6, "a"))),
            (false, at("[::1]:3005"), Some((7, "a"))),
            (false, at("[::]:3006"), Some((8, "a"))),
        ]);
        for (server, expected) in [
            ("127.0.0.1:3002", Some(1)),
            ("127.0.0.1:3003", Some(3)),
            ("127.0.0.9:3002", Some(4)),
            ("127.0.0.1:3004", None),
            ("[::1]:3002", Some(6)),
            ("[::1]:3005", Some(7)),
            ("[::1]:3003", None),
            ("127.0.0.1:3006", Some(8)),
        ] {
            let found = sockets.listener(server.parse().unwrap());
            assert_eq!(found.map(|process| process.pid), expected, "{server}");
        }
    }

    #[test]
    fn a_name_does_to_a_terminal_what_letters_do() {
        assert_eq!(shown("wa\u{1b}[2Jtari\n"), "wa\\u{1b}[2Jtari");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_of_this_process_is_found_and_named() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets = Sockets::look();
        let found = sockets.at(true, socket.local_addr().unwrap()).next().unwrap();
        assert_eq!(sockets.holder(found).unwrap().pid, std::process::id());
    }
}
