//! The ledger against a second one that follows the text of the rules with unbounded
//! integers and plain division, on random candles, rules and decisions.

use assay_sim::{Backtest, End, Rules, Side, SimError, replay};
use assay_types::{Candle, Candles, FillRule, MAX_PRICE, Market, Money, Price, Qty, Target, Timeframe};
use num_bigint::BigInt;
use proptest::prelude::*;

fn big(value: impl Into<BigInt>) -> BigInt {
    value.into()
}

/// Rounded toward minus infinity.
fn floor(numerator: &BigInt, denominator: &BigInt) -> BigInt {
    let quotient = numerator / denominator;
    if &quotient * denominator > *numerator { quotient - 1 } else { quotient }
}

/// Rounded toward plus infinity.
fn ceil(numerator: &BigInt, denominator: &BigInt) -> BigInt {
    -floor(&-numerator, denominator)
}

struct Oracle<'a> {
    rules: &'a Rules,
    cash: BigInt,
    /// Always at or above zero; `side` says which way.
    quantity: BigInt,
    side: Target,
    target: Target,
    fills: Vec<(Side, BigInt, BigInt, BigInt)>,
    accrued_ms: i64,
}

impl Oracle<'_> {
    fn fill_price(&self, side: Side, price: &BigInt) -> BigInt {
        let tick = big(self.rules.tick.0);
        let ticks = &tick * self.rules.slippage_ticks;
        let share = ceil(&(price * self.rules.slippage_bps), &big(10_000));
        match side {
            Side::Buy => price + ticks + share,
            Side::Sell => (price - ticks - share).max(tick),
        }
    }

    fn fee(&self, quantity: &BigInt, price: &BigInt) -> BigInt {
        ceil(&(quantity * price * self.rules.fee_ppm), &big(10).pow(22))
    }

    fn cost(&self, quantity: &BigInt, price: &BigInt) -> BigInt {
        ceil(&(quantity * price), &big(10).pow(16)) + self.fee(quantity, price)
    }

    fn borrow(&mut self, price: &BigInt, now_ms: i64) {
        if self.side == Target::Short {
            let value = ceil(&(&self.quantity * price), &big(10).pow(16));
            let elapsed = now_ms - self.accrued_ms;
            self.cash -= ceil(&(value * self.rules.borrow_bps_per_day * elapsed), &(big(10_000) * 86_400_000));
            self.accrued_ms = now_ms;
        }
    }

    fn change(&mut self, target: Target, price: &BigInt, now_ms: i64) {
        if target == self.target {
            return;
        }
        self.borrow(price, now_ms);
        let unit = big(10).pow(16);
        match self.side {
            Target::Flat => {}
            Target::Long => {
                let fill = self.fill_price(Side::Sell, price);
                let fee = self.fee(&self.quantity, &fill);
                self.cash += floor(&(&self.quantity * &fill), &unit) - fee;
                self.fills.push((Side::Sell, fill, self.quantity.clone(), self.cash.clone()));
            }
            Target::Short => {
                let fill = self.fill_price(Side::Buy, price);
                let fee = self.fee(&self.quantity, &fill);
                self.cash -= ceil(&(&self.quantity * &fill), &unit) + fee;
                self.fills.push((Side::Buy, fill, self.quantity.clone(), self.cash.clone()));
            }
        }
        (self.side, self.quantity, self.target) = (Target::Flat, big(0), target);
        if target == Target::Flat || self.cash <= big(0) {
            return;
        }
        let side = if target == Target::Long { Side::Buy } else { Side::Sell };
        let fill = self.fill_price(side, price);
        let step = big(self.rules.step.0);
        // No fee at all gives the most steps that can be needed; halve from there.
        let (mut low, mut high) = (big(0), &self.cash * &unit / (&fill * &step) + 1);
        while &high - &low > big(1) {
            let middle: BigInt = (&low + &high) / 2;
            if self.cost(&(&middle * &step), &fill) <= self.cash { low = middle } else { high = middle }
        }
        let quantity = low * step;
        if quantity == big(0) {
            return;
        }
        let fee = self.fee(&quantity, &fill);
        match side {
            Side::Buy => self.cash -= ceil(&(&quantity * &fill), &unit) + fee,
            Side::Sell => self.cash += floor(&(&quantity * &fill), &unit) - fee,
        }
        self.fills.push((side, fill, quantity.clone(), self.cash.clone()));
        (self.side, self.quantity, self.accrued_ms) = (target, quantity, now_ms);
    }

    fn equity(&self, close: &BigInt) -> BigInt {
        let product = &self.quantity * close;
        match self.side {
            Target::Flat => self.cash.clone(),
            Target::Long => &self.cash + floor(&product, &big(10).pow(16)),
            Target::Short => &self.cash - ceil(&product, &big(10).pow(16)),
        }
    }
}

/// Equity at each close and the fills, by the oracle.
fn oracle(candles: &Candles, rules: &Rules, targets: &[Target]) -> (Vec<BigInt>, Vec<(Side, BigInt, BigInt, BigInt)>) {
    let mut oracle = Oracle {
        rules,
        cash: big(rules.cash.0),
        quantity: big(0),
        side: Target::Flat,
        target: Target::Flat,
        fills: Vec::new(),
        accrued_ms: 0,
    };
    let mut rows = Vec::new();
    for index in 0..candles.len() {
        let close = big(candles.close[index].0);
        oracle.borrow(&close, candles.close_time_ms(index));
        let equity = oracle.equity(&close);
        let ruined = equity <= big(0);
        rows.push(equity);
        if ruined || index + 1 == candles.len() {
            break;
        }
        match rules.fill_rule {
            FillRule::Close => oracle.change(targets[index], &close, candles.close_time_ms(index)),
            FillRule::NextOpen => {
                let open = big(candles.open[index + 1].0);
                oracle.change(targets[index], &open, candles.open_time_ms[index + 1]);
            }
        }
    }
    (rows, oracle.fills)
}

