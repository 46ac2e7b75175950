//! Which process listens on a port of this machine, by Linux's `/proc`.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::Path,
};

/// The process that listens where `server` is, if that is this machine and the process may be looked at.
pub fn of_listener(server: SocketAddr) -> Option<u32> {
    // Only an address of our own can be bound.
    TcpListener::bind((server.ip(), 0)).ok()?;
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let inodes = listeners(&tables.concat(), server);
    let mut pids = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, entry.path().join("fd")))
    });
    pids.find_map(|(pid, folder)| has_one(&folder, &inodes).then_some(pid))
}

/// What a process is called, as a terminal may show it.
pub fn name_of(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().escape_debug().to_string())
}

/// Inodes of the sockets to which the kernel takes who connects to `server`: those at its very address, else those at all.
fn listeners(tables: &str, server: SocketAddr) -> Vec<String> {
    const LISTEN: &str = "0A";
    let listener = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = address(fields.nth(1)?)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        let is_one = state == LISTEN && local.port() == server.port();
        Some((
            remoteness(local.ip(), server.ip()).filter(|_| is_one)?,
            inode.to_owned(),
        ))
    };
    let all: Vec<_> = tables.lines().filter_map(listener).collect();
    let nearest = all.iter().map(|(remoteness, _)| *remoteness).min();
    let inodes = all
        .into_iter()
        .filter(|(remoteness, _)| Some(*remoteness) == nearest);
    inodes.map(|(_, inode)| inode).collect()
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

/// An address as the tables have it: words of 32 bits in the machine's own order, the port as one reads it.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let mut bytes = Vec::new();
    for start in (0..ip.len()).step_by(8) {
        let word = u32::from_str_radix(ip.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => IpAddr::from(Ipv4Addr::from(four)),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?).into(),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

fn has_one(folder: &Path, inodes: &[String]) -> bool {
    // Processes of other users cannot be looked at.
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let link = fs::read_link(entry.path()).unwrap_or_default();
        let inode = link.to_str().and_then(|link| link.strip_prefix("socket:["));
        inode.is_some_and(|inode| inodes.iter().any(|one| inode.strip_suffix(']') == Some(one)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_owns_its_own_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(of_listener(address), Some(std::process::id()));
        drop(listener);
        assert_eq!(of_listener(address), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_listens_on_the_port_of_another_address_is_not_it() {
        let other = TcpListener::bind("127.0.0.2:0").unwrap();
        let at = |last| SocketAddr::from(([127, 0, 0, last], other.local_addr().unwrap().port()));
        assert_eq!(of_listener(at(1)), None);
        assert_eq!(of_listener(at(2)), Some(std::process::id()));
        assert!(name_of(std::process::id()).is_some());
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_listener_at_the_very_address_comes_before_one_at_all() {
        let line = |local: &str, state: &str, inode: u32| {
            format!(
                "0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 {inode} 1 0\n"
            )
        };
        let tables = [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n".into(),
            line("0100007F:0BBA", "0A", 1),
            line("0100007F:0BBA", "01", 2),
            line("0100007F:0BBB", "0A", 3),
            line("00000000:0BBA", "0A", 4),
            line("0200007F:0BBC", "0A", 5),
            line("00000000000000000000000000000000:0BBA", "0A", 6),
            line("00000000000000000000000001000000:0BBD", "0A", 7),
            line("00000000000000000000000000000000:0BBE", "0A", 8),
        ]
        .concat();
        for (server, expected) in [
            ("127.0.0.1:3002", Some("1")),
            ("127.0.0.1:3003", Some("3")),
            ("127.0.0.9:3002", Some("4")),
            ("127.0.0.1:3004", None),
            ("[::1]:3002", Some("6")),
            ("[::1]:3005", Some("7")),
            ("[::1]:3003", None),
            ("127.0.0.1:3006", Some("8")),
        ] {
            let found = listeners(&tables, server.parse().unwrap());
            assert_eq!(
                found.iter().map(String::as_str).collect::<Vec<_>>(),
                Vec::from_iter(expected),
                "{server}"
            );
        }
    }
}
