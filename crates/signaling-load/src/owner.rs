//! Which process listens on a port of this machine, by Linux's `/proc`.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
};

/// The process that listens where `server` is, if that is this machine and the process may be looked at.
pub fn of_listener(server: SocketAddr) -> Option<u32> {
    // Only an address of our own can be bound.
    TcpListener::bind((server.ip(), 0)).ok()?;
    let inodes: Vec<_> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listeners(&table, server.port()))
        .collect();
    let mut pids = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, entry.path().join("fd")))
    });
    pids.find_map(|(pid, folder)| has_one(&folder, &inodes).then_some(pid))
}

/// Inodes of the sockets that listen on a port.
fn listeners(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        (local.ends_with(&suffix) && state == LISTEN).then(|| inode.to_owned())
    };
    table.lines().skip(1).filter_map(inode).collect()
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

    #[test]
    fn only_listeners_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:0BBA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
            1: 0100007F:0BBA 0100007F:E2AC 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1\n\
            2: 0100007F:0BBB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0\n";
        assert_eq!(listeners(table, 3002), ["4711"]);
    }
}
