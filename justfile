# Recipes of the house; CI runs the same ones. `just` alone lists them.

_default:
    @just --list

# formatting and lints, warnings are errors
check:
    scripts/check

# everything but the containers and the Debian package: unit, property, simulation, foreign clients, browsers
test:
    scripts/test

# only the quick tests of the workspace (under two minutes once built)
quick:
    cargo nextest run --workspace

# the containers: builds the image and runs all compose files; needs root and Docker
containers:
    tests/deploy/run

# the Debian package: builds, installs, upgrades and purges it in a Debian of its own; needs root, debootstrap and cargo-deb
deb:
    tests/deploy/deb

# the Helm chart: linted, rendered in each form, and the program run as a pod would run it; needs no cluster
chart:
    tests/deploy/kubernetes

# foreign clients against the release build
e2e:
    tests/e2e/run

# two Chromium pages through the relay
browser:
    tests/browser/run

# many seeds of the simulated internet: just sim 5000
sim seeds="1000":
    WATARI_SIM_SEEDS={{seeds}} cargo nextest run --release -p turn-core --test simulation

# fuzz every parser for some seconds each: just fuzz 60
fuzz seconds="60":
    scripts/fuzz {{seconds}}

# codec and state machine benchmarks
bench:
    cargo bench -p stun-wire -p turn-core -p datagram-io

# our server and Debian's coturn in turns, every row with its target: just bench-coturn --rounds 5
bench-coturn *options:
    scripts/bench-coturn {{options}}

# our signaling, peerjs-server and a server of Socket.IO in turns: just bench-signaling 3 -n 10000
bench-signaling *options:
    scripts/bench-signaling {{options}}

# licences, duplicate and banned crates
deny:
    cargo deny check bans licenses sources
