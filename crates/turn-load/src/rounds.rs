//! Rounds of two servers in turns, and what they say together.

use serde::{Deserialize, Serialize};

use crate::metric::{Figures, Metric};

/// A figure over several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the rounds are below.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

/// Which server comes when in a round: A B, then B A, so that what drifts meets both alike.
pub fn order(round: usize, servers: usize) -> Vec<usize> {
    let in_turn = 0..servers;
    if round.is_multiple_of(2) {
        in_turn.collect()
    } else {
        in_turn.rev().collect()
    }
}

/// Each figure that a server has in any of its rounds.
pub fn summary(rounds: &[Figures]) -> Figures<Spread> {
    let mut metrics: Vec<Metric> = rounds.iter().flat_map(|round| round.keys().copied()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    let spread_of = |metric| {
        let values = rounds.iter().filter_map(|round| round.get(&metric).copied());
        Some((metric, spread(values.collect())?))
    };
    metrics.into_iter().filter_map(spread_of).collect()
}

/// The figures of the first server as multiples of the second's, round by round.
pub fn ratios(first: &[Figures], second: &[Figures]) -> Figures<Spread> {
    let by_round = first.iter().zip(second).map(|(first, second)| {
        let ratio = |(&metric, &value): (&Metric, &f64)| {
            let other = *second.get(&metric)?;
            (metric.compares() && other != 0.0).then_some((metric, value / other))
        };
        first.iter().filter_map(ratio).collect::<Figures>()
    });
    summary(&by_round.collect::<Vec<_>>())
}

/// The spread of values; `None` of none.
pub fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let (&min, &max) = (values.first()?, values.last()?);
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    };
    Some(Spread { median, min, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Metric = Metric::ServerCpuNsPerDatagram;

    fn rounds(metric: Metric, values: &[f64]) -> Vec<Figures> {
        values
            .iter()
            .map(|&value| Figures::from([(metric, value)]))
            .collect()
    }

    #[test]
    fn rounds_take_turns_in_who_is_first() {
        let orders: Vec<_> = (0..4).map(|round| order(round, 2)).collect();
        assert_eq!(orders, [[0, 1], [1, 0], [0, 1], [1, 0]]);
        assert_eq!(order(1, 1), [0]);
    }

    #[test]
    fn a_median_lies_between_the_middle_two() {
        let spread_of = |values: &[f64]| spread(values.to_vec()).map(|s| (s.min, s.median, s.max));
        assert_eq!(spread_of(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(spread_of(&[4.0, 1.0, 2.0, 10.0]), Some((1.0, 3.0, 10.0)));
        assert_eq!(spread_of(&[]), None);
    }

    #[test]
    fn ratios_are_those_of_the_same_round() {
        let ratio = ratios(&rounds(CPU, &[2.0, 6.0, 4.0]), &rounds(CPU, &[4.0, 8.0, 4.0]));
        let expected = Spread {
            median: 0.75,
            min: 0.5,
            max: 1.0,
        };
        assert_eq!(ratio, Figures::from([(CPU, expected)]));
    }

    #[test]
    fn there_is_no_ratio_to_nothing_nor_of_counts_of_trouble() {
        for (metric, value) in [(CPU, 0.0), (Metric::Lost, 2.0)] {
            assert!(ratios(&rounds(metric, &[1.0]), &rounds(metric, &[value])).is_empty());
        }
        assert!(ratios(&rounds(CPU, &[1.0]), &[Figures::new()]).is_empty());
    }
}
