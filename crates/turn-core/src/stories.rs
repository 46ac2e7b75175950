//! Stories told to the whole server, datagram by datagram: what goes in, and exactly what comes out.

mod algorithms;
mod allocating;
mod authenticating;
mod bearer;
mod changing;
mod channels;
mod client;
mod connections;
mod dying;
mod elsewhere;
mod families;
mod flooding;
mod guessing;
mod hairpin;
mod header_fields;
mod icmp;
mod modern;
mod moving;
mod moving_between_workers;
mod opening;
mod permissions;
mod redirecting;
mod refreshing;
mod relaying;
mod reserving;
mod revoking;
mod tcp_relay;
mod third_party;
mod user_hashes;
mod user_keys;
mod workers;
mod world;

use client::Client;
use modern::Modern;
use world::{Heard, World, error_code, ip, socket};
