//! How a result stands up: the same decisions under other costs and fills, and rules
//! anyone could have followed beside it.

use std::ops::Range;

use assay_types::{Candles, FillRule, Money, Target};
use serde::Serialize;

use crate::backtest::{Backtest, backtest, replay};
use crate::error::SimError;
use crate::metrics::{Metrics, Trials, measure};
use crate::rules::Rules;
use crate::strategy::{Strategy, random_like};

/// One way to look at a result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scenario {
    /// What is different, such as `next_open` or `costs_5x`, or the baseline's rule.
    pub name: String,
    /// When decisions fill.
    pub fill_rule: FillRule,
    /// Multiple of the fee and slippage.
    pub cost_factor: u32,
    /// Equity at the last close.
    pub last_equity: Money,
    /// Number of fills.
    pub fills: usize,
    /// Whether it was ever short: on a spot market that is hypothetical.
    pub shorted: bool,
    /// Every metric.
    pub metrics: Metrics,
}

/// Multiples of the costs that every report shows.
pub const COST_FACTORS: [u32; 2] = [2, 5];
/// The moving-average cross that is shown as a baseline.
pub const BASELINE_CROSS: Strategy = Strategy::SmaCross { fast: 24, slow: 168 };

/// Recorded decisions under both fill rules at the given costs, then under each of
/// [`COST_FACTORS`] with the given fill rule. `targets` are the decisions from the
/// first close of `range`; where the recording ended early the last one stays.
///
/// # Errors
/// As [`replay`].
pub fn sensitivity(
    candles: &Candles,
    rules: &Rules,
    range: Range<usize>,
    targets: &[Target],
) -> Result<Vec<Scenario>, SimError> {
    let run = |name: &str, rules: &Rules, cost_factor| {
        let result = replay(candles, rules, range.clone(), targets)?;
        scenario(name.to_owned(), candles, rules, cost_factor, &result)
    };
    let mut scenarios = vec![
        run("close", &rules.with_fill_rule(FillRule::Close), 1)?,
        run("next_open", &rules.with_fill_rule(FillRule::NextOpen), 1)?,
    ];
    // Costs that no ledger accepts even once multiplied are left out.
    for factor in COST_FACTORS.into_iter().filter(|factor| rules.with_cost_factor(*factor).check().is_ok()) {
        scenarios.push(run(&format!("costs_{factor}x"), &rules.with_cost_factor(factor), factor)?);
    }
    Ok(scenarios)
}

/// What holds beside any policy over the same range and rules: buy-and-hold, flat,
/// [`BASELINE_CROSS`], and random decisions with the turnover of `targets`.
///
/// # Errors
/// As [`backtest`].
pub fn baselines(
    candles: &Candles,
    rules: &Rules,
    range: Range<usize>,
    targets: &[Target],
    seed: u64,
) -> Result<Vec<Scenario>, SimError> {
    let mut scenarios = Vec::with_capacity(4);
    for (name, strategy) in [
        ("buy_and_hold".to_owned(), Strategy::Long),
        ("flat".to_owned(), Strategy::Flat),
        (BASELINE_CROSS.to_string(), BASELINE_CROSS),
    ] {
        let mut decider = strategy.decider();
        let result = backtest(candles, rules, range.clone(), |view| decider.decide(view))?;
        scenarios.push(scenario(name, candles, rules, 1, &result)?);
    }
    let result = replay(candles, rules, range, &random_like(targets, seed))?;
    scenarios.push(scenario("random_same_turnover".to_owned(), candles, rules, 1, &result)?);
    Ok(scenarios)
}

fn scenario(
    name: String,
    candles: &Candles,
    rules: &Rules,
    cost_factor: u32,
    result: &Backtest,
) -> Result<Scenario, SimError> {
    Ok(Scenario {
        name,
        fill_rule: rules.fill_rule,
        cost_factor,
        last_equity: result.last_equity(),
        fills: result.fills.len(),
        shorted: result.targets.contains(&Target::Short),
        metrics: measure(candles, rules, result, &Trials::default())?.metrics,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hourly, rules};

    #[test]
    fn higher_costs_never_help_and_both_fills_are_shown() {
        let candles = hourly(&["100", "110", "105", "95", "99", "120", "118"]);
        let targets = [Target::Long, Target::Short, Target::Flat, Target::Long, Target::Long, Target::Short];
        let scenarios = sensitivity(&candles, &rules(), 0..7, &targets).unwrap();
        let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names, ["close", "next_open", "costs_2x", "costs_5x"]);
        assert!(scenarios[0].last_equity > scenarios[2].last_equity);
        assert!(scenarios[2].last_equity > scenarios[3].last_equity);
        assert_eq!(scenarios[1].fill_rule, FillRule::NextOpen);
        assert!(scenarios.iter().all(|scenario| scenario.shorted));
    }

    #[test]
    fn baselines_trade_by_their_rules() {
        let closes: Vec<String> = (0..400).map(|hour| (100 + (hour * 37) % 60).to_string()).collect();
        let candles = hourly(&closes.iter().map(String::as_str).collect::<Vec<_>>());
        let targets: Vec<Target> =
            (0..399).map(|at| if at / 7 % 2 == 0 { Target::Long } else { Target::Flat }).collect();
        let scenarios = baselines(&candles, &rules(), 0..400, &targets, 5).unwrap();
        let own = replay(&candles, &rules(), 0..400, &targets).unwrap();
        assert_eq!(scenarios[0].fills, 1);
        assert_eq!((scenarios[1].fills, scenarios[1].last_equity), (0, rules().cash));
        assert!(scenarios[2].fills > 1 && scenarios[2].name == "sma-cross:24:168");
        assert_eq!(scenarios[3].fills, own.fills.len());
        assert_eq!(scenarios[0].metrics.get("excess_return"), Some(0.0));
    }
}
