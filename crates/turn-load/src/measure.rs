//! One measurement: threads that make the load, and the samples taken around it.

use std::{
    sync::mpsc,
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
    /// The generator, not the server, was what could not do more.
    pub generator_was_limit: bool,
}

/// Measures a server once: allocations are made, loaded, and given back.
///
/// # Errors
/// If the allocations could not be made, or `control` was cancelled before anything was measured.
pub fn measure(server: &Server, plan: &Plan, control: &Control) -> Result<Round, Error> {
    let conductor = Conductor::new(control);
    thread::scope(|scope| {
        let (news, reports) = mpsc::channel();
        let parts = Part::of(plan);
        let threads = parts.len();
        for part in parts {
            let (news, conductor) = (news.clone(), &conductor);
            thread::Builder::new()
                .name(format!("load {}", part.index))
                .spawn_scoped(scope, move || {
                    let end = worker::run(server, plan, &part, conductor, &news);
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
        };
        let done = course.follow(plan);
        conductor.enter(Stage::Drain);
        done
    })
}

/// The course of one measurement.
struct Course<'a> {
    server: &'a Server,
    conductor: &'a Conductor<'a>,
    reports: mpsc::Receiver<News>,
    threads: usize,
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
        self.pass(plan.warm_up_seconds);
        if self.conductor.is_over() {
            return Err(self.failure().unwrap_or(Error::Cancelled));
        }
        let (server_before, own_before) = (self.sample()?, own_sample());
        let started = Instant::now();
        self.conductor.enter(Stage::Measure);
        self.pass(plan.seconds);
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
    fn pass(&mut self, seconds: f64) {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end && !self.conductor.is_over() {
            thread::sleep(GLANCE.min(end.saturating_duration_since(Instant::now())));
        }
    }

    fn failure(&mut self) -> Option<Error> {
        self.conductor.enter(Stage::Drain);
        self.reports.iter().find_map(|news| match news {
            News::Ended(Err(error)) => Some(error),
            News::Ended(Ok(_)) | News::Done => None,
        })
    }

    fn tallies(&mut self) -> Result<Tally, Error> {
        let mut sum = Tally::new();
        for _ in 0..self.threads {
            match self.reports.recv() {
                Ok(News::Ended(Ok(tally))) => sum.add(&tally),
                Ok(News::Ended(Err(error))) => return Err(error),
                Ok(News::Done) | Err(_) => return Err(Error::Cancelled),
            }
        }
        Ok(sum)
    }

    fn sample(&self) -> Result<Option<Sample>, Error> {
        let Some(pid) = self.server.pid else {
            return Ok(None);
        };
        match process::sample(pid) {
            Ok(sample) => Ok(Some(sample)),
            Err(error) => Err(Error::Process { pid, error }),
        }
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
    let generator_was_limit = match load.pace {
        Pace::Rate(asked) => (tally.sent as f64) < 0.98 * asked * (seen.seconds + plan.warm_up_seconds),
        Pace::Window(_) => {
            let busy = |spent: Option<Spent>| spent.map(|spent| spent.busiest_thread > 0.9);
            busy(seen.of_generator) == Some(true) && busy(seen.of_server) == Some(false)
        }
    };
    Round {
        figures,
        latency: Some(tally.latency),
        generator_was_limit,
    }
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
    }
}
