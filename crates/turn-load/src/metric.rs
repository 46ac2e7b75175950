//! What is told of a round, by name and unit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The figures of one round, or of one server over rounds.
pub type Figures<T = f64> = BTreeMap<Metric, T>;

/// Something that is measured; its name in JSON tells the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Processor time of the server for each datagram that it delivered.
    ServerCpuNsPerDatagram,
    /// Datagrams delivered per second.
    DatagramsPerSecond,
    /// Payload delivered, in millions of bits per second.
    MegabitsPerSecond,
    /// Half of the datagrams took no longer.
    LatencyP50Us,
    /// 90 % took no longer.
    LatencyP90Us,
    /// 99 % took no longer.
    LatencyP99Us,
    /// 99.9 % took no longer.
    LatencyP999Us,
    /// The longest.
    LatencyMaxUs,
    /// Datagrams that were sent.
    Sent,
    /// Datagrams that left and never arrived.
    Lost,
    /// Of those, dropped in front of the generator's own sockets.
    LostAtGenerator,
    /// Datagrams that this machine's own queues refused.
    Unsent,
    /// Datagrams that later ones overtook.
    Reordered,
    /// Datagrams that arrived again.
    Duplicated,
    /// Datagrams that arrived with other bytes than were sent, or elsewhere.
    Damaged,
    /// Times per second that a thread of the server left its processor.
    ServerContextSwitchesPerSecond,
    /// How busy the busiest thread of the server was.
    ServerBusyPercent,
    /// Resident memory of the server under this load.
    ServerResidentKilobytes,
    /// Processor time of the generator for each datagram delivered.
    GeneratorCpuNsPerDatagram,
    /// How busy the busiest thread of the generator was.
    GeneratorBusyPercent,
    /// Processor time of the server for each allocation set up: 401, Allocate, ChannelBind.
    SetUpCpuUs,
    /// Allocations set up per second.
    SetUpsPerSecond,
    /// Resident memory that each idle allocation takes.
    IdleBytesPerAllocation,
    /// Times per second that a thread of the server woke up although nothing was asked.
    IdleWakeupsPerSecond,
}

impl Metric {
    /// What a table calls it, with its unit.
    pub fn label(self) -> &'static str {
        match self {
            Self::ServerCpuNsPerDatagram => "server CPU, ns a datagram",
            Self::DatagramsPerSecond => "datagrams a second",
            Self::MegabitsPerSecond => "payload, Mbit/s",
            Self::LatencyP50Us => "latency p50, µs",
            Self::LatencyP90Us => "latency p90, µs",
            Self::LatencyP99Us => "latency p99, µs",
            Self::LatencyP999Us => "latency p99.9, µs",
            Self::LatencyMaxUs => "latency max, µs",
            Self::Sent => "sent",
            Self::Lost => "lost",
            Self::LostAtGenerator => "of them at the generator",
            Self::Unsent => "not sent",
            Self::Reordered => "reordered",
            Self::Duplicated => "duplicated",
            Self::Damaged => "damaged",
            Self::ServerContextSwitchesPerSecond => "server context switches a second",
            Self::ServerBusyPercent => "server's busiest thread, %",
            Self::ServerResidentKilobytes => "server resident, kB",
            Self::GeneratorCpuNsPerDatagram => "generator CPU, ns a datagram",
            Self::GeneratorBusyPercent => "generator's busiest thread, %",
            Self::SetUpCpuUs => "server CPU, µs an allocation",
            Self::SetUpsPerSecond => "allocations set up a second",
            Self::IdleBytesPerAllocation => "memory, bytes an allocation",
            Self::IdleWakeupsPerSecond => "wake-ups a second",
        }
    }

    /// Whether a ratio of two servers says something about them.
    pub fn compares(self) -> bool {
        match self {
            Self::ServerCpuNsPerDatagram
            | Self::DatagramsPerSecond
            | Self::MegabitsPerSecond
            | Self::LatencyP50Us
            | Self::LatencyP90Us
            | Self::LatencyP99Us
            | Self::LatencyP999Us
            | Self::LatencyMaxUs
            | Self::ServerContextSwitchesPerSecond
            | Self::ServerResidentKilobytes
            | Self::SetUpCpuUs
            | Self::SetUpsPerSecond
            | Self::IdleBytesPerAllocation
            | Self::IdleWakeupsPerSecond => true,
            Self::Sent
            | Self::Lost
            | Self::LostAtGenerator
            | Self::Unsent
            | Self::Reordered
            | Self::Duplicated
            | Self::Damaged
            | Self::ServerBusyPercent
            | Self::GeneratorCpuNsPerDatagram
            | Self::GeneratorBusyPercent => false,
        }
    }
}
