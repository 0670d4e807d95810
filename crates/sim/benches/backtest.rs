//! A million candles: simulation with the integer ledger and every point metric, and
//! the environment's step. Prints one JSON line with the best of several runs.
//! Hashing the equity and bootstrap intervals are not in the timed part.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::hint::black_box;
use std::time::Instant;

use assay_sim::{Environment, Reward, Rules, Strategy, Trials, backtest, measure};
use assay_types::{Candle, Candles, Market, Price, Qty, Target, Timeframe};

const CANDLES: usize = 1_000_000;
const RUNS: usize = 15;

/// A walk of one-minute closes in cents, with steps of about 0.05 %.
fn generate() -> Candles {
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").expect("a good name"), Timeframe::M1);
    let (mut state, mut last) = (1_u64, 2_000_000_i64);
    let cents = |value: i64| Price(i128::from(value) * 10_i128.pow(10));
    for minute in 0..CANDLES as i64 {
        let open = last;
        let mut step = 0;
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            step += (state >> 48) as i64 - 32_768;
        }
        last = (last + last * step / 260_000_000).max(10_000);
        candles.push(Candle {
            open_time_ms: minute * Timeframe::M1.ms(),
            open: cents(open),
            high: cents(open.max(last)),
            low: cents(open.min(last)),
            close: cents(last),
            volume: Qty(1),
        });
    }
    candles
}

/// Seconds that this thread has spent on a processor; `None` where the system does
/// not tell.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// The best wall and processor seconds of several runs.
fn best(mut work: impl FnMut()) -> (f64, Option<f64>) {
    let (mut wall, mut cpu) = (f64::INFINITY, None::<f64>);
    for _ in 0..RUNS {
        let (wall_before, cpu_before) = (Instant::now(), cpu_seconds());
        work();
        wall = wall.min(wall_before.elapsed().as_secs_f64());
        if let (Some(before), Some(after)) = (cpu_before, cpu_seconds()) {
            cpu = Some(cpu.map_or(after - before, |cpu| cpu.min(after - before)));
        }
    }
    (wall, cpu)
}

fn main() {
    let candles = generate();
    let rules = Rules::new("0.01".parse().expect("a decimal"));
    let strategy = Strategy::SmaCross { fast: 60, slow: 240 };
    let run = || {
        let mut decider = strategy.decider();
        backtest(&candles, &rules, 0..CANDLES, |view| decider.decide(view)).expect("checked candles and small amounts")
    };
    let result = run();
    let (simulation, _) = best(|| {
        black_box(run());
    });
    let (wall, cpu) = best(|| {
        let result = run();
        black_box(measure(&candles, &rules, &result, &Trials::default()).expect("checked candles and small amounts"));
    });
    let mut environment =
        Environment::new(&candles, &rules, Reward::ReturnMinusCost).expect("checked candles and small amounts");
    let (holding, _) = best(|| {
        environment.reset(0..CANDLES).expect("checked candles and small amounts");
        while environment.step(Target::Long).expect("checked candles and small amounts").end.is_none() {}
    });
    let mut trading_steps = 0;
    let (trading, _) = best(|| {
        environment.reset(0..CANDLES).expect("checked candles and small amounts");
        trading_steps = 0;
        loop {
            let target = if environment.index().is_multiple_of(2) { Target::Long } else { Target::Short };
            trading_steps += 1;
            if environment.step(target).expect("checked candles and small amounts").end.is_some()
                || trading_steps == 2_000
            {
                break;
            }
        }
    });
    println!(
        r#"{{"name":"backtest","candles":{CANDLES},"wall_s":{wall:.6},"cpu_s":{},"simulation_wall_s":{simulation:.6},"trades":{},"environment_step_ns":{:.1},"reversal_step_ns":{:.1},"hashing_included":false}}"#,
        cpu.map_or("null".to_owned(), |cpu| format!("{cpu:.6}")),
        result.round_trips().len(),
        holding * 1e9 / (CANDLES - 1) as f64,
        trading * 1e9 / f64::from(trading_steps),
    );
}
