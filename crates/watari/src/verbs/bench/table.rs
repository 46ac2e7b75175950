//! A report in columns.

use std::fmt::Write;

use turn_load::{Metric, rounds::Spread};

use super::{
    report::{Report, RowReport, Verdict},
    rows::Limit,
};
use crate::say::Colours;

/// The width of the names of figures, and of a column of them.
const NAME: usize = 34;
const COLUMN: usize = 26;

/// The report as text.
pub(super) fn words(report: &Report, colours: Colours) -> String {
    let mut text = String::new();
    for row in &report.rows {
        row_words(&mut text, report, row, colours);
    }
    text
}

fn row_words(text: &mut String, report: &Report, row: &RowReport, colours: Colours) {
    let Colours {
        strong, faint, plain, ..
    } = colours;
    let mut lines = vec![format!("{strong}{}{plain}", row.name)];
    let mut head = format!("  {:NAME$}", "");
    for server in &report.servers {
        let _ = write!(head, "{:>COLUMN$}", shortened(&server.name));
    }
    if report.servers.len() > 1 {
        let _ = write!(head, "{:>COLUMN$}", "ratio");
        lines.push(format!("{faint}{head}{plain}"));
    }
    for metric in row.metrics() {
        lines.push(figure(row, metric));
    }
    lines.extend(row.notes.iter().map(|note| format!("  {faint}{note}{plain}")));
    for line in lines {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text);
}

fn figure(row: &RowReport, metric: Metric) -> String {
    let mut line = format!("  {:NAME$}", metric.label());
    for server in &row.servers {
        let cell = server
            .summary
            .get(&metric)
            .map_or("–".to_owned(), |spread| with_spread(spread, number));
        let _ = write!(line, "{cell:>COLUMN$}");
    }
    if row.servers.len() > 1 {
        let cell = row
            .ratios
            .get(&metric)
            .map_or(String::new(), |spread| with_spread(spread, ratio));
        let _ = write!(line, "{cell:>COLUMN$}");
    }
    for verdict in row
        .targets
        .iter()
        .filter(|verdict| verdict.target.metric == metric)
    {
        let _ = write!(line, "   {}", judged(verdict));
    }
    line
}

/// A target in words.
pub(super) fn judged(verdict: &Verdict) -> String {
    let limit = match verdict.target.limit {
        Limit::Ratio(limit) => format!("target ≤ {limit:.2} ×"),
        Limit::Value(limit) => format!("target ≤ {}", number(limit)),
    };
    let met = match verdict.met {
        Some(true) => ", met",
        Some(false) => ", missed",
        None => ", not measured",
    };
    limit + met
}

/// A median, and in brackets from where to where if there were several rounds.
pub(super) fn with_spread(spread: &Spread, shown: impl Fn(f64) -> String) -> String {
    let Spread { median, min, max } = *spread;
    if shown(min) == shown(max) {
        return shown(median);
    }
    format!("{} ({}–{})", shown(median), shown(min), shown(max))
}

/// A number with as many digits as it deserves.
pub(super) fn number(value: f64) -> String {
    match value {
        small if small.fract() == 0.0 && small < 1e6 => format!("{small:.0}"),
        small if small < 10.0 => format!("{small:.2}"),
        middle if middle < 100.0 => format!("{middle:.1}"),
        large => format!("{large:.0}"),
    }
}

pub(super) fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

/// A name that fits into a column.
fn shortened(name: &str) -> String {
    let len = name.chars().count();
    if len < COLUMN {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(len - COLUMN + 2).collect();
    format!("…{tail}")
}
