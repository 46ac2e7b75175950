//! Settings that are read again on SIGHUP, all or nothing.

use std::{
    fmt,
    future::pending,
    pin::pin,
    time::{SystemTime, UNIX_EPOCH},
};

use lifecycle::{Hangups, Shutdown, on_hangups};
use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};
use serde::de::DeserializeOwned;
use settings::{Changes, Check, Keys, Loaded, Source};
use telemetry::{LogConfig, Logging};
use tracing::{error, info, warn};

/// Settings of which some can change while the program runs.
pub trait Changeable: DeserializeOwned + Check + PartialEq {
    /// The dotted keys of those, as they stand in the file; one of a table stands for everything in it. **What is not
    /// here is told to take effect at the next start.** [`LOG_FILTER`] is everybody's.
    fn while_running() -> Vec<&'static str>;

    /// Says how to log.
    fn log(&self) -> &LogConfig;
}

/// The key that [`Reloads`] applies itself.
pub const LOG_FILTER: &str = "log.filter";

/// Why new settings were not taken, a line for each mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(Vec<String>);

impl Refused {
    /// Names one mistake or several.
    pub fn new<M: fmt::Display>(mistakes: impl IntoIterator<Item = M>) -> Self {
        Self(mistakes.into_iter().map(|mistake| mistake.to_string()).collect())
    }
}

/// Reads settings again when that is wished for.
pub struct Reloads {
    source: Source,
    logging: Logging,
    hangups: Hangups,
    /// What was set at the start, and so counts for all that cannot change.
    started: Keys,
    /// What counts for the rest.
    applied: Keys,
    figures: Option<Figures>,
}

impl Reloads {
    /// Listens for the wish. `source` is where the settings are from, and `keys` is what was set there.
    ///
    /// # Errors
    /// When the system refuses the signal handler.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn listen(
        source: Source,
        keys: Keys,
        logging: Logging,
        shutdown: &Shutdown,
    ) -> std::io::Result<Self> {
        Ok(Self {
            source,
            logging,
            hangups: on_hangups(shutdown)?,
            started: keys.clone(),
            applied: keys,
            figures: None,
        })
    }

    /// Shows how it goes in `registry`, under names that begin with `prefix`.
    ///
    /// # Errors
    /// When the names are taken.
    pub fn register(&mut self, prefix: &str, registry: &Registry) -> prometheus::Result<()> {
        self.figures = Some(Figures::register(prefix, registry)?);
        Ok(())
    }

    /// Does the `work` of the process and meanwhile reads settings again whenever that is wished for. What has no mistakes
    /// is given to `apply` as far as it can change, which either takes all of it or, when it refuses, has changed nothing.
    pub async fn beside<S: Changeable, R>(
        mut self,
        work: impl Future<Output = R>,
        mut apply: impl AsyncFnMut(&S) -> Result<(), Refused>,
    ) -> R {
        let reloading = async move {
            loop {
                self.hangups.next().await;
                telemetry::tell_reloading();
                let done = self.reload(&mut apply).await;
                telemetry::tell_reloaded(self.note(done));
            }
        };
        tokio::select! {
            done = work => done,
            () = pin!(reloading) => pending().await,
        }
    }

    async fn reload<S: Changeable>(
        &mut self,
        apply: &mut impl AsyncFnMut(&S) -> Result<(), Refused>,
    ) -> Result<Changes, Refused> {
        let loaded: Loaded<S> =
            settings::load_with_keys(&self.source).map_err(|mistakes| Refused::new(&mistakes))?;
        let mut asked = S::while_running();
        asked.push(LOG_FILTER);
        let taken = loaded.taking(&self.started, &asked);
        let taken = taken.map_err(|mistakes| Refused::new(&mistakes))?;
        apply(&taken).await?;
        self.logging.set_filter(&taken.log().filter);
        let changes = Changes {
            among: loaded.changes_since(&self.applied, &asked).among,
            others: loaded.changes_since(&self.started, &asked).others,
        };
        self.applied = loaded.keys;
        Ok(changes)
    }

    /// Counts and logs what came of it; says in words how the program is.
    fn note(&self, done: Result<Changes, Refused>) -> &'static str {
        if let Some(figures) = &self.figures {
            figures.count(done.is_ok());
        }
        match done {
            Ok(Changes { among, others }) => {
                match among[..] {
                    [] => info!("settings read again, and the files that they name"),
                    _ => info!(
                        "settings read again, and the files that they name; changed: {}",
                        among.join(", ")
                    ),
                }
                if !others.is_empty() {
                    warn!("takes effect at the next start: {}", others.join(", "));
                }
                "serving"
            }
            Err(Refused(mistakes)) => {
                for mistake in mistakes {
                    // Behind the first line only the line of the file is shown.
                    let what = mistake.lines().next().unwrap_or_default();
                    error!("the settings stay as they are: {what}");
                }
                "serving; the last reload failed, as the log says"
            }
        }
    }
}

/// What the metrics page tells.
struct Figures {
    reloads: IntCounterVec,
    succeeded: IntGauge,
    succeeded_at: Gauge,
}

impl Figures {
    fn register(prefix: &str, registry: &Registry) -> prometheus::Result<Self> {
        let figures = Self {
            reloads: IntCounterVec::new(
                Opts::new(
                    format!("{prefix}_reloads_total"),
                    "How often settings were read again, by how it went.",
                ),
                &["result"],
            )?,
            succeeded: IntGauge::new(
                format!("{prefix}_last_reload_successful"),
                "0 while settings that were refused stand in the file.",
            )?,
            succeeded_at: Gauge::new(
                format!("{prefix}_last_reload_success_timestamp_seconds"),
                "When settings were last taken, the start included.",
            )?,
        };
        for result in ["success", "failure"] {
            figures.reloads.with_label_values(&[result]);
        }
        figures.succeeded.set(1);
        figures.succeeded_at.set(now());
        registry.register(Box::new(figures.reloads.clone()))?;
        registry.register(Box::new(figures.succeeded.clone()))?;
        registry.register(Box::new(figures.succeeded_at.clone()))?;
        Ok(figures)
    }

    fn count(&self, succeeded: bool) {
        let result = if succeeded { "success" } else { "failure" };
        self.reloads.with_label_values(&[result]).inc();
        self.succeeded.set(succeeded.into());
        if succeeded {
            self.succeeded_at.set(now());
        }
    }
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}
