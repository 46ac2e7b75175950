//! What a process costs, by Linux's `/proc`.

use std::{collections::BTreeMap, fs, io, path::Path, time::Instant};

/// A process at one moment; two of them make a [`Spent`].
#[derive(Clone, Debug)]
pub struct Sample {
    at: Instant,
    /// Nanoseconds on a processor, by thread.
    cpu: BTreeMap<u32, u64>,
    voluntary: u64,
    involuntary: u64,
    /// Resident memory in bytes.
    pub resident: u64,
    /// The part of it that is no file's: heap and stacks.
    pub anonymous: u64,
}

/// What a process spent between two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// Between the samples.
    pub seconds: f64,
    /// On processors, all threads together.
    pub cpu_ns: u64,
    /// The part of the time that its busiest thread was on a processor, 0 to 1.
    pub busiest_thread: f64,
    /// Times that a thread had nothing to do and was woken again.
    pub wakeups: u64,
    /// Those, and times that a thread was put off its processor.
    pub context_switches: u64,
}

/// The process of the server cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read /proc/{pid} of the server: {error}. Is that its process id, and is it on this machine?")]
pub struct Unreadable {
    /// Its id.
    pub pid: u32,
    /// What the system said.
    pub error: io::Error,
}

/// Reads what there is to know about a process now.
///
/// # Errors
/// If there is no such process, or no `/proc`, or the kernel does not tell times.
pub fn sample(pid: u32) -> Result<Sample, Unreadable> {
    sample_in(Path::new(&format!("/proc/{pid}"))).map_err(|error| Unreadable { pid, error })
}

fn sample_in(folder: &Path) -> io::Result<Sample> {
    let status = fs::read_to_string(folder.join("status"))?;
    let mut sample = Sample {
        at: Instant::now(),
        cpu: BTreeMap::new(),
        voluntary: 0,
        involuntary: 0,
        resident: field(&status, "VmRSS:").unwrap_or(0) * 1024,
        anonymous: field(&status, "RssAnon:").unwrap_or(0) * 1024,
    };
    for task in fs::read_dir(folder.join("task"))? {
        let task = task?;
        let Some(id) = task.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match thread(&task.path()) {
            Ok((cpu, voluntary, involuntary)) => {
                sample.cpu.insert(id, cpu);
                sample.voluntary += voluntary;
                sample.involuntary += involuntary;
            }
            // A thread that ended meanwhile is left out; one that is there must be readable, or its time would be missing.
            Err(_) if !task.path().exists() => {}
            Err(error) => return Err(error),
        }
    }
    // A process that has run has taken time: zeros are what a kernel without these statistics tells.
    if sample.cpu.values().all(|&cpu| cpu == 0) {
        return Err(io::Error::other(
            "its kernel counts no processor time in schedstat",
        ));
    }
    Ok(sample)
}

fn thread(folder: &Path) -> io::Result<(u64, u64, u64)> {
    let status = fs::read_to_string(folder.join("status"))?;
    let schedstat = fs::read_to_string(folder.join("schedstat"))
        .map_err(|error| io::Error::new(error.kind(), format!("schedstat: {error}")))?;
    let cpu = on_processor(&schedstat)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "schedstat holds no time"))?;
    let switches = |name| field(&status, name).unwrap_or(0);
    Ok((
        cpu,
        switches("voluntary_ctxt_switches:"),
        switches("nonvoluntary_ctxt_switches:"),
    ))
}

/// The first number of `schedstat`: nanoseconds on a processor.
fn on_processor(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// The number behind a name at the start of a line.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Sample {
    /// What was spent since an earlier sample of the same process.
    pub fn since(&self, earlier: &Self) -> Spent {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        let by_thread = self.cpu.iter().map(|(id, cpu)| {
            let before = earlier.cpu.get(id).copied().unwrap_or(0);
            cpu.saturating_sub(before)
        });
        let busiest = by_thread.clone().max().unwrap_or(0) as f64 / 1e9 / seconds.max(1e-9);
        let wakeups = self.voluntary.saturating_sub(earlier.voluntary);
        Spent {
            seconds,
            cpu_ns: by_thread.sum(),
            busiest_thread: busiest.min(1.0),
            wakeups,
            context_switches: wakeups + self.involuntary.saturating_sub(earlier.involuntary),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fields_of_proc_are_found_by_their_whole_name() {
        let status = "Name:\tturnserver\nVmHWM:\t 9000 kB\nVmRSS:\t    5124 kB\n\
                      voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        assert_eq!(field(status, "VmRSS:"), Some(5124));
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(150));
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), Some(545));
        assert_eq!(field(status, "VmSwap:"), None);
        assert_eq!(on_processor("8123456789 52345 190\n"), Some(8_123_456_789));
        assert_eq!(on_processor("\n"), None);
    }

    #[test]
    fn what_was_spent_counts_threads_that_began_meanwhile_and_names_the_busiest() {
        let at = Instant::now();
        let sample = |seconds, cpu: &[(u32, u64)], voluntary, involuntary| Sample {
            at: at + Duration::from_secs(seconds),
            cpu: cpu.iter().copied().collect(),
            voluntary,
            involuntary,
            resident: 0,
            anonymous: 0,
        };
        let before = sample(0, &[(1, 1_000_000_000), (2, 5)], 10, 1);
        let after = sample(2, &[(1, 2_500_000_000), (2, 5), (3, 500_000_000)], 30, 2);
        let spent = Spent {
            seconds: 2.0,
            cpu_ns: 2_000_000_000,
            busiest_thread: 0.75,
            wakeups: 20,
            context_switches: 21,
        };
        assert_eq!(after.since(&before), spent);
    }

    #[test]
    fn times_that_cannot_be_read_are_an_error_and_not_zero() {
        let folder = tempfile::tempdir().unwrap();
        let read_with = |schedstats: [Option<&str>; 2]| {
            let _ = fs::remove_dir_all(folder.path().join("task"));
            fs::write(folder.path().join("status"), "VmRSS:\t 4 kB\n").unwrap();
            for (id, schedstat) in [7, 8].into_iter().zip(schedstats) {
                let task = folder.path().join(format!("task/{id}"));
                fs::create_dir_all(&task).unwrap();
                fs::write(task.join("status"), "voluntary_ctxt_switches:\t1\n").unwrap();
                if let Some(text) = schedstat {
                    fs::write(task.join("schedstat"), text).unwrap();
                }
            }
            sample_in(folder.path()).map(|sample| sample.cpu.values().sum::<u64>())
        };
        assert_eq!(read_with([Some("5 0 1\n"), Some("0 0 1\n")]).unwrap(), 5);
        for (schedstats, word) in [
            ([Some("5 0 1\n"), None], "schedstat:"),
            ([Some("5 0 1\n"), Some("\n")], "no time"),
            ([Some("0 0 0\n"), Some("0 0 0\n")], "counts no processor time"),
        ] {
            let error = read_with(schedstats).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_can_be_read() {
        let sample = sample(std::process::id()).unwrap();
        assert!(sample.resident > 100_000 && !sample.cpu.is_empty());
        assert!((50_000..sample.resident).contains(&sample.anonymous));
    }
}
