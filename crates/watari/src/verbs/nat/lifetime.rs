//! How long does the NAT keep a binding that is not used? (RFC 5780 §4.6)

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Setting,
    binding::Question,
    probe::{Probe, Unanswered},
    progress::Progress,
    report::{Finding, Lifetime, Unknown},
};

/// Idle times to try, in seconds; RFC 4787 REQ-5 wants two minutes and recommends five.
const STEPS: [u64; 14] = [5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 600, 1200];

/// Lets one binding for each step lie idle from now on, and asks for each in turn whether an answer still gets in.
pub(super) async fn test(setting: &Setting, limit: Duration, progress: &Progress) -> Finding<Lifetime> {
    match live(setting, limit, progress).await {
        Ok(lifetime) => Finding::Found(lifetime),
        Err(unknown) => Finding::Unknown(unknown),
    }
}

async fn live(setting: &Setting, limit: Duration, progress: &Progress) -> Result<Lifetime, Unknown> {
    let asker = Probe::open(setting.local, setting.patience).await?;
    let mapped = asker.ask(Question::plain(setting.server)).await?.mapped;
    if mapped == asker.local()? {
        return Err(Unknown::NoNat);
    }
    let control = Idle::open(setting).await?;
    if !control.is_alive(setting, &asker).await? {
        return Err(Unknown::ResponsePortUnanswered);
    }
    let mut idle = Vec::new();
    for seconds in steps(limit) {
        idle.push((seconds, Idle::open(setting).await?));
    }
    let mut alive_after = 0;
    for (seconds, binding) in idle {
        progress.say(&format!("waiting until a binding has been idle for {seconds} s"));
        asker
            .rest_until(binding.since + Duration::from_secs(seconds))
            .await;
        if !binding.is_alive(setting, &asker).await? {
            return Ok(Lifetime {
                alive_after,
                gone_after: Some(seconds),
            });
        }
        alive_after = seconds;
    }
    Ok(Lifetime {
        alive_after,
        gone_after: None,
    })
}

/// The steps below the limit, and the limit.
fn steps(limit: Duration) -> Vec<u64> {
    let limit = limit.as_secs();
    let mut steps: Vec<_> = STEPS.into_iter().take_while(|step| *step < limit).collect();
    steps.push(limit);
    steps
}

/// A binding that nothing has gone through since it was made.
struct Idle {
    probe: Probe,
    /// The port that the NAT gave it.
    port: u16,
    since: Instant,
}

impl Idle {
    async fn open(setting: &Setting) -> Result<Self, Unknown> {
        let probe = Probe::open(setting.local, setting.patience).await?;
        let port = probe.ask(Question::plain(setting.server)).await?.mapped.port();
        Ok(Self {
            probe,
            port,
            since: Instant::now(),
        })
    }

    /// Asks from another socket for an answer to this one.
    async fn is_alive(&self, setting: &Setting, asker: &Probe) -> Result<bool, Unknown> {
        let question = Question {
            response_port: Some(self.port),
            ..Question::plain(setting.server)
        };
        match asker.ask_and_listen_at(question, &self.probe).await {
            Ok(_) => Ok(true),
            Err(Unanswered::Silence) => Ok(false),
            Err(failed) => Err(failed.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_last_idle_time_that_is_tried() {
        assert_eq!(steps(Duration::from_secs(15)), [5, 10, 15]);
        assert_eq!(steps(Duration::from_secs(3)), [3]);
        assert_eq!(steps(Duration::from_secs(50)), [5, 10, 15, 20, 30, 45, 50]);
    }
}
