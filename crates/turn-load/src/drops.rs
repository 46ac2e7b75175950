//! Datagrams that the kernel dropped in front of our own sockets.

use std::{collections::BTreeSet, fs};

/// Sums the drops of this machine's UDP sockets on these ports; 0 where the system does not tell.
pub(crate) fn dropped_at(ports: &BTreeSet<u16>) -> u64 {
    ["/proc/self/net/udp", "/proc/self/net/udp6"]
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .map(|table| drops(&table, ports))
        .sum()
}

/// The second column of the table is `address:port` in hexadecimal, the last one the drops.
fn drops(table: &str, ports: &BTreeSet<u16>) -> u64 {
    let of_line = |line: &str| {
        let local = line.split_whitespace().nth(1)?;
        let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
        let drops: u64 = line.split_whitespace().last()?.parse().ok()?;
        ports.contains(&port).then_some(drops)
    };
    table.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_those_of_our_ports() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  612: 0100007F:0D96 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12345 2 0000000000000000 7
  613: 00000000:9C40 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12346 2 0000000000000000 30
";
        assert_eq!(drops(table, &BTreeSet::from([0x9C40, 1])), 30);
        assert_eq!(drops(table, &BTreeSet::from([0x9C40, 0x0D96])), 37);
        assert_eq!(drops(table, &BTreeSet::new()), 0);
    }
}
