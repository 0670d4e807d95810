//! Intervals of metrics by the circular block bootstrap (Politis and Romano, 1992).
//!
//! Returns that follow each other belong together, so whole blocks are drawn: starts
//! uniform over the sample, which is bent to a ring, until as many returns are drawn
//! as there are. Every statistic here is a function of sums over blocks, so running
//! sums make a resample cost one look-up a block, not one a return.

use serde::{Deserialize, Serialize};

use crate::error::SimError;
use crate::metrics::{Metric, returns};
use crate::random::Random;

/// How intervals are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// How many times the sample is redrawn, 1 to 100,000.
    pub resamples: usize,
    /// Returns in a block, at least 1; `None` takes the larger of a day of candles
    /// and the cube root of the sample.
    pub block: Option<usize>,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1_000, block: None, seed: 0 }
    }
}

/// The middle 95 % of a metric over the resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Below it lie 2.5 % of the resamples.
    pub low: f64,
    /// Above it lie 2.5 % of the resamples.
    pub high: f64,
}

/// Intervals of the metrics that are functions of the returns alone. `None` when the
/// metric is undefined for any resample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Total return.
    pub total_return: Option<Interval>,
    /// Compound annual growth rate by count.
    pub cagr: Option<Interval>,
    /// Annualised volatility.
    pub volatility: Option<Interval>,
    /// Annualised Sharpe ratio.
    pub sharpe: Option<Interval>,
    /// Annualised Sortino ratio.
    pub sortino: Option<Interval>,
    /// Returns in a block.
    pub block: usize,
    /// How many times the sample was redrawn.
    pub resamples: usize,
    /// Seed of the random numbers.
    pub seed: u64,
}

/// Largest number of resamples.
const MAX_RESAMPLES: usize = 100_000;
/// Sums kept of a block: r, r², min(r, 0)² and ln(1 + r).
type Sums = [f64; 4];

/// 95 % intervals from `equity` at consecutive closes (any unit), with
/// `periods_per_year` intervals a year.
///
/// # Errors
/// [`SimError::Bootstrap`] for no resamples or empty blocks, [`SimError::Range`] for
/// fewer than three closes.
pub fn intervals(equity: &[f64], periods_per_year: f64, bootstrap: &Bootstrap) -> Result<Intervals, SimError> {
    let count = equity.len().saturating_sub(1);
    if count < 2 {
        return Err(SimError::Range { range: 0..equity.len(), candles: equity.len(), least: 3 });
    }
    let day = (periods_per_year / 365.0) as usize;
    let block = bootstrap.block.unwrap_or_else(|| day.max(libm::cbrt(count as f64) as usize).max(1)).min(count);
    let resamples = bootstrap.resamples;
    if block == 0 || resamples == 0 || resamples > MAX_RESAMPLES {
        return Err(SimError::Bootstrap { resamples, block });
    }
    let running = running_sums(&returns(equity), block);
    let mut random = Random::new(bootstrap.seed);
    let mut values: [Vec<Metric>; 5] = Default::default();
    for _ in 0..resamples {
        let mut total = Sums::default();
        let mut left = count;
        while left > 0 {
            let length = block.min(left);
            let start = random.below(count as u64) as usize;
            for (total, (from, to)) in total.iter_mut().zip(running[start].iter().zip(running[start + length])) {
                *total += to - from;
            }
            left -= length;
        }
        for (list, value) in values.iter_mut().zip(statistics(&total, count as f64, periods_per_year)) {
            list.push(value);
        }
    }
    let [total_return, cagr, volatility, sharpe, sortino] = values.map(middle);
    let seed = bootstrap.seed;
    Ok(Intervals { total_return, cagr, volatility, sharpe, sortino, block, resamples, seed })
}

/// 95 % interval of the mean of `values` that follow each other, such as results of rounds;
/// `block` of them belong together unless `bootstrap` says otherwise.
///
/// # Errors
/// [`SimError::Bootstrap`] for no resamples or empty blocks, [`SimError::Range`] for fewer
/// than two values.
pub fn mean_interval(values: &[f64], block: usize, bootstrap: &Bootstrap) -> Result<Option<Interval>, SimError> {
    let count = values.len();
    if count < 2 {
        return Err(SimError::Range { range: 0..count, candles: count, least: 2 });
    }
    let block = bootstrap.block.unwrap_or(block).min(count);
    let resamples = bootstrap.resamples;
    if block == 0 || resamples == 0 || resamples > MAX_RESAMPLES {
        return Err(SimError::Bootstrap { resamples, block });
    }
    let mut random = Random::new(bootstrap.seed);
    let mut means = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        let (mut total, mut left) = (0.0, count);
        while left > 0 {
            let length = block.min(left);
            let start = random.below(count as u64) as usize;
            total += values.iter().cycle().skip(start).take(length).sum::<f64>();
            left -= length;
        }
        means.push(Ok(total / count as f64));
    }
    Ok(middle(means))
}

/// Sums over the first k returns of the ring, for every k that a block can end at.
fn running_sums(returns: &[f64], block: usize) -> Vec<Sums> {
    let mut sums = Sums::default();
    let mut running = Vec::with_capacity(returns.len() + block + 1);
    running.push(sums);
    for &value in returns.iter().chain(&returns[..block]) {
        let loss = value.min(0.0);
        // The logarithm of nothing left is kept finite, or it would spoil every
        // later difference; such a resample has lost all but e⁻⁷⁰⁰ of its equity.
        let growth = if value > -1.0 { libm::log1p(value) } else { -700.0 };
        for (sum, term) in sums.iter_mut().zip([value, value * value, loss * loss, growth]) {
            *sum += term;
        }
        running.push(sums);
    }
    running
}

