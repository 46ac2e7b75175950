//! One measurement: threads that make the load, and the samples taken around it.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use crate::{
    Control, Error,
    control::{Conductor, Stage},
    metric::{Figures, Metric},
    plan::{Pace, Plan, Server, Subject},
    process::{self, Sample, Spent},
    tally::Tally,
    worker::{self, News, Part},
};

/// How often the end of a stage is looked for.
const GLANCE: Duration = Duration::from_millis(10);

/// What one measurement found.
pub struct Round {
    /// The figures.
    pub figures: Figures,
    /// Latencies in nanoseconds, of a load of datagrams.
    pub latency: Option<Histogram<u64>>,
    /// The generator, not the server, was what could not do more; never said of a server whose process is not known.
    pub generator_was_limit: bool,
    /// Fewer datagrams left than the rate asks for.
    pub fell_short: bool,
}

/// Measures a server once: allocations are made, loaded, and given back.
///
/// # Errors
/// If the allocations could not be made, or `control` was cancelled before anything was measured.
pub fn measure(server: &Server, plan: &Plan, control: &Control) -> Result<Round, Error> {
    conduct(server, plan, control, worker::run)
}

/// What a thread does, and reports meanwhile.
type Work = fn(&Server, &Plan, &Part, &Conductor<'_>, &mpsc::Sender<News>) -> Result<Tally, Error>;

/// Has threads work, and ends them all when one fails.
fn conduct(server: &Server, plan: &Plan, control: &Control, work: Work) -> Result<Round, Error> {
    let conductor = Conductor::new(control);
    thread::scope(|scope| {
        let _end = Curtain(&conductor);
        let (news, reports) = mpsc::channel();
        let parts = Part::of(plan);
        let threads = parts.len();
        for part in parts {
            let (news, conductor) = (news.clone(), &conductor);
            thread::Builder::new()
                .name(format!("load {}", part.index))
                .spawn_scoped(scope, move || {
                    let work = || work(server, plan, &part, conductor, &news);
                    let end = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Panicked));
                    // The measurement may have failed, and listens no more.
                    let _ = news.send(News::Ended(end.map(Box::new)));
                })?;
        }
        drop(news);
        let mut course = Course {
            server,
            conductor: &conductor,
            reports,
            threads,
            tallies: Vec::new(),
        };
        course.follow(plan)
    })
}

/// However a measurement ends, the threads that wait for its next stage end, too.
struct Curtain<'a>(&'a Conductor<'a>);

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        self.0.enter(Stage::Drain);
    }
}

/// The course of one measurement.
struct Course<'a> {
    server: &'a Server,
    conductor: &'a Conductor<'a>,
    reports: mpsc::Receiver<News>,
    threads: usize,
    /// Of threads that have ended.
    tallies: Vec<Tally>,
}

impl Course<'_> {
    fn follow(&mut self, plan: &Plan) -> Result<Round, Error> {
        self.all_say_so()?;
        let before = self.sample()?;
        let started = Instant::now();
        self.conductor.enter(Stage::SetUp);
        self.all_say_so()?;
        let set_up = started.elapsed();
        let made = self.sample()?;
        if plan.subject == Subject::SetUp {
            return Ok(set_up_round(plan, set_up, &before, &made));
        }
        self.conductor.enter(Stage::WarmUp);
        self.pass(plan.warm_up_seconds)?;
        if self.conductor.is_over() {
            return Err(self.failure().unwrap_or(Error::Cancelled));
        }
        let (server_before, own_before) = (self.sample()?, own_sample());
        let started = Instant::now();
        self.conductor.enter(Stage::Measure);
        self.pass(plan.seconds)?;
        let (server_after, own_after) = (self.sample()?, own_sample());
        let seconds = started.elapsed().as_secs_f64();
        self.conductor.enter(Stage::Drain);
        let spent = |before: &Option<Sample>, after: &Option<Sample>| {
            let (before, after) = (before.as_ref()?, after.as_ref()?);
            Some(after.since(before))
        };
        let of_server = spent(&server_before, &server_after);
        if plan.subject == Subject::Idle {
            return Ok(idle_round(
                plan,
                before.as_ref(),
                server_after.as_ref(),
                of_server,
            ));
        }
        let tally = self.tallies()?;
        let seen = Seen {
            seconds,
            of_server,
            resident: server_after.map(|sample| sample.resident),
            of_generator: spent(&own_before, &own_after),
        };
        Ok(load_round(plan, tally, &seen))
    }

    /// Waits until each thread has done what the present stage asks.
    fn all_say_so(&mut self) -> Result<(), Error> {
        for _ in 0..self.threads {
            match self.reports.recv() {
                Ok(News::Done) => {}
                Ok(News::Ended(Err(error))) => return Err(error),
                Ok(News::Ended(Ok(_))) | Err(_) => return Err(Error::Cancelled),
            }
        }
        Ok(())
    }

    /// Lets time pass, unless a thread fails or it is over for another reason.
    fn pass(&mut self, seconds: f64) -> Result<(), Error> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end && !self.conductor.is_over() {
            let left = end.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(GLANCE.min(left)) {
                Ok(News::Ended(Ok(tally))) => self.tallies.push(*tally),
                Ok(News::Ended(Err(Error::Cancelled))) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(News::Ended(Err(error))) => return Err(error),
                Ok(News::Done) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Ok(())
    }

    fn failure(&mut self) -> Option<Error> {
        self.conductor.enter(Stage::Drain);
        self.reports.iter().find_map(|news| match news {
            News::Ended(Err(error)) => Some(error),
            News::Ended(Ok(_)) | News::Done => None,
        })
    }

    fn tallies(&mut self) -> Result<Tally, Error> {
        while self.tallies.len() < self.threads {
            match self.reports.recv() {
                Ok(News::Ended(Ok(tally))) => self.tallies.push(*tally),
                Ok(News::Ended(Err(error))) => return Err(error),
                Ok(News::Done) | Err(_) => return Err(Error::Cancelled),
            }
        }
        let mut sum = Tally::new();
        self.tallies.iter().for_each(|tally| sum.add(tally));
        Ok(sum)
    }

    fn sample(&self) -> Result<Option<Sample>, Error> {
        Ok(self.server.pid.map(process::sample).transpose()?)
    }
}

