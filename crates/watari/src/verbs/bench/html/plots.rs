//! Plots as SVG within the page.

use std::fmt::Write;

use turn_load::Metric;

use super::escaped;
use crate::verbs::bench::{
    report::RowReport,
    rows::Limit,
    table::{number, ratio},
};

const WIDTH: f64 = 900.0;
const CLASSES: [&str; 2] = ["a", "b"];

/// The ratio that each row is about, with its spread and its target; empty without a second server.
pub(super) fn ratios(rows: &[RowReport]) -> String {
    const NAMES: f64 = 430.0;
    const LINE: f64 = 26.0;
    let told = |row: &RowReport| {
        row.main_metric()
            .and_then(|metric| Some((metric, *row.ratios.get(&metric)?)))
    };
    let shown: Vec<_> = rows.iter().filter_map(|row| Some((row, told(row)?))).collect();
    if shown.is_empty() {
        return String::new();
    }
    let most = shown
        .iter()
        .map(|(_, (_, spread))| spread.max)
        .fold(1.0, f64::max)
        * 1.05;
    let x = |value: f64| NAMES + (WIDTH - NAMES - 50.0) * value / most;
    let height = LINE * (shown.len() as f64 + 1.0);
    let mut svg = open(height, "Ratios of the first server to the second");
    let one = x(1.0);
    let _ = write!(
        svg,
        "<line class=\"grid\" x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"0\" y2=\"{:.1}\"/><text class=\"faint\" \
         x=\"{one:.1}\" y=\"{:.1}\" text-anchor=\"middle\">1.00</text>",
        height - LINE,
        height - 8.0
    );
    for (place, (row, (metric, spread))) in shown.iter().enumerate() {
        let y = LINE * (place as f64 + 0.5);
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{:.1}\">{}</text>",
            y + 4.0,
            escaped(&row.name)
        );
        whisker(&mut svg, "a", (x(spread.min), x(spread.max)), y);
        dot(&mut svg, "a", x(spread.median), y, 4.5);
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x(spread.max) + 8.0,
            y + 4.0,
            ratio(spread.median)
        );
        for target in row.targets.iter().map(|verdict| verdict.target) {
            if let (true, Limit::Ratio(limit)) = (target.metric == *metric, target.limit) {
                let at = x(limit);
                let (top, foot) = (y - 9.0, y + 9.0);
                let _ = write!(
                    svg,
                    "<line class=\"goal\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top:.1}\" y2=\"{foot:.1}\"/>"
                );
            }
        }
    }
    svg + "</svg>\n<p class=\"faint\">Ratios to the second server, median of the rounds' ratios: less is better where it is a cost. The upright mark \
           is the target.</p>\n"
}

/// Each round of each server as a dot.
pub(super) fn rounds(row: &RowReport) -> String {
    const LEFT: f64 = 10.0;
    let Some(metric) = row.main_metric() else {
        return String::new();
    };
    let values = |index: usize| {
        row.servers[index]
            .rounds
            .iter()
            .filter_map(move |round| round.get(&metric))
    };
    let most = (0..row.servers.len())
        .flat_map(values)
        .fold(0.0, |most: f64, &value| most.max(value));
    if most <= 0.0 {
        return String::new();
    }
    let x = |value: f64| LEFT + (WIDTH - 2.0 * LEFT) * value / (most * 1.1);
    let height = 22.0 * row.servers.len() as f64 + 22.0;
    let mut svg = open(height, metric.label());
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let (at, foot) = (x(value), height - 20.0);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{foot:.1}\"/><text class=\"faint\" \
             x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            height - 6.0,
            number(value.round())
        );
    }
    for (index, class) in (0..row.servers.len()).zip(CLASSES) {
        let y = 22.0 * index as f64 + 11.0;
        for &value in values(index) {
            dot(&mut svg, class, x(value), y, 4.5);
        }
    }
    let _ = writeln!(
        svg,
        "</svg>\n<p class=\"faint\">{}, each round</p>",
        metric.label()
    );
    svg
}

/// The part of datagrams over the time that they took at most, both on logarithmic scales.
pub(super) fn latency(row: &RowReport) -> String {
    const LEFT: f64 = 60.0;
    const HEIGHT: f64 = 220.0;
    const FOOT: f64 = HEIGHT - 24.0;
    const NINES: f64 = 4.5;
    let points = || {
        row.servers
            .iter()
            .flat_map(|server| &server.latency)
            .map(|&(_, time)| time)
    };
    let (least, most) = points().fold((f64::MAX, 0.0_f64), |(least, most), time| {
        (least.min(time), most.max(time))
    });
    if most <= 0.0 {
        return String::new();
    }
    let (low, high) = (least.max(0.1).log10().floor(), most.log10().ceil());
    // 0.9 is one nine, 0.99 two; the longest of all stands at the end.
    let x = |part: f64| LEFT + (WIDTH - LEFT - 30.0) * (-(1.0 - part).max(1e-9).log10()).min(NINES) / NINES;
    let y = |time: f64| FOOT - (FOOT - 10.0) * (time.max(0.1).log10() - low) / (high - low).max(1.0);
    let mut svg = open(HEIGHT, "Latencies");
    for decade in low as i32..=high as i32 {
        let time = 10_f64.powi(decade);
        let at = y(time);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"faint\" \
             x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} µs</text>",
            LEFT - 6.0,
            at + 4.0,
            number(time)
        );
    }
    for (part, label) in [
        (0.0, "0"),
        (0.5, "50 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
    ] {
        let at = x(part);
        let foot = HEIGHT - 8.0;
        let _ = write!(
            svg,
            "<text class=\"faint\" x=\"{at:.1}\" y=\"{foot:.1}\" text-anchor=\"middle\">{label}</text>"
        );
    }
    for (server, class) in row.servers.iter().zip(CLASSES) {
        let line: Vec<_> = server
            .latency
            .iter()
            .map(|&(part, time)| format!("{:.1},{:.1}", x(part), y(time)))
            .collect();
        let _ = write!(
            svg,
            "<polyline class=\"{class} curve\" style=\"fill: none\" points=\"{}\"/>",
            line.join(" ")
        );
    }
    svg + "</svg>\n<p class=\"faint\">Latency: so many datagrams took no longer, all rounds together</p>\n"
}

/// The metric that a plot of a row is about.
impl RowReport {
    pub(super) fn main_metric(&self) -> Option<Metric> {
        const BY_WEIGHT: [Metric; 5] = [
            Metric::SetUpCpuUs,
            Metric::IdleBytesPerAllocation,
            Metric::ServerCpuNsPerDatagram,
            Metric::DatagramsPerSecond,
            Metric::SetUpsPerSecond,
        ];
        let told = self.targets.iter().map(|verdict| verdict.target);
        let judged = told.filter(|target| matches!(target.limit, Limit::Ratio(_)));
        let has = |metric: &Metric| {
            self.servers
                .iter()
                .any(|server| server.summary.contains_key(metric))
        };
        judged.map(|target| target.metric).chain(BY_WEIGHT).find(has)
    }
}

fn open(height: f64, label: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}\">",
        escaped(label)
    )
}

fn dot(svg: &mut String, class: &str, x: f64, y: f64, radius: f64) {
    let _ = write!(
        svg,
        "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
    );
}

fn whisker(svg: &mut String, class: &str, (from, to): (f64, f64), y: f64) {
    let _ = write!(
        svg,
        "<line class=\"{class}\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
    );
}
