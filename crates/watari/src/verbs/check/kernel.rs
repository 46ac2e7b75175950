//! What the kernel allows: buffers, descriptors, tracked connections.

use std::{fs, num::NonZeroUsize, thread};

use super::{finding::Finding, subject::Subject};

/// Of tracked connections, the share above which new ones are soon refused.
const FULL_PERCENT: u64 = 80;

/// What the servers need and what the kernel allows.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Bytes that UDP listeners ask for, both ways.
    listen_buffer: Option<u64>,
    receive_max: Option<u64>,
    send_max: Option<u64>,
    /// Descriptors that the servers may need at most, those that they may have, and whose limit that is.
    descriptors_wanted: u64,
    descriptors: Option<u64>,
    is_of_server: bool,
    /// Connections that are tracked, and how many can be.
    tracked: Option<(u64, u64)>,
}

impl Facts {
    /// `server` is the process of a server of ours that runs.
    pub(super) fn look(subject: &Subject, server: Option<u32>) -> Self {
        let relays = || subject.relays.iter().map(|relay| &relay.config);
        let workers = |config: &turn_server::Config| match config.workers {
            0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
            workers => workers.into(),
        };
        let own = || limit(&fs::read_to_string("/proc/self/limits").ok()?, 1);
        // A server raises its own limit as far as it may when it starts, so what it has by now counts.
        let of_server =
            server.and_then(|pid| limit(&fs::read_to_string(format!("/proc/{pid}/limits")).ok()?, 0));
        let netfilter = |name: &str| number(&format!("/proc/sys/net/netfilter/{name}"));
        Self {
            listen_buffer: relays().map(|config| config.listen_buffer as u64).max(),
            receive_max: number("/proc/sys/net/core/rmem_max"),
            send_max: number("/proc/sys/net/core/wmem_max"),
            descriptors_wanted: relays()
                .map(|config| config.descriptors(workers(config)))
                .sum::<u64>()
                + subject.connections,
            descriptors: of_server.or_else(own),
            is_of_server: of_server.is_some(),
            tracked: netfilter("nf_conntrack_count").zip(netfilter("nf_conntrack_max")),
        }
    }

    pub(super) fn judge(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(wanted) = self.listen_buffer {
            let maxima = [("rmem_max", self.receive_max), ("wmem_max", self.send_max)];
            findings.extend(maxima.into_iter().map(|(name, max)| buffer(name, max, wanted)));
        }
        findings.extend(self.judge_descriptors());
        findings.extend(self.judge_tracking());
        findings
    }

    fn judge_descriptors(&self) -> Option<Finding> {
        let (wanted, allowed) = (self.descriptors_wanted, self.descriptors?);
        let whose = if self.is_of_server {
            "the server that runs"
        } else {
            "this shell"
        };
        if wanted <= allowed {
            let fine = format!("{whose} may open {allowed} descriptors; the settings need {wanted} at most");
            return Some(Finding::fine(fine));
        }
        let what = format!("{whose} may open {allowed} descriptors, and the settings may need {wanted}");
        let todo =
            "raise LimitNOFILE= in the unit, or `ulimit -n`; or allow fewer allocations and connections";
        Some(match self.is_of_server {
            true => Finding::warning(what, todo),
            false => Finding::note(format!("{what}; a unit or a container has a limit of its own")).or(todo),
        })
    }

    fn judge_tracking(&self) -> Option<Finding> {
        let (count, max) = self.tracked?;
        if count * 100 >= max * FULL_PERCENT {
            return Some(Finding::warning(
                format!(
                    "the firewall tracks {count} connections of {max}: when that is full, it drops new ones"
                ),
                format!(
                    "`sysctl -w net.netfilter.nf_conntrack_max={}`, or `notrack` for the ports of TURN and of the relay",
                    max * 4
                ),
            ));
        }
        Some(Finding::fine(format!(
            "the firewall tracks {count} connections of {max}"
        )))
    }
}

fn buffer(name: &str, max: Option<u64>, wanted: u64) -> Finding {
    let key = format!("net.core.{name}");
    match max {
        // Not every network namespace shows it.
        None => Finding::note(format!("{key} is not told here")),
        Some(max) if max < wanted => Finding::warning(
            format!("{key} is {max}, and the server asks for {wanted} bytes: bursts are dropped sooner"),
            format!("`sysctl -w {key}={wanted}`, and the same in /etc/sysctl.d/; then restart the server"),
        ),
        Some(max) => Finding::fine(format!("{key} is {max}; the server asks for {wanted} bytes")),
    }
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The soft (0) or hard (1) limit of descriptors in `/proc/PID/limits`.
fn limit(limits: &str, column: usize) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let word = line.split_ascii_whitespace().nth(column)?;
    if word == "unlimited" {
        Some(u64::MAX)
    } else {
        word.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Grade, *};

    #[test]
    fn a_buffer_that_the_kernel_cuts_is_warned_of_with_the_command() {
        let short = buffer("rmem_max", Some(212_992), 8 << 20);
        assert_eq!(short.grade, Grade::Warning);
        assert!(short.todo.unwrap().contains("net.core.rmem_max=8388608"));
        assert_eq!(buffer("rmem_max", Some(8 << 20), 8 << 20).grade, Grade::Fine);
        assert_eq!(buffer("wmem_max", None, 8 << 20).grade, Grade::Note);
    }

    #[test]
    fn too_few_descriptors_of_a_server_weigh_more_than_those_of_this_shell() {
        let mut facts = Facts {
            descriptors_wanted: 20_000,
            descriptors: Some(1024),
            is_of_server: true,
            ..Facts::default()
        };
        assert_eq!(facts.judge()[0].grade, Grade::Warning);
        facts.is_of_server = false;
        assert_eq!(facts.judge()[0].grade, Grade::Note);
        facts.descriptors = Some(u64::MAX);
        assert_eq!(facts.judge()[0].grade, Grade::Fine);
    }

    #[test]
    fn a_full_table_of_connections_is_warned_of() {
        let tracked = |count| {
            let facts = Facts {
                tracked: Some((count, 65_536)),
                ..Facts::default()
            };
            facts.judge().pop().unwrap().grade
        };
        assert_eq!(tracked(100), Grade::Fine);
        assert_eq!(tracked(60_000), Grade::Warning);
    }

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 unlimited            files\n";
        assert_eq!(limit(limits, 0), Some(1024));
        assert_eq!(limit(limits, 1), Some(u64::MAX));
    }
}
