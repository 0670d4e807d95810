//! The environment steps the same ledger as the simulation, and its state can be
//! saved and restored without changing a bit.

use assay_sim::{End, Environment, EnvironmentState, Reward, Rules, SimError, Simulation};
use assay_types::{Candle, Candles, FillRule, Market, Price, Qty, Target, Timeframe};

/// A walk of `count` hourly closes from a small linear congruence.
fn walk(count: usize) -> Candles {
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
    let (mut state, mut last) = (7_u64, 2_000_000_i128);
    for hour in 0..count as i64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let open = last;
        last += i128::from((state >> 33) % 40_001) - 20_000;
        last = last.max(100_000);
        let cents = |value: i128| Price(value * 10_i128.pow(10));
        candles.push(Candle {
            open_time_ms: hour * Timeframe::H1.ms(),
            open: cents(open + 7),
            high: cents(open.max(last) + 10),
            low: cents(open.min(last) - 10),
            close: cents(last),
            volume: Qty(1),
        });
    }
    candles
}

fn decisions(index: usize) -> Target {
    match index * 7 % 11 {
        0..=3 => Target::Long,
        4..=7 => Target::Short,
        _ => Target::Flat,
    }
}

fn rules() -> Rules {
    Rules::new("0.01".parse().unwrap())
}

#[test]
fn rewards_compound_to_the_equity_of_the_simulation() {
    let candles = walk(300);
    for fill_rule in [FillRule::Close, FillRule::NextOpen] {
        let rules = rules().with_fill_rule(fill_rule);
        let mut environment = Environment::new(&candles, &rules, Reward::ReturnMinusCost).unwrap();
        environment.reset(20..270).unwrap();
        let mut simulation = Simulation::new(&candles, &rules, 20..270).unwrap();
        let mut growth = 1.0;
        loop {
            assert_eq!(environment.index(), simulation.index());
            let target = decisions(environment.index());
            let transition = environment.step(target).unwrap();
            let step = simulation.step(target).unwrap();
            growth *= 1.0 + transition.reward;
            assert_eq!(transition.end, step.end);
            assert_eq!(environment.simulation().equity(), step.equity);
            if transition.end.is_some() {
                break;
            }
        }
        assert_eq!(environment.index(), 269);
        assert_eq!(simulation.end(), Some(End::Truncated));
        let expected = simulation.equity().to_f64() / rules.cash.to_f64();
        assert!((growth / expected - 1.0).abs() < 1e-12, "{growth} {expected}");
        assert_eq!(environment.step(Target::Flat), Err(SimError::Ended { index: 269 }));
    }
}

#[test]
fn a_restored_environment_goes_on_to_the_bit() {
    let candles = walk(400);
    let rules = Rules { borrow_bps_per_day: 5, ..rules() };
    for reward in Reward::ALL {
        let mut whole = Environment::new(&candles, &rules, reward).unwrap();
        for _ in 0..150 {
            whole.step(decisions(whole.index())).unwrap();
        }
        let text = serde_json::to_string(&whole.state()).unwrap();
        let state: EnvironmentState = serde_json::from_str(&text).unwrap();
        let mut resumed = Environment::new(&candles, &rules, reward).unwrap();
        resumed.restore(&state).unwrap();
        for _ in 0..200 {
            assert_eq!(resumed.account_inputs(), whole.account_inputs());
            let expected = whole.step(decisions(whole.index())).unwrap();
            let actual = resumed.step(decisions(resumed.index())).unwrap();
            assert_eq!((actual.reward.to_bits(), actual.end), (expected.reward.to_bits(), expected.end), "{reward}");
        }
        let other = if reward == Reward::WinLoss { Reward::LogReturn } else { Reward::WinLoss };
        let mut other = Environment::new(&candles, &rules, other).unwrap();
        assert!(matches!(other.restore(&state), Err(SimError::State(_))));
        let short = candles.slice(0..100);
        let mut short = Environment::new(&short, &rules, reward).unwrap();
        assert!(short.restore(&state).is_err());
    }
}

#[test]
fn ruin_terminates_and_the_end_of_the_range_truncates() {
    let mut candles = walk(3);
    candles.close[1] = Price(candles.close[0].0 * 3);
    candles.high[1] = candles.close[1];
    let mut environment = Environment::new(&candles, &rules(), Reward::ReturnMinusCost).unwrap();
    let transition = environment.step(Target::Short).unwrap();
    assert_eq!(transition.end, Some(End::Terminated));
    assert!(transition.reward < -1.0);
    environment.reset(0..2).unwrap();
    assert_eq!(environment.step(Target::Long).unwrap().end, Some(End::Truncated));
    assert!(environment.reset(0..1).is_err());
    assert!(environment.reset(2..4).is_err());
}

#[test]
fn the_account_is_observed_before_the_decision() {
    let mut candles = walk(4);
    for (index, price) in ["100", "110", "99", "99"].iter().enumerate() {
        candles.close[index] = price.parse().unwrap();
    }
    let rules = Rules { fee_ppm: 0, slippage_ticks: 0, ..rules() };
    let mut environment = Environment::new(&candles, &rules, Reward::ReturnMinusCost).unwrap();
    assert_eq!(environment.account_inputs(), [0.0, 0.0]);
    environment.step(Target::Long).unwrap();
    assert_eq!(environment.account_inputs(), [1.0, 0.1]);
    environment.step(Target::Short).unwrap();
    assert_eq!(environment.account_inputs(), [-1.0, 0.1]);
    environment.step(Target::Flat).unwrap();
    assert_eq!(environment.account_inputs(), [0.0, 0.0]);
}