/// Total return, growth rate, volatility, Sharpe and Sortino of a resample.
fn statistics(&[sum, squares, losses, growth]: &Sums, count: f64, periods_per_year: f64) -> [Metric; 5] {
    let mean = sum / count;
    let variance = (squares - count * mean * mean) / (count - 1.0);
    // Differences of running sums leave rounding errors where nothing varies.
    let deviation = if variance > 1e-14 * squares / count { variance.sqrt() } else { 0.0 };
    let downside = (losses.max(0.0) / count).sqrt();
    let scale = periods_per_year.sqrt();
    let over = |value: f64, reason| if value > 0.0 { Ok(mean / value * scale) } else { Err(reason) };
    [
        Ok(libm::expm1(growth)),
        Ok(libm::expm1(growth * periods_per_year / count)),
        Ok(deviation * scale),
        over(deviation, "the returns do not vary"),
        over(downside, "no interval lost"),
    ]
}

/// The 2.5 % and 97.5 % points, interpolated between neighbours.
fn middle(values: Vec<Metric>) -> Option<Interval> {
    let mut values: Vec<f64> = values.into_iter().map(Metric::ok).collect::<Option<_>>()?;
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let point = |share: f64| {
        let position = share * (values.len() - 1) as f64;
        let below = position as usize;
        let above = (below + 1).min(values.len() - 1);
        values[below] + (values[above] - values[below]) * (position - below as f64)
    };
    Some(Interval { low: point(0.025), high: point(0.975) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{sharpe, sortino};

    /// Equity that follows independent returns of mean 0.001 and deviation 0.01.
    fn walk(count: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        let mut equity = vec![100.0];
        for _ in 0..count {
            // A sum of twelve uniform numbers has variance 1.
            let normal = (0..12).map(|_| random.below(1 << 53) as f64 / (1_u64 << 53) as f64).sum::<f64>() - 6.0;
            equity.push(equity[equity.len() - 1] * (1.001 + 0.01 * normal));
        }
        equity
    }

    #[test]
    fn one_block_of_everything_is_the_sample_itself() {
        let equity = walk(500, 1);
        let bootstrap = Bootstrap { resamples: 20, block: Some(500), seed: 3 };
        let result = intervals(&equity, 8_760.0, &bootstrap).unwrap();
        let values = returns(&equity);
        for (interval, expected) in [
            (result.sharpe, sharpe(&values, 8_760.0).unwrap()),
            (result.sortino, sortino(&values, 8_760.0).unwrap()),
            (result.total_return, equity[500] / equity[0] - 1.0),
        ] {
            let Interval { low, high } = interval.unwrap();
            assert!(
                (low / expected - 1.0).abs() < 1e-9 && (high / expected - 1.0).abs() < 1e-9,
                "{low} {high} {expected}"
            );
        }
    }

    #[test]
    fn the_true_ratio_is_inside_about_as_often_as_promised() {
        let truth = 0.1 * 8_760.0_f64.sqrt();
        let inside = (0..200).filter(|&seed| {
            let bootstrap = Bootstrap { resamples: 300, block: Some(5), seed };
            let Interval { low, high } = intervals(&walk(400, seed), 8_760.0, &bootstrap).unwrap().sharpe.unwrap();
            low <= truth && truth <= high
        });
        let inside = inside.count();
        assert!((178..=199).contains(&inside), "{inside} of 200");
    }

    #[test]
    fn a_seed_gives_the_same_interval_and_bad_settings_are_refused() {
        let equity = walk(300, 9);
        let bootstrap = Bootstrap { resamples: 50, ..Bootstrap::default() };
        assert_eq!(intervals(&equity, 8_760.0, &bootstrap), intervals(&equity, 8_760.0, &bootstrap));
        assert_eq!(intervals(&equity, 8_760.0, &bootstrap).unwrap().block, 24);
        for bad in [Bootstrap { resamples: 0, ..bootstrap }, Bootstrap { block: Some(0), ..bootstrap }] {
            assert!(matches!(intervals(&equity, 8_760.0, &bad), Err(SimError::Bootstrap { .. })));
        }
        assert!(intervals(&equity[..2], 8_760.0, &bootstrap).is_err());
        let flat = intervals(&[1.0; 100], 8_760.0, &bootstrap).unwrap();
        assert_eq!(flat.sharpe, None);
        assert_eq!(flat.total_return, Some(Interval { low: 0.0, high: 0.0 }));
    }

    #[test]
    fn the_interval_of_a_mean_has_the_width_of_its_error() {
        let equity = walk(2_000, 5);
        let values: Vec<f64> = equity.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        let bootstrap = Bootstrap { resamples: 400, block: None, seed: 1 };
        let Interval { low, high } = mean_interval(&values, 10, &bootstrap).unwrap().unwrap();
        let mean = values.iter().sum::<f64>() / 2_000.0;
        // ± 1.96 · 0.01 / √2000.
        assert!(low < mean && mean < high && (0.0007..0.0011).contains(&(high - low)), "{low} {mean} {high}");
        // Values that come in pairs of equal ones have √2 of the error, which blocks see.
        let doubled: Vec<f64> = values.iter().flat_map(|value| [*value; 2]).collect();
        let wide = |block| mean_interval(&doubled, block, &bootstrap).unwrap().unwrap();
        assert!(wide(20).high - wide(20).low > 1.2 * (wide(1).high - wide(1).low));
        assert!(mean_interval(&values[..1], 1, &bootstrap).is_err() && mean_interval(&values, 0, &bootstrap).is_err());
    }
}
