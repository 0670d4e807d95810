//! A market with a planted signal: regimes that drift up or down, and a feature that
//! shows the regime through noise.
#![allow(clippy::unwrap_used, reason = "a test fixture")]

use assay_sim::{Environment, Reward, Rules};
use assay_train::{Rng, TrainConfig, TrainingSet};
use assay_types::{Candle, Candles, Market, Price, Qty, Target, Timeframe};
use serde_json::{Value, json};

/// Features of one row.
pub const COLUMNS: usize = 4;

/// Candles, features and the true regime of each candle.
pub struct Planted {
    candles: Candles,
    features: Vec<f32>,
    regimes: Vec<f64>,
}

impl Planted {
    pub fn new(bars: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
        let (mut features, mut regimes) = (Vec::new(), Vec::new());
        let (mut close, mut regime) = (1_000.0_f64, 1.0);
        for index in 0..bars {
            let price = |value: f64| Price::from_f64((value * 100.0).round() / 100.0).unwrap();
            let open = close;
            if index > 0 {
                close *= 1.0 + 0.002 * regime + 0.004 * rng.normal();
            }
            candles.push(Candle {
                open_time_ms: index as i64 * Timeframe::H1.ms(),
                open: price(open),
                high: price(open.max(close)),
                low: price(open.min(close)),
                close: price(close),
                volume: Qty(1),
            });
            if rng.uniform() < 0.02 {
                regime = -regime;
            }
            regimes.push(regime);
            features.push((regime + 0.3 * rng.normal()) as f32);
            (1..COLUMNS).for_each(|_| features.push(rng.normal() as f32));
        }
        Self { candles, features, regimes }
    }

    /// The first two thirds train, the rest validates.
    pub fn set(&self) -> TrainingSet<'_> {
        let cut = self.candles.len() * 2 / 3;
        TrainingSet {
            candles: &self.candles,
            features: &self.features,
            columns: COLUMNS,
            train: 0..cut,
            validation: cut..self.candles.len(),
            rules: Rules::new(Price::from_f64(0.01).unwrap()),
            reward: Reward::ReturnMinusCost,
        }
    }

    /// The return of knowing the regime, over the validation range.
    #[allow(dead_code, reason = "not every test needs the oracle")]
    pub fn oracle(&self) -> f64 {
        let set = self.set();
        let mut environment = Environment::new(set.candles, &set.rules, set.reward).unwrap();
        environment.reset(set.validation).unwrap();
        loop {
            let up = self.regimes[environment.index()] > 0.0;
            if environment.step(if up { Target::Long } else { Target::Short }).unwrap().end.is_some() {
                break;
            }
        }
        environment.simulation().equity().to_f64() / set.rules.cash.to_f64() - 1.0
    }
}

/// A config of `algorithm` with `keys` over the defaults.
pub fn config(algorithm: &str, keys: &Value) -> TrainConfig {
    let mut value = json!({"dataset": "synthetic/BTC-USD/1h", "algorithm": algorithm});
    value.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    TrainConfig::from_value(&value).unwrap()
}