/// Where there is no `/proc`, the generator's own cost is not told.
fn own_sample() -> Option<Sample> {
    process::sample(std::process::id()).ok()
}

/// What was seen while a load was measured.
struct Seen {
    seconds: f64,
    of_server: Option<Spent>,
    resident: Option<u64>,
    of_generator: Option<Spent>,
}

fn load_round(plan: &Plan, tally: Tally, seen: &Seen) -> Round {
    let Subject::Load(load) = plan.subject else {
        unreachable!("only a load has a tally");
    };
    let delivered = tally.delivered as f64;
    let rate = delivered / seen.seconds;
    let mut figures = Figures::from([
        (Metric::DatagramsPerSecond, rate),
        (Metric::MegabitsPerSecond, rate * load.payload as f64 * 8.0 / 1e6),
        (Metric::Sent, tally.sent as f64),
        (Metric::Lost, tally.lost() as f64),
        (Metric::LostAtGenerator, tally.missed as f64),
        (Metric::Unsent, tally.unsent as f64),
        (Metric::Reordered, tally.overtaken as f64),
        (Metric::Duplicated, tally.duplicated as f64),
        (Metric::Damaged, tally.damaged as f64),
    ]);
    let quantiles = [
        (Metric::LatencyP50Us, 0.5),
        (Metric::LatencyP90Us, 0.9),
        (Metric::LatencyP99Us, 0.99),
        (Metric::LatencyP999Us, 0.999),
        (Metric::LatencyMaxUs, 1.0),
    ];
    if tally.delivered > 0 {
        figures
            .extend(quantiles.map(|(metric, at)| (metric, tally.latency.value_at_quantile(at) as f64 / 1e3)));
        if let Some(spent) = seen.of_server {
            figures.insert(Metric::ServerCpuNsPerDatagram, spent.cpu_ns as f64 / delivered);
        }
        if let Some(spent) = seen.of_generator {
            figures.insert(Metric::GeneratorCpuNsPerDatagram, spent.cpu_ns as f64 / delivered);
        }
    }
    if let Some(spent) = seen.of_server {
        let switches = spent.context_switches as f64 / spent.seconds;
        figures.insert(Metric::ServerContextSwitchesPerSecond, switches);
        figures.insert(Metric::ServerBusyPercent, spent.busiest_thread * 100.0);
    }
    if let Some(resident) = seen.resident {
        figures.insert(Metric::ServerResidentKilobytes, resident as f64 / 1024.0);
    }
    if let Some(spent) = seen.of_generator {
        figures.insert(Metric::GeneratorBusyPercent, spent.busiest_thread * 100.0);
    }
    let fell_short = match load.pace {
        Pace::Rate(asked) => (tally.sent as f64) < 0.98 * asked * (seen.seconds + plan.warm_up_seconds),
        Pace::Window(_) => false,
    };
    Round {
        figures,
        latency: Some(tally.latency),
        generator_was_limit: generator_was_limit(seen, load.pace, fell_short),
        fell_short,
    }
}

/// Whether the generator could not do more, or not what was asked of it, while the server had time left.
fn generator_was_limit(seen: &Seen, pace: Pace, fell_short: bool) -> bool {
    let is_busy = |spent: Option<Spent>| spent.map(|spent| spent.busiest_thread > 0.9);
    let could_do_no_more = match pace {
        // It never sleeps at a fixed rate, however little that is.
        Pace::Rate(_) => fell_short,
        Pace::Window(_) => is_busy(seen.of_generator) == Some(true),
    };
    could_do_no_more && is_busy(seen.of_server) == Some(false)
}

