//! The stages of a measurement: clients enter, are idle, exchange signals, are idle, and leave.

use std::{io, sync::Arc};

use thiserror::Error;
use tokio::{
    runtime::Builder,
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, unbounded_channel},
        watch,
    },
    task::JoinSet,
    time::{Instant, sleep},
};
use turn_load::process::{self, Sample, Unreadable};

use crate::{
    Control, Found, Memory, Plan,
    room::{Rooms, Stage, Told},
    tally::Tally,
};

/// Why nothing could be measured.
#[derive(Debug, Error)]
pub enum Error {
    /// The process of the server cannot be read.
    #[error(transparent)]
    Process(#[from] Unreadable),
    /// The system would not give what the load takes.
    #[error("cannot make the load: {0}")]
    Io(#[from] io::Error),
    /// Randomness for names could not be had.
    #[error("cannot make names: {0}")]
    Random(#[from] getrandom::Error),
    /// Never with the precision that is asked for.
    #[error(transparent)]
    Histogram(#[from] hdrhistogram::CreationError),
}

/// Does the work of the plan, and tells what was found; on a run that is cancelled, what was found until then.
///
/// # Errors
/// If the server's process cannot be read. That it does not answer is no error but counted among the failures.
pub fn measure(plan: &Plan, control: &Control) -> Result<Found, Error> {
    let threads = plan.threads.max(1);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    runtime.block_on(async { Load::start(plan, control)?.run().await })
}

struct Load<'a> {
    plan: &'a Plan,
    control: &'a Control,
    stage: watch::Sender<Stage>,
    told: UnboundedReceiver<Told>,
    rooms: JoinSet<()>,
    began: Instant,
    before: Option<Sample>,
    tally: Tally,
}

impl<'a> Load<'a> {
    fn start(plan: &'a Plan, control: &'a Control) -> Result<Self, Error> {
        let before = sample(plan)?;
        let mut run = [0; 8];
        getrandom::fill(&mut run)?;
        let began = Instant::now();
        let shared = Arc::new(Rooms {
            plan: plan.clone(),
            doors: Semaphore::new(plan.at_once as usize),
            epoch: began,
            run: format!("{:016x}", u64::from_be_bytes(run)),
        });
        let (stage, _) = watch::channel(Stage::Entering);
        let (tell, told) = unbounded_channel();
        let mut load = Self {
            plan,
            control,
            stage,
            told,
            rooms: JoinSet::new(),
            began,
            before,
            tally: Tally::new()?,
        };
        load.rooms = (0..plan.rooms())
            .map(|number| Arc::clone(&shared).live(number, load.stage.subscribe(), tell.clone()))
            .collect();
        Ok(load)
    }

    async fn run(mut self) -> Result<Found, Error> {
        let rooms = u64::from(self.plan.rooms());
        self.until(|tally| tally.entered + tally.not_entered == rooms)
            .await;
        let entering = self.began.elapsed().as_secs_f64();
        let busy = sample(self.plan)?;
        self.settle().await;
        let idle = sample(self.plan)?;

        let first = Instant::now();
        self.stage.send_replace(Stage::Exchanging(first));
        self.until(|tally| tally.exchanged == tally.entered).await;
        let (delivered, spoken) = (self.tally.delivered(), sample(self.plan)?);
        self.settle().await;
        let after = sample(self.plan)?;
        let is_cancelled = self.control.is_cancelled();
        self.stage.send_replace(Stage::Ending);
        while self.rooms.join_next().await.is_some() {}

        let Self { before, tally, .. } = self;
        let found = tally.found();
        let joined = found.joined as f64;
        let grown = |sample: &Option<Sample>| {
            let (before, now) = (before.as_ref()?.anonymous, sample.as_ref()?.anonymous);
            (joined > 0.0).then(|| (now as f64 - before as f64) / joined)
        };
        // One that was ended while clients entered has no moment at which all were there.
        let joined_bytes = grown(&idle).filter(|_| !is_cancelled || delivered > 0);
        Ok(Found {
            joins_per_second: joined / entering,
            cpu_us_per_join: each(&before, &busy, found.joined),
            cpu_us_per_signal: each(&idle, &spoken, delivered),
            memory: joined_bytes.map(|joined| Memory {
                joined,
                exchanged: grown(&after).filter(|_| !is_cancelled),
            }),
            is_cancelled,
            ..found
        })
    }

    /// Listens to the rooms until they have got so far, or the run is cancelled.
    async fn until(&mut self, is_far_enough: impl Fn(&Tally) -> bool) {
        while !is_far_enough(&self.tally) {
            let told = tokio::select! {
                told = self.told.recv() => told,
                () = self.control.cancelled() => return,
            };
            // The last sender is a room, and each one tells how it ended.
            let Some(told) = told else { return };
            match &told {
                Told::Entered => self.control.entered(),
                Told::NotEntered(_) => {
                    self.control.entered();
                    self.control.exchanged();
                }
                Told::Exchanged(_) => self.control.exchanged(),
                Told::Broken(_) => {}
            }
            self.tally.take(told);
        }
    }

    async fn settle(&self) {
        tokio::select! {
            () = sleep(self.plan.settle) => {}
            () = self.control.cancelled() => {}
        }
    }
}

fn sample(plan: &Plan) -> Result<Option<Sample>, Error> {
    Ok(plan.pid.map(process::sample).transpose()?)
}

/// Microseconds of processor time for each of so many things.
fn each(before: &Option<Sample>, after: &Option<Sample>, count: u64) -> Option<f64> {
    let spent = after.as_ref()?.since(before.as_ref()?);
    (count > 0).then(|| spent.cpu_ns as f64 / 1e3 / count as f64)
}

#[cfg(test)]
mod tests;
