//! Do two sockets behind the NAT reach each other by their public addresses? (RFC 5780 §4.5)

use super::{
    Setting,
    binding::Question,
    probe::{Probe, Unanswered},
    report::{Finding, Unknown},
};

/// Lets two sockets send to each other's public address, both ways at once as ICE does, so that each has opened its
/// filter for the other.
pub(super) async fn test(setting: &Setting) -> Finding<bool> {
    match comes_back(setting).await {
        Ok(works) => Finding::Found(works),
        Err(unknown) => Finding::Unknown(unknown),
    }
}

async fn comes_back(setting: &Setting) -> Result<bool, Unknown> {
    let one = Probe::open(setting.local, setting.patience).await?;
    let other = Probe::open(setting.local, setting.patience).await?;
    let one_mapped = one.ask(Question::plain(setting.server)).await?.mapped;
    let other_mapped = other.ask(Question::plain(setting.server)).await?.mapped;
    if one_mapped == one.local()? {
        return Err(Unknown::NoNat);
    }
    let (mut there, mut back) = (
        std::pin::pin!(one.sends_to(other_mapped, &other)),
        std::pin::pin!(other.sends_to(one_mapped, &one)),
    );
    // One way through is enough: ICE answers on the path that a check came by.
    let works = tokio::select! {
        done = &mut there => works(&done) || works(&back.await),
        done = &mut back => works(&done) || works(&there.await),
    };
    Ok(works)
}

/// A network that refuses to carry the datagram does not hairpin either.
fn works(done: &Result<bool, Unanswered>) -> bool {
    matches!(done, Ok(true))
}