/// Candles whose neighbouring prices differ by up to a factor of 3, with gaps.
fn candles() -> impl Strategy<Value = Candles> {
    let steps = prop::collection::vec((-100..100_i128, -20..20_i128, 1..4_i64), 1..60);
    (steps, 0..14_u32, 1..1000_i128).prop_map(|(steps, scale, first)| {
        let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
        let mut last = first * 10_i128.pow(scale) * 1_000 + 7;
        let mut hour = 0;
        for (move_percent, gap_percent, hours) in steps {
            let open = (last + last * gap_percent / 100).clamp(1, MAX_PRICE);
            last = if move_percent >= 0 { open + open * move_percent / 50 } else { open * 100 / (100 - move_percent) };
            last = last.clamp(1, MAX_PRICE);
            let (high, low) = (open.max(last), open.min(last));
            let [open, high, low, close] = [open, high, low, last].map(Price);
            candles.push(Candle { open_time_ms: hour * Timeframe::H1.ms(), open, high, low, close, volume: Qty(1) });
            hour += hours;
        }
        candles
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let costs = (0..20_000_u32, 0..10_u32, 0..50_u32, 0..500_u32);
    let sizes = (1..10_i128.pow(20), 0..12_u32, 0..14_u32, any::<bool>());
    (costs, sizes).prop_map(|((fee_ppm, slippage_ticks, slippage_bps, borrow), (cash, tick, step, next_open))| Rules {
        cash: Money(cash),
        fee_ppm,
        slippage_ticks,
        slippage_bps,
        borrow_bps_per_day: borrow,
        step: Qty(10_i128.pow(step)),
        fill_rule: if next_open { FillRule::NextOpen } else { FillRule::Close },
        ..Rules::new(Price(10_i128.pow(tick)))
    })
}

fn targets() -> impl Strategy<Value = Vec<Target>> {
    prop::collection::vec(prop_oneof![Just(Target::Long), Just(Target::Flat), Just(Target::Short)], 60)
}

/// The back-test; `None` where it overflows, which it may only do above 1e25 units.
fn run(candles: &Candles, rules: &Rules, targets: &[Target]) -> Option<Backtest> {
    match replay(candles, rules, 0..candles.len(), targets) {
        Ok(result) => Some(result),
        Err(SimError::Overflow { .. }) => {
            let (rows, fills) = oracle(candles, rules, targets);
            let amounts = rows.iter().chain(fills.iter().flat_map(|fill| [&fill.2, &fill.3]));
            assert!(amounts.max() > Some(&big(10).pow(25)), "nothing here was large");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rows_and_fills_equal_the_oracle(candles in candles(), rules in rules(), targets in targets()) {
        let Some(result) = run(&candles, &rules, &targets) else { return Ok(()) };
        let (rows, fills) = oracle(&candles, &rules, &targets);
        let actual: Vec<BigInt> = result.equity.iter().map(|equity| big(equity.0)).collect();
        prop_assert_eq!(actual, rows);
        let actual: Vec<_> = result
            .fills
            .iter()
            .map(|fill| (fill.side, big(fill.price.0), big(fill.quantity.0), big(fill.cash_after.0)))
            .collect();
        prop_assert_eq!(actual, fills);
    }

    #[test]
    fn cash_and_position_are_conserved(candles in candles(), rules in rules(), targets in targets()) {
        let rules = Rules { borrow_bps_per_day: 0, ..rules };
        let Some(result) = run(&candles, &rules, &targets) else { return Ok(()) };
        let (mut cash, mut held) = (rules.cash.0, 0);
        for fill in &result.fills {
            // The exact value lies between its floor and one unit above.
            let value = fill.value().0;
            let (change, position) = match fill.side {
                Side::Buy => (-value - fill.fee.0, fill.quantity.0),
                Side::Sell => (value - fill.fee.0, -fill.quantity.0),
            };
            let lost = cash + change - fill.cash_after.0;
            prop_assert!((0..=1).contains(&lost), "rounding took {} units", lost);
            (cash, held) = (fill.cash_after.0, held + position);
        }
        prop_assert_eq!(held, result.account.quantity().0);
        prop_assert_eq!(cash, result.account.cash().0);
    }

    #[test]
    fn fills_are_against_the_trader_and_only_when_the_target_changes(
        candles in candles(), rules in rules(), targets in targets()
    ) {
        let Some(result) = run(&candles, &rules, &targets) else { return Ok(()) };
        for fill in &result.fills {
            match fill.side {
                Side::Buy => prop_assert!(fill.price >= fill.reference),
                Side::Sell => prop_assert!(fill.price <= fill.reference || fill.price == rules.tick),
            }
            prop_assert!(fill.quantity.0 > 0 && fill.quantity.0 % rules.step.0 == 0);
        }
        let changes = std::iter::once(Target::Flat).chain(result.targets.iter().copied()).collect::<Vec<_>>();
        let most: usize = changes.windows(2).map(|pair| {
            if pair[0] == pair[1] { 0 } else { usize::from(pair[0] != Target::Flat) + usize::from(pair[1] != Target::Flat) }
        }).sum();
        prop_assert!(result.fills.len() <= most);
        if result.end == End::Terminated {
            prop_assert!(result.last_equity().0 <= 0);
        }
        let earlier = &result.equity[..result.equity.len() - 1];
        prop_assert!(earlier.iter().all(|equity| equity.0 > 0));
    }
}