fn set_up_round(plan: &Plan, took: Duration, before: &Option<Sample>, after: &Option<Sample>) -> Round {
    let allocations = f64::from(plan.allocations);
    let rate = allocations / took.as_secs_f64();
    let mut figures = Figures::from([(Metric::SetUpsPerSecond, rate)]);
    if let (Some(before), Some(after)) = (before, after) {
        let cpu = after.since(before).cpu_ns as f64;
        figures.insert(Metric::SetUpCpuUs, cpu / 1e3 / allocations);
    }
    Round {
        figures,
        latency: None,
        generator_was_limit: false,
        fell_short: false,
    }
}

fn idle_round(plan: &Plan, before: Option<&Sample>, after: Option<&Sample>, idle: Option<Spent>) -> Round {
    let mut figures = Figures::new();
    if let (Some(before), Some(after)) = (before, after) {
        let grown = after.resident.saturating_sub(before.resident) as f64;
        figures.insert(
            Metric::IdleBytesPerAllocation,
            grown / f64::from(plan.allocations),
        );
    }
    if let Some(spent) = idle {
        figures.insert(Metric::IdleWakeupsPerSecond, spent.wakeups as f64 / spent.seconds);
    }
    Round {
        figures,
        latency: None,
        generator_was_limit: false,
        fell_short: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Account, Transport, plan::Load, plan::Traffic};

    fn spent(busiest_thread: f64) -> Option<Spent> {
        Some(Spent {
            seconds: 1.0,
            cpu_ns: 1,
            busiest_thread,
            wakeups: 0,
            context_switches: 0,
        })
    }

    #[test]
    fn the_generator_is_called_the_limit_only_beside_a_server_known_to_have_time_left() {
        let said = |pace, of_generator, of_server, fell_short| {
            let seen = Seen {
                seconds: 1.0,
                of_server,
                resident: None,
                of_generator,
            };
            generator_was_limit(&seen, pace, fell_short)
        };
        let (closed, fixed) = (Pace::Window(4), Pace::Rate(1000.0));
        assert!(said(closed, spent(0.95), spent(0.5), false));
        assert!(said(fixed, spent(0.95), spent(0.5), true));
        for (pace, of_generator, of_server, fell_short) in [
            (closed, spent(0.95), None, false),
            (fixed, spent(0.95), None, true),
            (fixed, spent(0.95), spent(0.95), true),
            (fixed, spent(0.95), spent(0.5), false),
            (closed, spent(0.95), spent(0.95), false),
            (closed, spent(0.5), spent(0.5), false),
        ] {
            assert!(
                !said(pace, of_generator, of_server, fell_short),
                "{pace:?} {of_generator:?} {of_server:?}"
            );
        }
    }

    /// Measures with threads that do this.
    fn with(work: Work) -> Result<Round, Error> {
        let server = Server {
            address: "127.0.0.1:9".parse().unwrap(),
            account: Account::User {
                username: String::new(),
                password: String::new(),
            },
            peer: [127, 0, 0, 1].into(),
            pid: None,
            tls: None,
        };
        let load = Load {
            traffic: Traffic::Channel,
            direction: crate::Direction::Both,
            payload: 100,
            burst: 1,
            runs: false,
            pace: Pace::Window(1),
        };
        let plan = Plan {
            subject: Subject::Load(load),
            transport: Transport::Udp,
            allocations: 4,
            // Long enough that nobody waits for it.
            seconds: 10_000.0,
            warm_up_seconds: 0.0,
            threads: 2,
        };
        conduct(&server, &plan, &Control::default(), work)
    }

    /// The second thread follows the stages to the end; the first is about to fail in the stage that is given.
    fn follow(part: &Part, conductor: &Conductor<'_>, news: &mpsc::Sender<News>, last: Stage) {
        for stage in [Stage::SetUp, Stage::WarmUp, Stage::Measure, Stage::Drain] {
            if stage <= Stage::WarmUp {
                let _ = news.send(News::Done);
            }
            while conductor.stage() < stage {
                thread::yield_now();
            }
            if part.index == 0 && stage == last {
                return;
            }
        }
    }

    #[test]
    fn a_thread_that_panics_ends_the_others_and_is_told() {
        let done = with(|_, _, part, conductor, news| {
            follow(part, conductor, news, Stage::SetUp);
            assert!(part.index > 0, "on purpose");
            Ok(Tally::new())
        });
        assert!(matches!(done, Err(Error::Panicked)));
    }

    #[test]
    fn a_thread_that_fails_while_it_is_measured_ends_the_measurement_at_once() {
        let done = with(|_, _, part, conductor, news| {
            follow(part, conductor, news, Stage::Measure);
            match part.index {
                0 => Err(Error::Io(std::io::Error::other("on purpose"))),
                _ => Ok(Tally::new()),
            }
        });
        assert!(matches!(done, Err(Error::Io(error)) if error.to_string() == "on purpose"));
    }
}
