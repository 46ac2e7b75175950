//! What the servers lean on, and what they answer: Redis, metrics and health, the page.

use std::{io, time::Duration};

use redis::{ConnectionInfo, RedisError};
use tokio::{
    runtime,
    time::{error::Elapsed, timeout},
};

use super::{
    finding::Finding,
    ports::Place,
    subject::{Listener, Part},
};
use crate::verbs::health;

/// How long Redis may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// docs/signaling.md: what the scripts need.
const OLDEST_REDIS: (u32, u32) = (6, 2);

/// What the health page of a listener of ours answers; nothing where nobody listens.
pub(super) fn health(places: &[(Listener, Place)]) -> Vec<Finding> {
    let listens = |place: &Place| matches!(place, Place::Ours(_) | Place::Hidden);
    let metrics = places
        .iter()
        .filter(|(listener, place)| listener.part == Part::Metrics && listens(place));
    metrics.map(|(listener, _)| ready(listener)).collect()
}

fn ready(listener: &Listener) -> Finding {
    let address = health::reachable(listener.address);
    match health::ask(address, "/readyz") {
        Ok((true, _)) => Finding::fine(format!("http://{address}/readyz: ready")),
        Ok((false, body)) => Finding::problem(
            format!(
                "http://{address}/readyz: not ready: {}",
                body.split_whitespace().collect::<Vec<_>>().join(" ")
            ),
            "the log of the server says why; a server that drains ends soon",
        ),
        Err(error) => Finding::problem(
            format!("http://{address}/readyz: no answer: {error}"),
            "a firewall of this machine may drop it, or something else than a server of ours listens there",
        ),
    }
}

/// Whether the pages answer.
pub(super) fn pages(places: &[(Listener, Place)]) -> Vec<Finding> {
    let ours = places.iter().filter(|(_, place)| matches!(place, Place::Ours(_)));
    let pages = ours.filter(|(listener, _)| listener.part == Part::Page);
    let judge = |(listener, _): &(Listener, Place)| {
        let address = health::reachable(listener.address);
        match health::ask(address, "/") {
            Ok((true, _)) => Finding::fine(format!("http://{address}/: the page is there")),
            Ok((false, _)) => Finding::note(format!("http://{address}/: another answer than a page")),
            Err(error) => Finding::problem(
                format!("http://{address}/: no answer: {error}"),
                "a firewall of this machine may drop it; see the log of the server",
            ),
        }
    };
    pages.map(judge).collect()
}

/// Whether Redis is there and new enough.
pub(super) fn redis(url: &str) -> Finding {
    let asked = match patiently(PATIENCE, info(url)) {
        Ok(asked) => asked,
        Err(error) => return Finding::note(format!("Redis cannot be asked: {error}")),
    };
    let failed = |why: String| {
        Finding::problem(
            format!("Redis ({}) does not answer: {why}", place(url)),
            "start it, or correct signaling.cluster.redis; until then each node has rooms of its own",
        )
    };
    match asked {
        Ok(Ok(info)) => judge_redis(&place(url), &info),
        Ok(Err(error)) => judge_refusal(&place(url), &error).unwrap_or_else(|| failed(error.to_string())),
        Err(_) => failed("silence".to_owned()),
    }
}

/// Waits so long and no longer: a name that is being looked up has a thread, for which a runtime would wait at its end.
fn patiently<T>(patience: Duration, asked: impl Future<Output = T>) -> io::Result<Result<T, Elapsed>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { timeout(patience, asked).await });
    runtime.shutdown_background();
    Ok(answer)
}

/// What a Redis that is there does not let this user ask.
fn judge_refusal(place: &str, error: &RedisError) -> Option<Finding> {
    (error.code() == Some("NOPERM")).then(|| {
        Finding::note(format!(
            "Redis at {place} answers, and does not tell its version to the user of signaling.cluster.redis (NOPERM)"
        ))
        .or("`ACL SETUSER NAME +info` lets it")
    })
}

async fn info(url: &str) -> redis::RedisResult<String> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("INFO").query_async(&mut connection).await
}

fn judge_redis(place: &str, info: &str) -> Finding {
    let value = |key: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .map(str::trim)
    };
    // Valkey is newer than all that is wanted, and tells for a Redis what it can stand for.
    let version = value("redis_version").unwrap_or("of unknown version");
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    let is_old = numbers
        .next()
        .zip(numbers.next())
        .is_some_and(|version| version < OLDEST_REDIS);
    if is_old {
        let (major, minor) = OLDEST_REDIS;
        return Finding::problem(
            format!("Redis at {place} is {version}"),
            format!("rooms that are shared need Redis {major}.{minor} or newer, or Valkey"),
        );
    }
    match value("maxmemory_policy") {
        Some(policy) if policy != "noeviction" && value("maxmemory") != Some("0") => Finding::warning(
            format!("Redis at {place} ({version}) may throw rooms away: maxmemory-policy is {policy}"),
            "`redis-cli config set maxmemory-policy noeviction`",
        ),
        _ => Finding::fine(format!("Redis at {place} answers ({version})")),
    }
}

/// Where a URL leads, without name and password, wherever in it they stand.
fn place(url: &str) -> String {
    let read = url.parse::<ConnectionInfo>();
    read.map_or_else(
        |_| "signaling.cluster.redis".to_owned(),
        |url| url.addr().to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Grade, *};

    #[test]
    fn redis_has_to_be_new_enough_and_keep_what_it_is_told() {
        let grade = |info: &str| judge_redis("redis:6379", info).grade;
        assert_eq!(
            grade("redis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"),
            Grade::Fine
        );
        assert_eq!(grade("redis_version:6.0.16\r\n"), Grade::Problem);
        assert_eq!(
            grade("redis_version:7.2.4\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n"),
            Grade::Warning
        );
        assert_eq!(
            grade("redis_version:7.2.4\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n"),
            Grade::Fine
        );
    }

    #[test]
    fn what_does_not_end_is_not_waited_for() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let look_up = async { tokio::task::spawn_blocking(move || ended.recv()).await };
        assert!(patiently(Duration::from_millis(1), look_up).unwrap().is_err());
        drop(end);
    }

    #[test]
    fn a_redis_that_does_not_tell_its_version_is_there_all_the_same() {
        let refused = |text: &[u8]| {
            let error = redis::parse_redis_value(text)
                .unwrap()
                .extract_error()
                .unwrap_err();
            judge_refusal("redis:6379", &error).map(|finding| finding.grade)
        };
        assert_eq!(
            refused(b"-NOPERM this user has no permissions to run the 'info' command\r\n"),
            Some(Grade::Note)
        );
        assert_eq!(refused(b"-WRONGPASS invalid username-password pair\r\n"), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            place("redis://user:p%40ss@redis.example:6380/1"),
            "redis.example:6380"
        );
        assert_eq!(place("rediss://redis.example"), "redis.example:6379");
        for url in [
            "redis+unix:///run/redis?user=a&pass=p@ss",
            "unix:///run/redis?pass=p",
        ] {
            assert_eq!(place(url), "/run/redis");
        }
        assert_eq!(place("redis://a:p@:x"), "signaling.cluster.redis");
    }
}
