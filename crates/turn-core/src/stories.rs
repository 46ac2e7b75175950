//! Stories told to the whole server, datagram by datagram: what goes in, and exactly what comes out.

mod allocating;
mod authenticating;
mod channels;
mod client;
mod connections;
mod dying;
mod families;
mod flooding;
mod hairpin;
mod icmp;
mod opening;
mod permissions;
mod refreshing;
mod relaying;
mod reserving;
mod tcp_relay;
mod world;

use client::Client;
use world::{Heard, World, error_code, ip, socket};
