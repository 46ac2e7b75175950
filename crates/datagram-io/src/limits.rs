//! The number of descriptors this process may hold: every allocation takes one.

use std::{fmt, io};

/// What [`raise_descriptor_limit`] found and reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// Descriptors that were asked for.
    pub wanted: u64,
    /// The soft limit before.
    pub before: u64,
    /// The soft limit now.
    pub now: u64,
}

impl DescriptorLimit {
    /// Whether as many as wanted can be opened.
    pub fn is_enough(&self) -> bool {
        self.now >= self.wanted
    }
}

impl fmt::Display for DescriptorLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, before, now } = self;
        if self.is_enough() {
            write!(f, "up to {now} descriptors may be open (before: {before})")
        } else {
            write!(
                f,
                "only {now} descriptors may be open, {wanted} are needed to use every relay port: \
                 raise `ulimit -n` or LimitNOFILE="
            )
        }
    }
}

/// Raises the soft limit of open descriptors to `wanted`, and the hard limit too if that is permitted.
///
/// A limit that is already higher stays. What could not be had is told by the result, not by an error.
///
/// # Errors
/// If the kernel does not tell the limit.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<DescriptorLimit> {
    let limit = read()?;
    let before = limit.rlim_cur;
    if before < wanted {
        let hard = limit.rlim_max;
        // Only the superuser may raise the hard limit; everyone may go up to it.
        if write(wanted, hard.max(wanted)).is_err() {
            let _ = write(wanted.min(hard), hard);
        }
    }
    Ok(DescriptorLimit {
        wanted,
        before,
        now: read()?.rlim_cur,
    })
}

fn read() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit that lives through the call.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

fn write(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft as libc::rlim_t,
        rlim_max: hard as libc::rlim_t,
    };
    // SAFETY: `limit` is a valid rlimit that lives through the call.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_already_higher_stays() {
        let limit = raise_descriptor_limit(16).unwrap();
        assert!(limit.is_enough());
        assert_eq!(limit.now, limit.before);
    }

    #[test]
    fn what_cannot_be_had_is_told_with_its_remedy() {
        let limit = DescriptorLimit {
            wanted: 16_448,
            before: 1024,
            now: 4096,
        };
        assert!(!limit.is_enough());
        assert!(limit.to_string().contains("16448 are needed"), "{limit}");
    }
}
