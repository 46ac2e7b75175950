//! Metrics of what clients ask and are answered.

use prometheus::proto::MetricType::COUNTER;
use turn_core::{AuthFailure, CountedMethod, ERROR_CODES, Transport};

use super::{
    MetricDef, Source,
    series::{Series, def, each},
};
use crate::figures::Figure;

pub(super) fn families() -> Vec<MetricDef> {
    let methods = || CountedMethod::ALL.iter().copied();
    let transports = || Transport::ALL.into_iter();
    vec![
        def(
            "turn_requests_total",
            "Requests and indications, by method.",
            &["method", "transport"],
            COUNTER,
            transports()
                .flat_map(|transport| {
                    methods().map(move |method| {
                        (
                            vec![method.name(), transport.name()],
                            Source::Sum(Figure::Requests(method, transport)),
                        )
                    })
                })
                .collect(),
        ),
        def(
            "turn_errors_total",
            "Error responses, by method and code.",
            &["method", "code"],
            COUNTER,
            methods().flat_map(errors).collect(),
        ),
        def(
            "turn_auth_failures_total",
            "Requests that did not authenticate; missing is the ordinary first one.",
            &["reason"],
            COUNTER,
            each(AuthFailure::ALL, |failure| {
                (vec![failure.name()], Figure::AuthFailures(failure))
            }),
        ),
    ]
}

fn errors(method: CountedMethod) -> impl Iterator<Item = Series> {
    let series = move |code| {
        (
            vec![method.name(), code_name(code)],
            Source::Sum(Figure::Errors(method, code)),
        )
    };
    ERROR_CODES.into_iter().map(series)
}

fn code_name(code: u16) -> &'static str {
    match code {
        300 => "300",
        400 => "400",
        401 => "401",
        403 => "403",
        405 => "405",
        420 => "420",
        437 => "437",
        438 => "438",
        440 => "440",
        441 => "441",
        442 => "442",
        443 => "443",
        446 => "446",
        447 => "447",
        486 => "486",
        508 => "508",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_code_has_a_label_of_its_own() {
        assert!(
            ERROR_CODES
                .iter()
                .all(|&code| code_name(code) == code.to_string())
        );
    }
}
