//! `watari bench`: loads any TURN server, alone or in turns with another, and reports what it costs.

mod html;
mod progress;
mod report;
mod rows;
mod servers;
mod table;
mod url;

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
    thread,
};

use datagram_io::raise_descriptor_limit;
use lifecycle::exit;
use turn_load::{Control, Error, measure, rounds};

use crate::{
    cli::BenchArgs,
    failure::Failure,
    say::{self, Colours},
};

pub(crate) use servers::Unusable;
pub(crate) use url::Url;

use progress::Progress;
use report::{Report, RowReport};
use rows::Row;
use servers::Contestant;

/// A shell's exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Measures what the flags ask for, and prints it.
pub(crate) fn run(arguments: &BenchArgs) -> Result<(), Failure> {
    let servers = servers::of(arguments)?;
    let rows = rows::chosen(arguments);
    let earlier = arguments.continues.as_deref().map(read).transpose()?;
    make_room(&rows)?;
    let control = Arc::new(Control::default());
    cancel_on_signal(Arc::clone(&control))?;
    let mut report = Report::new(&servers);
    let ended = measure_all(arguments, &servers, &rows, &control, &mut report);
    if !report.rows.is_empty() {
        if let Some(earlier) = earlier {
            report.put_before(earlier);
        }
        publish(arguments, &report)?;
    }
    match ended {
        Err(Error::Cancelled) => return Err(Failure::Told(INTERRUPTED)),
        done => done?,
    }
    if report.damaged() > 0.0 {
        let Colours { error, plain, .. } = Colours::on(&io::stderr());
        let _ = writeln!(
            io::stderr(),
            "{error}error:{plain} {} datagrams came with other bytes than were sent, or to somebody else",
            report.damaged()
        );
        return Err(Failure::Told(exit::FAILURE));
    }
    Ok(())
}

/// Measures row by row; what a row has when it ends early is in the report, too.
fn measure_all(
    arguments: &BenchArgs,
    servers: &[Contestant],
    rows: &[Row],
    control: &Control,
    report: &mut Report,
) -> Result<(), Error> {
    let default = if servers.len() > 1 { 3 } else { 1 };
    let rounds = arguments.rounds.unwrap_or(default) as usize;
    let rounds_of = |row: &Row| if row.once { 1 } else { rounds };
    let steps: usize = rows.iter().map(|row| rounds_of(row) * servers.len()).sum();
    let progress = Progress::new(steps);
    for row in rows {
        let mut told = RowReport::new(row, servers.len());
        let ended = measure_row(servers, row, rounds_of(row), control, &progress, &mut told);
        if told.has_figures() {
            told.conclude(row);
            report.rows.push(told);
        }
        ended?;
    }
    Ok(())
}

fn measure_row(
    servers: &[Contestant],
    row: &Row,
    rounds: usize,
    control: &Control,
    progress: &Progress,
    told: &mut RowReport,
) -> Result<(), Error> {
    for round in 0..rounds {
        for index in rounds::order(round, servers.len()) {
            let contestant = &servers[index];
            progress.say(&format!(
                "{} · {}, round {} of {rounds}",
                row.name,
                contestant.name,
                round + 1
            ));
            let server = contestant.server(row.plan.transport);
            told.add(index, measure(server, &row.plan, control)?);
            progress.advance();
            if control.is_cancelled() {
                return Err(Error::Cancelled);
            }
        }
    }
    Ok(())
}

/// Each connection, and outside of loopback each client over UDP, takes a descriptor.
fn make_room(rows: &[Row]) -> io::Result<()> {
    let most = rows.iter().map(|row| row.plan.allocations).max().unwrap_or(0);
    // Where it is not enough, opening says so.
    raise_descriptor_limit(u64::from(most) * 2 + 256).map(drop)
}

/// The first Ctrl-C ends the load and gives the allocations back, the second ends the process.
fn cancel_on_signal(control: Arc<Control>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            for _ in 0..2 {
                if tokio::signal::ctrl_c().await.is_err() {
                    return;
                }
                if control.is_cancelled() {
                    std::process::exit(i32::from(INTERRUPTED));
                }
                control.cancel();
            }
        });
    })?;
    Ok(())
}

fn publish(arguments: &BenchArgs, report: &Report) -> Result<(), Failure> {
    if let Some(path) = &arguments.html {
        write(path, &html::page(report))?;
    }
    let json = || serde_json::to_string_pretty(report).map_err(io::Error::other);
    match arguments.json.as_deref() {
        Some(path) if path == Path::new("-") => say::lines(&json()?)?,
        Some(path) => {
            write(path, &json()?)?;
            say::lines(&table::words(report, Colours::on(&io::stdout())))?;
        }
        None => say::lines(&table::words(report, Colours::on(&io::stdout())))?,
    }
    Ok(())
}

fn read(path: &Path) -> Result<Report, Failure> {
    let unread = |error: io::Error| Failure::Read {
        path: path.to_owned(),
        error,
    };
    let text = fs::read(path).map_err(unread)?;
    serde_json::from_slice(&text).map_err(|error| unread(error.into()))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::Write {
        path: path.to_owned(),
        error,
    })
}
