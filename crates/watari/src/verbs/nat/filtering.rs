//! Whom does the NAT, or a firewall, let in? (RFC 5780 §4.4)

use stun_wire::ChangeRequest;

use super::{
    Setting,
    binding::{Answer, Question},
    probe::{Probe, Unanswered},
    report::{Dependence, Finding, Unknown},
};

const OTHER_ADDRESS: ChangeRequest = ChangeRequest { ip: true, port: true };
const OTHER_PORT: ChangeRequest = ChangeRequest {
    ip: false,
    port: true,
};

/// Has the server answer from elsewhere, each time to a socket that has only ever asked the one address.
pub(super) async fn test(setting: &Setting) -> Finding<Dependence> {
    if setting.other.is_none() {
        return Finding::Unknown(Unknown::NoSecondAddress);
    }
    let (elsewhere, next_door) =
        tokio::join!(comes_in(setting, OTHER_ADDRESS), comes_in(setting, OTHER_PORT));
    match judge(elsewhere, next_door) {
        Ok(dependence) => Finding::Found(dependence),
        Err(unknown) => Finding::Unknown(unknown),
    }
}

/// Silence from an address that never answers tells nothing about the filter.
pub(super) fn believed(filtering: Finding<Dependence>, mapping: &Finding<Dependence>) -> Finding<Dependence> {
    let silent = Finding::Unknown(Unknown::SecondAddressSilent);
    if *mapping == silent && filtering != Finding::Found(Dependence::EndpointIndependent) {
        return silent;
    }
    filtering
}

/// Whether an answer comes in that is sent from where this change leads.
async fn comes_in(setting: &Setting, change: ChangeRequest) -> Result<bool, Unknown> {
    let probe = Probe::open(setting.local, setting.patience).await?;
    // The binding must be there, and what comes in later must not have made it.
    probe.ask(Question::plain(setting.server)).await?;
    let question = Question {
        change,
        ..Question::plain(setting.server)
    };
    match probe.ask(question).await {
        Ok(answer) if is_from(setting, change, &answer) => Ok(true),
        Ok(_) => Err(Unknown::ChangeIgnored),
        Err(Unanswered::Silence) => Ok(false),
        Err(Unanswered::Refused(code)) => Err(Unknown::ChangeRefused { code }),
        Err(failed) => Err(failed.into()),
    }
}

fn is_from(setting: &Setting, change: ChangeRequest, answer: &Answer) -> bool {
    let server = setting.server;
    answer.from.port() != server.port() && (answer.from.ip() != server.ip()) == change.ip
}

fn judge(elsewhere: Result<bool, Unknown>, next_door: Result<bool, Unknown>) -> Result<Dependence, Unknown> {
    Ok(match (elsewhere?, next_door?) {
        (true, _) => Dependence::EndpointIndependent,
        (false, true) => Dependence::AddressDependent,
        (false, false) => Dependence::AddressAndPortDependent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_an_address_that_never_answers_is_not_a_filter() {
        let silent = Finding::Unknown(Unknown::SecondAddressSilent);
        let strict = Finding::Found(Dependence::AddressAndPortDependent);
        let open = Finding::Found(Dependence::EndpointIndependent);
        assert_eq!(believed(strict.clone(), &silent), silent);
        assert_eq!(believed(open.clone(), &silent), open);
        assert_eq!(believed(strict.clone(), &open), strict);
    }

    #[test]
    fn what_comes_in_from_elsewhere_is_not_filtered() {
        let judged = |elsewhere, next_door| judge(Ok(elsewhere), Ok(next_door)).unwrap();
        assert_eq!(judged(true, true), Dependence::EndpointIndependent);
        assert_eq!(judged(false, true), Dependence::AddressDependent);
        assert_eq!(judged(false, false), Dependence::AddressAndPortDependent);
    }
}
