//! The clock: time-limited credentials and certificates are good by it.

use super::finding::Finding;

pub(super) fn look() -> Finding {
    judge(datagram_io::clock_is_synchronised())
}

fn judge(is_synchronised: Option<bool>) -> Finding {
    match is_synchronised {
        Some(true) => Finding::fine("the clock is kept right by NTP"),
        Some(false) => Finding::warning(
            "the kernel says that nothing keeps the clock right: credentials and certificates are good by it",
            "`timedatectl set-ntp true`, or install chrony; in a container or virtual machine, see to the clock of its host",
        ),
        None => Finding::note("whether NTP keeps the clock right is not told here"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Grade, *};

    #[test]
    fn a_clock_that_nothing_keeps_right_is_warned_of() {
        let grades = [Some(true), Some(false), None].map(|is| judge(is).grade);
        assert_eq!(grades, [Grade::Fine, Grade::Warning, Grade::Note]);
    }
}
