use super::*;

fn origins(allowed: &[&str]) -> Origins {
    Origins::new(&Config {
        allowed_origins: allowed.iter().map(|&origin| origin.to_owned()).collect(),
        ..Config::default()
    })
}

/// Tells whether `origins` admit a request for `host` from `peer`, behind a proxy at 127.0.0.9.
fn admits(origins: &Origins, host: &str, peer: &str) -> bool {
    let peer = SocketAddr::new(peer.parse().unwrap(), 50_000);
    let proxies = ["127.0.0.9/32".parse().unwrap()];
    origins.admit_host(Site::parse(host).as_ref(), Some(peer), &proxies)
}

#[test]
fn over_loopback_only_names_that_no_dns_can_give_us_are_admitted() {
    let origins = origins(&[]);
    for peer in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
        for host in [
            "localhost:3001",
            "call.localhost",
            "127.0.0.1:3001",
            "[::1]:3001",
            "192.0.2.7",
        ] {
            assert!(admits(&origins, host, peer), "{host} from {peer}");
        }
        // The last is one that a browser would send and we cannot read.
        for host in [
            "evil.example:3001",
            "localhost.evil.example",
            "notlocalhost",
            "a!b.example",
        ] {
            assert!(!admits(&origins, host, peer), "{host} from {peer}");
        }
    }
}

#[test]
fn a_known_proxy_and_who_is_on_another_machine_may_use_any_name() {
    let origins = origins(&[]);
    for peer in ["127.0.0.9", "::ffff:127.0.0.9", "192.0.2.1", "2001:db8::1"] {
        assert!(admits(&origins, "call.example", peer), "{peer}");
    }
}

#[test]
fn the_hosts_of_listed_origins_are_admitted_over_loopback_too() {
    let listed = origins(&["https://call.example"]);
    assert!(admits(&listed, "call.example:3001", "127.0.0.1"));
    assert!(!admits(&listed, "evil.example:3001", "127.0.0.1"));
    assert!(admits(&origins(&["*"]), "evil.example", "127.0.0.1"));
    assert!(!admits(&origins(&["null"]), "evil.example", "127.0.0.1"));
}
