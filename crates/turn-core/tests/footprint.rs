//! What a server weighs, read from the kernel's own figure.
#![cfg(target_os = "linux")]

mod driver;

use std::{fs, net::SocketAddr};

use driver::{Driver, client_address, udp};
use stun_wire::{Class, Method};
use turn_core::{FiveTuple, HEADROOM, ListenerId, Packet, Verdict};

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<usize>().ok())
        .expect("kB")
        * 1024
}

/// The whole server may take 60 MB for 10,000. Measured here: 1,060 bytes for each, its permission included.
#[test]
fn ten_thousand_idle_allocations_weigh_under_15_megabytes() {
    let mut driver = Driver::new(|_| ());
    driver.allocate(client_address(0));
    let before = resident();
    for n in 1..=10_000 {
        let client = driver.allocate(client_address(n));
        driver.permit(&client, SocketAddr::from(([8, 8, 8, 8], 5000)));
    }
    let each = resident().saturating_sub(before) / 10_000;
    assert!(each < 1500, "{each} bytes each");
    driver.server.check_invariants();
}

/// Scaled to a debug build; what one forged request costs is the bench `strangers`.
#[test]
fn a_hundred_thousand_forged_requests_leave_resident_memory_as_it_was() {
    let mut driver = Driver::new(|_| ());
    driver.allocate(client_address(0));
    let first = driver.message(Class::Request, Method::ALLOCATE, udp);
    let forged = driver.signed(Method::ALLOCATE, b"AAAAAAAAAAAAAAAAAAAA", udp);
    let mut buffer = vec![0; 2048];
    let mut flood = |driver: &mut Driver, range: std::ops::Range<u32>| {
        for n in range {
            let request = if n % 2 == 0 { &first } else { &forged };
            let from = FiveTuple::udp(ListenerId(0), client_address(n), driver::SERVER);
            buffer[HEADROOM..HEADROOM + request.len()].copy_from_slice(request);
            let mut packet = Packet::new(&mut buffer, HEADROOM, request.len());
            let verdict = driver.server.handle_client(driver.now, from, &mut packet);
            assert!(matches!(verdict, Verdict::Send { .. }), "answered");
        }
    };
    flood(&mut driver, 1..1000);
    let before = resident();
    flood(&mut driver, 1000..100_000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes");
}
