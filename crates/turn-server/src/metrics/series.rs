//! How metrics and their series are put down.

use prometheus::proto::MetricType;

use super::{MetricDef, Source};
use crate::figures::Figure;

/// Values of the labels, and where the number comes from.
pub(super) type Series = (Vec<&'static str>, Source);

pub(super) fn def(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    kind: MetricType,
    series: Vec<Series>,
) -> MetricDef {
    MetricDef {
        name,
        help,
        labels,
        kind,
        series,
    }
}

/// The series of a metric without labels.
pub(super) fn one(figure: Figure) -> Vec<Series> {
    vec![(vec![], Source::Sum(figure))]
}

/// A series for each of several things.
pub(super) fn each<T: Copy>(all: &[T], series: impl Fn(T) -> (Vec<&'static str>, Figure)) -> Vec<Series> {
    all.iter()
        .map(|&one| {
            let (labels, figure) = series(one);
            (labels, Source::Sum(figure))
        })
        .collect()
}
