//! Two clients in one room, from their connecting to their end.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc::UnboundedSender, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use crate::{
    Plan,
    client::Client,
    dialect::{Heard, Kind, Names},
    failed::Failed,
};

/// Real PeerJS clients beat each 5 s, and their servers take them for gone after 60 s or more.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// What all rooms do at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// They are entered, and then idle.
    Entering,
    /// One after the other exchanges signals, the first at this time.
    Exchanging(Instant),
    /// Connections are closed.
    Ending,
}

/// What a room tells of itself: `Entered` or `NotEntered`, and after `Entered` one `Exchanged`.
#[derive(Debug)]
pub(crate) enum Told {
    Entered,
    NotEntered(Failed),
    Exchanged(Exchange),
    /// The room broke while it had nothing to do any more.
    Broken(Failed),
}

/// What came of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Signals that were to be delivered.
    pub(crate) sent: u64,
    /// How long those that were took, in nanoseconds.
    pub(crate) latencies: Vec<u64>,
    pub(crate) failed: Option<Failed>,
}

/// What all rooms share.
pub(crate) struct Rooms {
    pub(crate) plan: Plan,
    /// Lets so many rooms be entered at a time.
    pub(crate) doors: Semaphore,
    /// Times are counted from here.
    pub(crate) epoch: Instant,
    /// Makes names of rooms and clients unlike those of any other run.
    pub(crate) run: String,
}

impl Rooms {
    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    fn at(&self, moment: Instant) -> u64 {
        u64::try_from(moment.duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The room with this number, to its end.
    pub(crate) async fn live(
        self: Arc<Self>,
        number: u32,
        mut stage: watch::Receiver<Stage>,
        told: UnboundedSender<Told>,
    ) {
        // Nobody listens any more where the run has ended.
        let tell = |what| drop(told.send(what));
        let mut ending = stage.clone();
        let entered = tokio::select! {
            entered = self.enter(number) => entered,
            _ = ending.wait_for(|stage| *stage == Stage::Ending) => return,
        };
        let mut pair = match entered {
            Ok(pair) => pair,
            Err(failed) => return tell(Told::NotEntered(failed)),
        };
        tell(Told::Entered);
        let begin = async {
            match stage.wait_for(|stage| *stage != Stage::Entering).await.as_deref() {
                Ok(Stage::Exchanging(first)) => Some(*first + self.plan.due(number)),
                Ok(Stage::Entering | Stage::Ending) | Err(_) => None,
            }
        };
        let exchange = match pair.idle(begin).await {
            Ok(Some(due)) => pair.exchange(&self, due, &mut ending).await,
            Ok(None) => Exchange::default(),
            Err(failed) => Exchange {
                failed: Some(failed),
                ..Exchange::default()
            },
        };
        let is_whole = exchange.failed.is_none();
        tell(Told::Exchanged(exchange));
        let end = ending.wait_for(|stage| *stage == Stage::Ending);
        if is_whole && let Err(failed) = pair.idle(async { drop(end.await) }).await {
            return tell(Told::Broken(failed));
        }
        pair.close().await;
    }

    async fn enter(&self, number: u32) -> Result<Pair, Failed> {
        let _place = self.doors.acquire().await;
        let names = |which: &str| Names {
            room: format!("bench-{}-{number}", self.run),
            own: format!("bench-{}-{number}-{which}", self.run),
        };
        let first = Client::enter(&self.plan, number * 2, names("a")).await?;
        let second = Client::enter(&self.plan, number * 2 + 1, names("b")).await?;
        let mut beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Pair { first, second, beat })
    }
}

struct Pair {
    first: Client,
    second: Client,
    beat: Interval,
}

impl Pair {
    /// Answers pings until something happens.
    async fn idle<T>(&mut self, until: impl Future<Output = T>) -> Result<T, Failed> {
        let mut until = pin!(until);
        loop {
            tokio::select! {
                done = &mut until => return Ok(done),
                heard = self.first.hear() => drop(heard?),
                heard = self.second.hear() => drop(heard?),
                _ = self.beat.tick() => {
                    self.first.beat().await?;
                    self.second.beat().await?;
                }
            }
        }
    }

    /// At `due`, the first offers, the second answers, and both send candidates.
    async fn exchange(
        &mut self,
        rooms: &Rooms,
        due: Instant,
        ending: &mut watch::Receiver<Stage>,
    ) -> Exchange {
        let mut exchange = Exchange::default();
        let talk = async {
            self.idle(sleep_until(due)).await?;
            let talk = self.talk(rooms, due, &mut exchange);
            timeout(rooms.plan.patience, talk)
                .await
                .unwrap_or(Err(Failed::NOT_DELIVERED))
        };
        let talked = tokio::select! {
            talked = talk => talked,
            _ = ending.wait_for(|stage| *stage == Stage::Ending) => Ok(()),
        };
        exchange.failed = talked.err();
        exchange
    }

    async fn talk(&mut self, rooms: &Rooms, due: Instant, exchange: &mut Exchange) -> Result<(), Failed> {
        let Self { first, second, .. } = self;
        let each = 1 + u64::from(rooms.plan.candidates);
        exchange.sent = each * 2;
        // From when it was due, so that a generator that is late does not make a server look fast.
        first.signal(&second.id, Kind::Offer, rooms.at(due)).await?;
        send_candidates(first, &second.id, rooms).await?;
        let mut left = [each; 2];
        while left != [0, 0] {
            let (heard, by_second) = tokio::select! {
                heard = first.hear() => (heard?, false),
                heard = second.hear() => (heard?, true),
            };
            let Heard::Signal { kind, at } = heard else {
                continue;
            };
            exchange.latencies.push(rooms.now().saturating_sub(at));
            let left = &mut left[usize::from(by_second)];
            *left = left.saturating_sub(1);
            if by_second && kind == Kind::Offer {
                second.signal(&first.id, Kind::Answer, rooms.now()).await?;
                send_candidates(second, &first.id, rooms).await?;
            }
        }
        Ok(())
    }

    async fn close(self) {
        let both = async { tokio::join!(self.first.close(), self.second.close()) };
        let _ = timeout(FAREWELL, both).await;
    }
}

async fn send_candidates(client: &mut Client, to: &str, rooms: &Rooms) -> Result<(), Failed> {
    for _ in 0..rooms.plan.candidates {
        client.signal(to, Kind::Candidate, rooms.now()).await?;
    }
    Ok(())
}
