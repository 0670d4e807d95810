//! What the benchmarks of this crate share: the planted-signal task, a random walk,
//! and a stopwatch of processor time.
#![allow(dead_code, reason = "each benchmark and test uses a part")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use assay_model::Policy;
use assay_sim::{Reward, Rules, Simulation};
use assay_train::{Trainer, TrainingSet};
use assay_types::{Candle, Candles, InputScaling, Market, Price, Qty, Target, Timeframe};

/// The finaliser of splitmix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Word `index` of the task; see [`Planted`].
fn word(index: u64) -> u64 {
    const SEED: u64 = 20_240_601;
    mix(SEED.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// The sum of the four 16-bit parts of `word` less its mean: standard deviation 37,837.
fn noise(word: u64) -> i64 {
    (0..4).map(|part| (word >> (16 * part) & 0xffff) as i64).sum::<i64>() - 131_070
}

/// A task with a planted signal; `benches/peers/planted_signal.py` defines the same
/// one, and both make the same candles and features, number for number:
///
/// - `word(i)` is the splitmix64 stream of the seed; bar t owns the words 16 t … 16 t + 15.
/// - The hidden state s of bar 0 is +1. It changes sign at bar t > 0 when the upper
///   five bits of the bar's word 0 are all zero, so once in 32 bars.
/// - Closes count units of 1e-6; the close of bar 0 is 1e9 units, and
///   `close[t+1] = close[t] + floor(close[t] · change / 10^6)` with
///   `change = 500 s[t] + floor(noise(word 1 of bar t) · 1732 / 65536)` parts per
///   million. Each open is the close before; volume is 1.
/// - Feature 0 is `s + noise(word 2) / 65536`; features 1 to 7 are
///   `noise(word 2 + i) / 32768`, without meaning.
///
/// The ledger charges 0.01 % per side and no slippage; the reward is 100 times the
/// return of equity. Training reads the first 20,000 bars in episodes of 4,096 steps
/// from anywhere; the judge is the sum of returns over the last 5,000.
pub struct Planted {
    /// Candles of one hour.
    pub candles: Candles,
    /// Eight numbers a candle.
    pub features: Vec<f32>,
    /// The hidden state of each candle, +1 or −1.
    pub state: Vec<i8>,
}

impl Planted {
    pub const BARS: usize = 25_000;
    pub const TRAIN_BARS: usize = 20_000;
    pub const COLUMNS: usize = 8;
    pub const EPISODE_STEPS: usize = 4_096;
    pub const REWARD_SCALE: f64 = 100.0;

    pub fn new() -> Self {
        let market = Market::new("synthetic", "PLANTED-SIGNAL").expect("a well-formed name");
        let mut planted =
            Self { candles: Candles::new(market, Timeframe::H1), features: Vec::new(), state: Vec::new() };
        let (mut state, mut close) = (1_i8, 1_000_000_000_i64);
        let mut open = close;
        for bar in 0..Self::BARS as u64 {
            let own = |offset: u64| word(16 * bar + offset);
            if bar > 0 && own(0) >> 59 == 0 {
                state = -state;
            }
            planted.push(bar as i64, open, close);
            planted.state.push(state);
            for column in 0..Self::COLUMNS as u64 {
                let value = noise(own(2 + column)) as f64 / 32_768.0;
                let value = if column == 0 { f64::from(state) + value / 2.0 } else { value };
                planted.features.push(value as f32);
            }
            let change = 500 * i64::from(state) + (noise(own(1)) * 1_732).div_euclid(65_536);
            open = close;
            close += (close * change).div_euclid(1_000_000);
        }
        planted
    }

    fn push(&mut self, bar: i64, open: i64, close: i64) {
        let price = |units: i64| Price(i128::from(units) * 1_000_000);
        self.candles.push(Candle {
            open_time_ms: bar * Timeframe::H1.ms(),
            open: price(open),
            high: price(open.max(close)),
            low: price(open.min(close)),
            close: price(close),
            volume: Qty(1_000_000_000_000),
        });
    }

    pub fn rules() -> Rules {
        Rules { fee_ppm: 100, slippage_ticks: 0, ..Rules::new(Price(1_000_000)) }
    }

    pub fn set(&self) -> TrainingSet<'_> {
        TrainingSet {
            candles: &self.candles,
            features: &self.features,
            columns: Self::COLUMNS,
            train: 0..Self::TRAIN_BARS,
            validation: Self::TRAIN_BARS..Self::TRAIN_BARS,
            rules: Self::rules(),
            reward: Reward::ReturnMinusCost,
        }
    }

    /// A number that both definitions of the task print.
    pub fn checksum(&self) -> String {
        let mut total = 0_u64;
        for (bar, close) in self.candles.close.iter().enumerate() {
            total = total.wrapping_add((bar as u64 + 1).wrapping_mul((close.0 / 1_000_000) as u64));
        }
        for (index, feature) in self.features.iter().enumerate() {
            total = total.wrapping_add((index as u64 + 1).wrapping_mul(u64::from(feature.to_bits())));
        }
        format!("{total:016x}")
    }

    /// The sum of the returns of equity over the test bars.
    pub fn judge(&self, mut decide: impl FnMut(usize, [f32; 2]) -> Target) -> f64 {
        let range = Self::TRAIN_BARS..Self::BARS;
        let mut walk = Simulation::new(&self.candles, &Self::rules(), range).expect("the test bars");
        let mut total = 0.0;
        while walk.end().is_none() {
            let before = walk.equity().to_f64();
            let target = decide(walk.index(), walk.account_inputs());
            let step = walk.step(target).expect("prices that were checked");
            total += step.equity.to_f64() / before - 1.0;
        }
        total
    }

    /// What holding the hidden state earns.
    pub fn oracle(&self) -> f64 {
        self.judge(|bar, _| if self.state[bar] > 0 { Target::Long } else { Target::Short })
    }

    /// The scaled features of a candle.
    pub fn row(&self, bar: usize) -> &[f32] {
        &self.features[bar * Self::COLUMNS..][..Self::COLUMNS]
    }
}

/// A random walk of `bars` candles with `columns` features without meaning.
pub fn random_walk(bars: usize, columns: usize) -> (Candles, Vec<f32>) {
    let market = Market::new("synthetic", "RANDOM-WALK").expect("a well-formed name");
    let mut candles = Candles::new(market, Timeframe::M1);
    let mut close = 100_000_000_i64;
    for bar in 0..bars as u64 {
        let price = Price(i128::from(close) * 1_000_000);
        candles.push(Candle {
            open_time_ms: bar as i64 * Timeframe::M1.ms(),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty(1_000_000_000_000),
        });
        let change = (noise(word(bar)) * 1_732).div_euclid(65_536);
        close = (close + (close * change).div_euclid(1_000_000)).max(1_000_000);
    }
    let features = (0..(bars * columns) as u64).map(|index| noise(word(1 << 40 | index)) as f32 / 37_837.0).collect();
    (candles, features)
}

/// Wall and processor time of this process, in seconds.
pub struct Stopwatch {
    wall: std::time::Instant,
    cpu: Option<f64>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { wall: std::time::Instant::now(), cpu: cpu_seconds() }
    }

    /// Wall seconds, and processor seconds where the system tells them (Linux), else
    /// wall seconds again.
    pub fn seconds(&self) -> (f64, f64) {
        let wall = self.wall.elapsed().as_secs_f64();
        let cpu = cpu_seconds().zip(self.cpu).map(|(now, then)| now - then);
        (wall, cpu.unwrap_or(wall))
    }
}

/// Time that this process has run on processors, ended threads included, in steps of
/// 10 ms.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // User and system ticks are the 12th and 13th fields after the name in parentheses.
    let ticks = text.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    Some(ticks.map_while(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0)
}

/// The sum of test returns of the trainer's deterministic policy.
pub fn test_return(planted: &Planted, trainer: &Trainer) -> f64 {
    let columns = (0..Planted::COLUMNS).map(|column| format!("feature_{column}")).collect();
    let scaling = InputScaling::identity(Planted::COLUMNS);
    let policy = Policy::new(columns, scaling, trainer.network(), trainer.head()).expect("a policy of this task");
    planted.judge(|bar, account| policy.act_scaled(planted.row(bar), account).target)
}
