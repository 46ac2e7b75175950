//! Does the NAT give this machine the same address towards everybody? (RFC 5780 §4.3)

use std::net::SocketAddr;

use super::{
    Setting,
    binding::Question,
    probe::{Probe, Unanswered},
    report::{Dependence, Finding, Unknown},
};

/// Asks two addresses, and two ports of the second, from one socket.
pub(super) async fn test(setting: &Setting) -> Finding<Dependence> {
    let Some(other) = setting.other else {
        return Finding::Unknown(Unknown::NoSecondAddress);
    };
    match mapped(setting, other).await {
        Ok(mapped) => Finding::Found(judge(mapped)),
        Err(unknown) => Finding::Unknown(unknown),
    }
}

/// Our address as seen at the server's address, at its other address on the same port, and on the other port.
async fn mapped(setting: &Setting, other: SocketAddr) -> Result<[SocketAddr; 3], Unknown> {
    let probe = Probe::open(setting.local, setting.patience).await?;
    let first = probe.ask(Question::plain(setting.server)).await?;
    let same_port = SocketAddr::new(other.ip(), setting.server.port());
    let second = probe.ask(Question::plain(same_port)).await.map_err(at_other)?;
    let third = probe.ask(Question::plain(other)).await.map_err(at_other)?;
    Ok([first.mapped, second.mapped, third.mapped])
}

fn at_other(unanswered: Unanswered) -> Unknown {
    match unanswered {
        Unanswered::Silence => Unknown::SecondAddressSilent,
        Unanswered::Refused(_) | Unanswered::Network(_) => unanswered.into(),
    }
}

fn judge([first, second, third]: [SocketAddr; 3]) -> Dependence {
    if second != third {
        Dependence::AddressAndPortDependent
    } else if first != second {
        Dependence::AddressDependent
    } else {
        Dependence::EndpointIndependent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_with_the_destination_is_what_the_mapping_depends_on() {
        let judged = |ports: [u16; 3]| judge(ports.map(|port| SocketAddr::from(([203, 0, 113, 9], port))));
        assert_eq!(judged([1, 1, 1]), Dependence::EndpointIndependent);
        assert_eq!(judged([1, 2, 2]), Dependence::AddressDependent);
        assert_eq!(judged([1, 2, 3]), Dependence::AddressAndPortDependent);
        // By chance the same port once more.
        assert_eq!(judged([1, 1, 2]), Dependence::AddressAndPortDependent);
        assert_eq!(judged([1, 2, 1]), Dependence::AddressAndPortDependent);
    }
}
