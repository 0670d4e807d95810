//! Drawdowns: how far the equity fell below its highest value so far, the initial
//! cash included, and for how long.

use serde::{Deserialize, Serialize};

use super::{Metric, Series};

/// One fall from a peak to the next time the equity is as high again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// Lowest equity over the peak's, minus one; below zero, below −1 when more than
    /// everything was lost.
    pub depth: f64,
    /// Close at the peak, milliseconds since 1970 UTC.
    pub peak_ms: i64,
    /// Close at the lowest equity, milliseconds since 1970 UTC.
    pub trough_ms: i64,
    /// First close at or above the peak; `None` when the range ends before.
    pub recovered_ms: Option<i64>,
    /// From the peak to the recovery, or to the last close, in milliseconds.
    pub duration_ms: i64,
}

/// The `count` deepest drawdowns of `equity` at the closes `time_ms`, deepest first;
/// of equal ones the earlier first.
#[must_use]
pub fn worst_drawdowns(equity: &[f64], time_ms: &[i64], count: usize) -> Vec<Drawdown> {
    let mut worst = Worst { list: Vec::new(), count };
    let Some(&first) = equity.first() else { return worst.list };
    let (mut peak, mut peak_at) = (first, 0);
    let (mut low, mut low_at) = (first, 0);
    for (at, &value) in equity.iter().enumerate() {
        if value >= peak {
            if low < peak {
                worst.add(low / peak - 1.0, [time_ms[peak_at], time_ms[low_at], time_ms[at]], true);
            }
            (peak, peak_at, low, low_at) = (value, at, value, at);
        } else if value < low {
            (low, low_at) = (value, at);
        }
    }
    if low < peak {
        worst.add(low / peak - 1.0, [time_ms[peak_at], time_ms[low_at], time_ms[equity.len() - 1]], false);
    }
    worst.list
}

struct Worst {
    list: Vec<Drawdown>,
    count: usize,
}

impl Worst {
    fn add(&mut self, depth: f64, [peak_ms, trough_ms, until_ms]: [i64; 3], recovered: bool) {
        if self.list.len() == self.count && self.list.last().is_none_or(|least| least.depth <= depth) {
            return;
        }
        let drawdown = Drawdown {
            depth,
            peak_ms,
            trough_ms,
            recovered_ms: recovered.then_some(until_ms),
            duration_ms: until_ms - peak_ms,
        };
        let at = self.list.partition_point(|other| other.depth <= depth);
        self.list.insert(at, drawdown);
        self.list.truncate(self.count);
    }
}

/// The deepest drawdown, zero or below; zero when the equity never fell.
pub(super) fn metric(series: &Series<'_>) -> Metric {
    Ok(series.worst_drawdowns.first().map_or(0.0, |worst| worst.depth))
}

/// How long the deepest drawdown lasted, in days.
pub(super) fn duration_metric(series: &Series<'_>) -> Metric {
    let day_ms = assay_types::time::DAY_MS as f64;
    Ok(series.worst_drawdowns.first().map_or(0.0, |worst| worst.duration_ms as f64 / day_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_initial_capital_counts_as_a_peak() {
        let equity = [100.0, 90.0, 91.8, 92.718];
        let worst = worst_drawdowns(&equity, &[1, 2, 3, 4], 5);
        assert_eq!(worst.len(), 1);
        assert!((worst[0].depth + 0.1).abs() < 1e-15);
        assert_eq!((worst[0].peak_ms, worst[0].trough_ms, worst[0].recovered_ms), (1, 2, None));
        assert_eq!(worst[0].duration_ms, 3);
        assert!(worst_drawdowns(&[1.0, 1.0, 2.0], &[1, 2, 3], 5).is_empty());
        assert!(worst_drawdowns(&[], &[], 5).is_empty());
    }

    proptest! {
        #[test]
        fn the_deepest_is_the_deepest_at_any_bar(equity in prop::collection::vec(1..1000_u32, 1..80)) {
            let equity: Vec<f64> = equity.into_iter().map(f64::from).collect();
            let times: Vec<i64> = (0..equity.len() as i64).collect();
            let all = worst_drawdowns(&equity, &times, usize::MAX - 1);
            let mut peak = f64::MIN;
            let mut deepest = 0.0_f64;
            for &value in &equity {
                peak = peak.max(value);
                deepest = deepest.min(value / peak - 1.0);
            }
            prop_assert_eq!(all.first().map_or(0.0, |worst| worst.depth), deepest);
            prop_assert!(all.is_sorted_by(|a, b| a.depth <= b.depth));
            let few = worst_drawdowns(&equity, &times, 3);
            prop_assert_eq!(&few[..], &all[..all.len().min(3)]);
        }
    }
}
