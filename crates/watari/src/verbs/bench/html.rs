//! A report as one HTML page that asks for nothing else: styles and plots are in it.

mod plots;

use std::fmt::Write;

use turn_load::Metric;

use super::{
    report::{Report, RowReport},
    table::{judged, number, ratio, with_spread},
};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c1c1e; --faint: #6b6b70; --line: #d8d8dc; --paper: #fff; --a: #1264a3; --b: #b3541e; --good: #1a7f37; --bad: #c0262d }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf0; --faint: #9a9aa2; --line: #3a3a40; --paper: #17171a; --a: #6cb6ff; --b: #f0a36b; --good: #57c46f; --bad: #ff7b72 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid var(--line) } th:first-child, td:first-child { text-align: left }
th { color: var(--faint); font-weight: 500 } .faint { color: var(--faint) } .met { color: var(--good) } .missed { color: var(--bad) }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif } svg text { fill: var(--ink) } svg .faint { fill: var(--faint) }
.grid { stroke: var(--line) } .a { fill: var(--a); stroke: var(--a) } .b { fill: var(--b); stroke: var(--b) } .curve { fill: none; stroke-width: 2 } .goal { stroke: var(--good); stroke-width: 2 }
.key { display: inline-block; width: .7rem; height: .7rem; border-radius: 50% } .key.a { background: var(--a) } .key.b { background: var(--b) }
";

/// The page.
pub(super) fn page(report: &Report) -> String {
    let names: Vec<_> = report
        .servers
        .iter()
        .map(|server| escaped(&server.name))
        .collect();
    let title = format!("watari bench: {}", names.join(" against "));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <h1>{title}</h1>\n"
    );
    preface(&mut page, report);
    page.push_str(&plots::ratios(&report.rows));
    for row in &report.rows {
        section(&mut page, report, row);
    }
    page.push_str("</html>\n");
    page
}

fn preface(page: &mut String, report: &Report) {
    let _ = writeln!(
        page,
        "<p>watari {}, {} processors, {}, began at {} s since 1970. Medians, and in brackets from the lowest to the \
         highest round. A ratio is the median of the rounds' ratios. Compare figures of one run only.</p>\n<p>",
        escaped(&report.watari),
        report.machine.processors,
        escaped(&report.machine.system),
        report.began
    );
    for (server, class) in report.servers.iter().zip(["a", "b"]) {
        let _ = writeln!(
            page,
            "<span class=\"key {class}\"></span> {} <span class=\"faint\">{}</span>",
            escaped(&server.name),
            escaped(&server.url)
        );
    }
    page.push_str("</p>\n");
}

fn section(page: &mut String, report: &Report, row: &RowReport) {
    let _ = writeln!(page, "<h2>{}</h2>", escaped(&row.name));
    for note in &row.notes {
        let _ = writeln!(page, "<p class=\"faint\">{}</p>", escaped(note));
    }
    page.push_str(&plots::rounds(row));
    table(page, report, row);
    page.push_str(&plots::latency(row));
}

fn table(page: &mut String, report: &Report, row: &RowReport) {
    page.push_str("<table><tr><th></th>");
    for server in &report.servers {
        let _ = write!(page, "<th>{}</th>", escaped(&server.name));
    }
    let compares = report.servers.len() > 1;
    page.push_str(if compares {
        "<th>ratio</th><th></th></tr>\n"
    } else {
        "<th></th></tr>\n"
    });
    for metric in row.metrics() {
        let _ = write!(page, "<tr><td>{}</td>", metric.label());
        for server in &row.servers {
            let cell = server
                .summary
                .get(&metric)
                .map(|spread| with_spread(spread, number));
            let _ = write!(page, "<td>{}</td>", cell.unwrap_or_default());
        }
        if compares {
            let cell = row.ratios.get(&metric).map(|spread| with_spread(spread, ratio));
            let _ = write!(page, "<td>{}</td>", cell.unwrap_or_default());
        }
        let _ = writeln!(page, "<td>{}</td></tr>", verdicts(row, metric));
    }
    page.push_str("</table>\n");
}

fn verdicts(row: &RowReport, metric: Metric) -> String {
    let mut cell = String::new();
    for verdict in row
        .targets
        .iter()
        .filter(|verdict| verdict.target.metric == metric)
    {
        let class = match verdict.met {
            Some(true) => "met",
            Some(false) => "missed",
            None => "faint",
        };
        let _ = write!(cell, "<span class=\"{class}\">{}</span>", judged(verdict));
    }
    cell
}

/// Text that HTML shows as it is.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::bench::report::{Machine, ServerReport, tests::row};

    #[test]
    fn the_page_shows_names_as_they_are_and_asks_for_nothing() {
        let server = |name: &str| ServerReport {
            name: name.to_owned(),
            url: "turn:192.0.2.1".to_owned(),
            pid: None,
        };
        let report = Report {
            watari: "1".to_owned(),
            began: 1,
            machine: Machine {
                processors: 2,
                system: "linux".to_owned(),
            },
            servers: vec![server("one & only"), server("<other>")],
            rows: vec![row()],
        };
        let page = page(&report);
        for part in [
            "one &amp; only",
            "&lt;other&gt;",
            "a &lt;row&gt;",
            "0.50",
            "met",
            "missed",
            "</svg>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        for part in ["<other>", "http", "src=", "href=", "NaN", "inf"] {
            assert!(!page.contains(part), "{part}: {page}");
        }
    }
}
