//! Findings as they come: for people at once, for scripts at the end.

use std::{fmt::Write, io};

use lifecycle::exit;
use serde::Serialize;
use serde_json::json;

use super::finding::{Finding, Grade};
use crate::{
    failure::Failure,
    say::{self, Colours},
};

/// Says what is found, group by group.
pub(super) struct Telling {
    json: bool,
    colours: Colours,
    said: Vec<Said>,
}

/// A finding with the name of its group.
#[derive(Serialize)]
struct Said {
    group: &'static str,
    #[serde(flatten)]
    finding: Finding,
}

impl Telling {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            colours: Colours::on(&io::stdout()),
            said: Vec::new(),
        }
    }

    /// Says one finding; a group's name stands above its first.
    pub(super) fn say(&mut self, group: &'static str, finding: Finding) -> io::Result<()> {
        if !self.json {
            let is_first = self.said.last().is_none_or(|last| last.group != group);
            say::lines(&words(group, is_first, &finding, self.colours))?;
        }
        self.said.push(Said { group, finding });
        Ok(())
    }

    /// Says all of a group.
    pub(super) fn group(
        &mut self,
        name: &'static str,
        findings: impl IntoIterator<Item = Finding>,
    ) -> io::Result<()> {
        let mut findings = findings.into_iter();
        findings.try_for_each(|finding| self.say(name, finding))
    }

    /// Sums up, and fails where there is a problem.
    pub(super) fn end(self) -> Result<(), Failure> {
        let count = |grade| {
            self.said
                .iter()
                .filter(|said| said.finding.grade == grade)
                .count()
        };
        let (warnings, problems) = (count(Grade::Warning), count(Grade::Problem));
        if self.json {
            let ok = problems == 0;
            let answer =
                json!({ "ok": ok, "warnings": warnings, "problems": problems, "findings": self.said });
            say::lines(&format!("{answer:#}"))?;
        } else {
            say::lines(&format!("\n{}", summary(warnings, problems)))?;
        }
        match problems {
            0 => Ok(()),
            _ => Err(Failure::Told(exit::FAILURE)),
        }
    }
}

fn words(group: &str, is_first: bool, finding: &Finding, colours: Colours) -> String {
    let Colours {
        strong, faint, plain, ..
    } = colours;
    let mut text = String::new();
    if is_first {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{strong}{group}{plain}");
    }
    let (colour, sign) = match finding.grade {
        Grade::Fine => (colours.good, "✓"),
        Grade::Note => (faint, "–"),
        Grade::Warning => (colours.warning, "!"),
        Grade::Problem => (colours.error, "✗"),
    };
    let _ = writeln!(text, "  {colour}{sign}{plain} {}", finding.what);
    if let Some(todo) = &finding.todo {
        let _ = writeln!(text, "    {faint}→{plain} {todo}");
    }
    text
}

fn summary(warnings: usize, problems: usize) -> String {
    let some = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        many => Some(format!("{many} {what}s")),
    };
    let parts = [some(problems, "problem"), some(warnings, "warning")];
    match parts.into_iter().flatten().collect::<Vec<_>>() {
        none if none.is_empty() => "All fine.".to_owned(),
        parts => format!("{}.", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_is_wrong_and_the_group_above_its_first() {
        let colours = Colours::on(&std::fs::File::open("/dev/null").unwrap());
        let problem = Finding::problem("the port is taken", "end the other program");
        assert_eq!(
            words("Ports", true, &problem, colours),
            "\nPorts\n  ✗ the port is taken\n    → end the other program\n"
        );
        assert_eq!(
            words("Ports", false, &Finding::fine("free"), colours),
            "  ✓ free\n"
        );
    }

    #[test]
    fn problems_are_counted_before_warnings() {
        assert_eq!(summary(0, 0), "All fine.");
        assert_eq!(summary(1, 0), "1 warning.");
        assert_eq!(summary(2, 1), "1 problem, 2 warnings.");
    }
}
