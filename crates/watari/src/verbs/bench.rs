//! `watari bench`: loads any TURN server, alone or in turns with another, and reports what it costs; or a signaling server.

mod authority;
mod fitting;
mod html;
mod output;
mod progress;
mod report;
mod rows;
mod servers;
mod signaling;
mod table;
mod url;

use std::{
    fs, future,
    io::{self, Write},
    path::Path,
    sync::Arc,
    thread,
};

use datagram_io::raise_descriptor_limit;
use lifecycle::exit;
use serde::Serialize;
use turn_load::{Control, Error, measure, rounds};

use crate::{
    cli::{BenchArgs, BenchCommand, OtherServer},
    failure::Failure,
    say::{self, Colours},
};

pub(crate) use fitting::Unfitting;
pub(crate) use servers::Unusable;
pub(crate) use signaling::{SignalingUrl, Unmeasured};
pub(crate) use url::Url;

use output::Output;
use progress::Progress;
use report::{Report, RowReport};
use rows::Row;
use servers::Contestant;

/// A shell's exit code of a program that Ctrl-C ended; SIGTERM is told alike.
const INTERRUPTED: u8 = 130;

/// Measures what the flags ask for, and prints it.
pub(crate) fn run(command: &BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Turn(arguments) => run_turn(arguments),
        BenchCommand::Other(OtherServer::Signaling(arguments)) => signaling::run(arguments),
    }
}

fn run_turn(arguments: &BenchArgs) -> Result<(), Failure> {
    fitting::check(arguments)?;
    let servers = servers::of(arguments)?;
    let rows = rows::chosen(arguments);
    let mut report = Report::new(&servers);
    let earlier = match &arguments.continues {
        Some(path) => Some(read(path, &report)?),
        None => None,
    };
    let outputs = Outputs::open(arguments.json.as_deref(), arguments.html.as_deref())?;
    make_room(&rows)?;
    let control = Arc::new(Control::default());
    let cancelled = Arc::clone(&control);
    cancel_on_signal(move || cancelled.cancel())?;
    let ended = measure_all(arguments, &servers, &rows, &control, &mut report);
    // Of this run alone: what is wrong with an earlier one has been told.
    let damaged = report.damaged();
    if !report.rows.is_empty() {
        if let Some(earlier) = earlier {
            report.put_before(earlier);
        }
        let words = |colours| table::words(&report, colours);
        outputs.publish(&report, words, Some(&|| html::page(&report)))?;
    }
    match ended {
        Err(Error::Cancelled) => return Err(Failure::Told(INTERRUPTED)),
        done => done?,
    }
    if damaged > 0.0 {
        let Colours { error, plain, .. } = Colours::on(&io::stderr());
        let _ = writeln!(
            io::stderr(),
            "{error}error:{plain} {damaged} datagrams came with other bytes than were sent, or to or from somebody else"
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

/// The first signal ends the load in good order, the second ends the process.
fn cancel_on_signal(cancel: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Heard from here on, not only once the thread runs.
    let shutdown = {
        let _inside = runtime.enter();
        lifecycle::on_signals()?
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            shutdown.wait().await;
            cancel();
            future::pending::<()>().await;
        });
    })?;
    Ok(())
}

/// Where the report goes.
struct Outputs {
    json: Option<Output>,
    html: Option<Output>,
    /// JSON goes to standard output in place of the table.
    has_json_printed: bool,
}

impl Outputs {
    fn open(json: Option<&Path>, html: Option<&Path>) -> Result<Self, Failure> {
        let open = |path: Option<&Path>| path.map(Output::open).transpose();
        let printed = Path::new("-");
        Ok(Self {
            json: open(json.filter(|path| *path != printed))?,
            html: open(html)?,
            has_json_printed: json == Some(printed),
        })
    }

    /// Prints first: that cannot be lost to a full disk.
    fn publish(
        self,
        report: &impl Serialize,
        words: impl Fn(Colours) -> String,
        page: Option<&dyn Fn() -> String>,
    ) -> Result<(), Failure> {
        let json = || serde_json::to_string_pretty(report).map_err(io::Error::other);
        if self.has_json_printed {
            say::lines(&json()?)?;
        } else {
            say::lines(&words(Colours::on(&io::stdout())))?;
        }
        if let Some(output) = self.json {
            output.write(&json()?)?;
        }
        if let (Some(output), Some(page)) = (self.html, page) {
            output.write(&page())?;
        }
        Ok(())
    }
}

/// An earlier report that this one can continue.
fn read(path: &Path, report: &Report) -> Result<Report, Failure> {
    let unread = |error: io::Error| Failure::Read {
        path: path.to_owned(),
        error,
    };
    let text = fs::read(path).map_err(unread)?;
    let earlier: Report = serde_json::from_slice(&text).map_err(|error| unread(error.into()))?;
    if earlier.names() != report.names() {
        return Err(unread(io::Error::other(format!(
            "it is about {}, not about {}; --name and --against-name name servers alike",
            earlier.names().join(" and "),
            report.names().join(" and ")
        ))));
    }
    Ok(earlier)
}
