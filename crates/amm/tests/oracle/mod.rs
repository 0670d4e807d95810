//! A second engine for concentrated liquidity on unbounded integers, written from the
//! formulas: it shares no code with the crate, not even the table of tick prices.
#![allow(dead_code, reason = "every test binary uses a part")]

use std::collections::BTreeMap;

use assay_amm::U256;
use num_bigint::BigInt;

pub const LAST_TICK: i32 = 887_272;

/// An unbounded integer from a native one.
pub fn big(value: impl Into<BigInt>) -> BigInt {
    value.into()
}

/// An unbounded integer from one of the crate's.
pub fn from(value: U256) -> BigInt {
    value.to_string().parse().unwrap()
}

/// Two to the power of `bits`.
pub fn power(bits: u32) -> BigInt {
    big(1) << bits
}

pub fn div_up(a: &BigInt, b: &BigInt) -> BigInt {
    (a + b - 1) / b
}

/// The low `bits` of a number, as unsigned: what a wrapping register keeps.
pub fn wrapped(value: &BigInt, bits: u32) -> BigInt {
    let modulus = power(bits);
    ((value % &modulus) + &modulus) % modulus
}

/// Square-root prices of ticks. The factor of bit `i` is 1.0001^(−2^i / 2) in 128 bits,
/// rounded to the nearest, computed by repeated squaring; the contract multiplies the
/// factors of a tick's bits, drops 128 bits after each, and rounds the price up.
pub struct Prices([BigInt; 20]);

impl Prices {
    pub fn new() -> Self {
        const PRECISION: u32 = 600;
        let ratio: BigInt = (big(10_000) << PRECISION) / 10_001;
        let mut root = (ratio << PRECISION).sqrt();
        Self(std::array::from_fn(|_| {
            let factor = ((&root >> (PRECISION - 129)) + 1) >> 1;
            root = (&root * &root) >> PRECISION;
            factor
        }))
    }

    /// The square-root price of a tick, 64.96-bit.
    pub fn at(&self, tick: i32) -> BigInt {
        let mut ratio = power(128);
        for (bit, factor) in self.0.iter().enumerate() {
            if tick.unsigned_abs() >> bit & 1 == 1 {
                ratio = (ratio * factor) >> 128;
            }
        }
        if tick > 0 {
            ratio = (power(256) - 1) / ratio;
        }
        div_up(&ratio, &power(32))
    }

    /// The greatest tick whose price is not above `price`, by bisection.
    pub fn tick(&self, price: &BigInt) -> i32 {
        let (mut low, mut high) = (-LAST_TICK, LAST_TICK + 1);
        while high - low > 1 {
            let middle = (low + high).div_euclid(2);
            if self.at(middle) <= *price { low = middle } else { high = middle }
        }
        low
    }
}

/// Who gets which part of the fee, and how an exact input within a step is booked.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// The protocol takes one part in so many.
    V3 { divisor: u8 },
    /// The protocol takes parts in ten thousand.
    Pancake { parts: u16 },
    /// The protocol takes millionths of the input beside the providers' fee.
    V4 { protocol_pips: u32, lp_fee_pips: u32 },
    /// The gauge takes the fees of staked liquidity and a part of the others.
    Slipstream { unstaked_fee_pips: u32 },
}

/// A pool.
#[derive(Debug, Clone)]
pub struct Pool {
    pub spacing: i32,
    pub price: BigInt,
    pub tick: i32,
    pub liquidity: BigInt,
    pub nets: BTreeMap<i32, BigInt>,
    pub staked: BigInt,
    pub staked_nets: BTreeMap<i32, BigInt>,
}

/// What a swap does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub amount_in: BigInt,
    pub amount_out: BigInt,
    pub remaining: BigInt,
    pub price: BigInt,
    pub tick: i32,
    pub liquidity: BigInt,
    pub staked: BigInt,
    /// Growth of the fee per unit of liquidity, 128.128-bit, of the token paid in.
    pub growth: BigInt,
    /// The protocol's or the gauge's part.
    pub aside: BigInt,
    /// Fees of all steps.
    pub fees: BigInt,
    /// Steps with liquidity.
    pub steps: usize,
}

/// What is asked of a swap.
#[derive(Debug, Clone)]
pub struct Ask {
    pub zero_for_one: bool,
    pub exact_in: bool,
    pub amount: BigInt,
    pub limit: BigInt,
    pub fee_pips: u32,
    pub rule: Rule,
}

/// Token 0 between two prices.
pub fn token0(a: &BigInt, b: &BigInt, liquidity: &BigInt, up: bool) -> BigInt {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let scaled = (liquidity << 96) * (high - low);
    // Two roundings, as the contract divides twice.
    if up { div_up(&div_up(&scaled, high), low) } else { scaled / high / low }
}

/// Token 1 between two prices.
pub fn token1(a: &BigInt, b: &BigInt, liquidity: &BigInt, up: bool) -> BigInt {
    let product = liquidity * (if a < b { b - a } else { a - b });
    if up { div_up(&product, &power(96)) } else { product >> 96 }
}

/// The most liquidity that amounts pay for at a price, as position managers compute it.
pub fn liquidity_for(price: &BigInt, low: &BigInt, high: &BigInt, amounts: [&BigInt; 2]) -> BigInt {
    let of0 = |low: &BigInt, high: &BigInt| amounts[0] * ((low * high) >> 96) / (high - low);
    let of1 = |low: &BigInt, high: &BigInt| (amounts[1] << 96) / (high - low);
    if price <= low {
        of0(low, high)
    } else if price < high {
        of0(price, high).min(of1(low, price))
    } else {
        of1(low, high)
    }
}

impl Pool {
    /// An empty pool at a price.
    pub fn new(prices: &Prices, spacing: i32, price: BigInt) -> Self {
        let tick = prices.tick(&price);
        let (nets, staked_nets) = (BTreeMap::new(), BTreeMap::new());
        Self { spacing, price, tick, liquidity: big(0), nets, staked: big(0), staked_nets }
    }

    /// Adds a position, staked or not.
    pub fn add(&mut self, range: [i32; 2], liquidity: &BigInt, staked: bool) {
        let in_range = range[0] <= self.tick && self.tick < range[1];
        for (tick, change) in [(range[0], liquidity.clone()), (range[1], -liquidity)] {
            *self.nets.entry(tick).or_default() += &change;
            if staked {
                *self.staked_nets.entry(tick).or_default() += &change;
            }
        }
        if in_range {
            self.liquidity += liquidity;
            if staked {
                self.staked += liquidity;
            }
        }
    }

    /// The tokens of a liquidity in a range at the pool's price, rounded up or down.
    pub fn amounts(&self, prices: &Prices, range: [i32; 2], liquidity: &BigInt, up: bool) -> [BigInt; 2] {
        let (low, high) = (prices.at(range[0]), prices.at(range[1]));
        let inside = self.price.clone().clamp(low.clone(), high.clone());
        [token0(&inside, &high, liquidity, up), token1(&low, &inside, liquidity, up)]
    }

    /// The end of the next step: an initialised tick of the same word of 256, or its end.
    fn next(&self, tick: i32, down: bool) -> (i32, bool) {
        let compressed = tick.div_euclid(self.spacing);
        let end = if down {
            compressed.div_euclid(256) * 256 * self.spacing
        } else {
            ((compressed + 1).div_euclid(256) * 256 + 255) * self.spacing
        };
        let initialised = |tick: &i32| *tick % self.spacing == 0;
        let found = if down {
            self.nets.keys().rev().filter(|key| initialised(key)).find(|key| **key <= tick && **key >= end)
        } else {
            self.nets.keys().filter(|key| initialised(key)).find(|key| **key > tick && **key <= end)
        };
        found.map_or((end.clamp(-LAST_TICK, LAST_TICK), false), |found| (*found, true))
    }

    /// Swaps without moving the state.
    pub fn swap(&self, prices: &Prices, ask: &Ask) -> Outcome {
        let down = ask.zero_for_one;
        let v4 = matches!(ask.rule, Rule::V4 { .. });
        let (mut price, mut tick, mut liquidity) = (self.price.clone(), self.tick, self.liquidity.clone());
        let mut staked = self.staked.clone();
        let mut remaining = ask.amount.clone();
        let (mut paid, mut received, mut growth, mut aside) = (big(0), big(0), big(0), big(0));
        let (mut fees, mut steps) = (big(0), 0);
        while remaining > big(0) && price != ask.limit {
            let (next, initialised) = self.next(tick, down);
            let next_price = prices.at(next);
            let beyond = if down { next_price < ask.limit } else { next_price > ask.limit };
            let target = if beyond { ask.limit.clone() } else { next_price.clone() };
            let (after, amount_in, amount_out, fee) = step(&price, &target, &liquidity, &remaining, ask, v4);
            remaining -= if ask.exact_in { &amount_in + &fee } else { amount_out.clone() };
            paid += &amount_in + &fee;
            received += amount_out;
            fees += &fee;
            let (own, other) = split(ask.rule, &amount_in, &fee, &liquidity, &staked);
            aside += other;
            if liquidity > big(0) {
                growth += own;
                steps += 1;
            }
            if after == next_price {
                if initialised {
                    let sign = if down { -1 } else { 1 };
                    liquidity += &self.nets[&next] * sign;
                    staked += self.staked_nets.get(&next).cloned().unwrap_or_default() * sign;
                }
                tick = if down { next - 1 } else { next };
            } else if after != price {
                tick = prices.tick(&after);
            }
            price = after;
        }
        Outcome {
            amount_in: paid,
            amount_out: received,
            remaining,
            price,
            tick,
            liquidity,
            staked,
            growth,
            aside,
            fees,
            steps,
        }
    }
}

/// One step: the price reached, what goes in and out, and the fee.
fn step(
    price: &BigInt,
    target: &BigInt,
    liquidity: &BigInt,
    remaining: &BigInt,
    ask: &Ask,
    v4: bool,
) -> (BigInt, BigInt, BigInt, BigInt) {
    let down = price >= target;
    let zero = big(0);
    let taken =
        |to: &BigInt| if down { token0(to, price, liquidity, true) } else { token1(price, to, liquidity, true) };
    let given =
        |to: &BigInt| if down { token1(to, price, liquidity, false) } else { token0(price, to, liquidity, false) };
    let whole = big(1_000_000);
    let (fee_pips, kept) = (big(ask.fee_pips), big(1_000_000 - ask.fee_pips));
    if ask.exact_in {
        let net = remaining * &kept / &whole;
        let to_target = taken(target);
        if net >= to_target {
            let fee = if kept == zero { to_target.clone() } else { div_up(&(&to_target * fee_pips), &kept) };
            return (target.clone(), to_target, given(target), fee);
        }
        let reached = if *liquidity == zero {
            target.clone()
        } else if down {
            after_token0_in(price, liquidity, &net)
        } else {
            price + (&net << 96) / liquidity
        };
        let amount_in = if v4 { net } else { taken(&reached) };
        let fee =
            if reached == *target && !v4 { div_up(&(&amount_in * fee_pips), &kept) } else { remaining - &amount_in };
        let amount_out = given(&reached);
        return (reached, amount_in, amount_out, fee);
    }
    let to_target = given(target);
    let reached = if *remaining >= to_target {
        target.clone()
    } else if down {
        price - div_up(&(remaining << 96), liquidity)
    } else {
        let numerator = liquidity << 96;
        div_up(&(&numerator * price), &(&numerator - remaining * price))
    };
    let amount_out = given(&reached).min(remaining.clone());
    let amount_in = taken(&reached);
    let fee = div_up(&(&amount_in * fee_pips), &kept);
    (reached, amount_in, amount_out, fee)
}

/// The price after token 0 comes in; the contract takes a coarser formula when the exact
/// one leaves 256 bits.
fn after_token0_in(price: &BigInt, liquidity: &BigInt, amount: &BigInt) -> BigInt {
    let numerator = liquidity << 96;
    let product = amount * price;
    if product < power(256) && &numerator + &product < power(256) {
        return div_up(&(&numerator * price), &(&numerator + product));
    }
    div_up(&numerator, &(&numerator / price + amount))
}

/// Growth per unit of liquidity, and what is put aside.
fn split(rule: Rule, amount_in: &BigInt, fee: &BigInt, liquidity: &BigInt, staked: &BigInt) -> (BigInt, BigInt) {
    let whole = big(1_000_000);
    let aside = match rule {
        Rule::V3 { divisor: 0 } | Rule::Pancake { parts: 0 } | Rule::V4 { protocol_pips: 0, .. } => big(0),
        Rule::V3 { divisor } => fee / divisor,
        Rule::Pancake { parts } => fee * parts / 10_000,
        Rule::V4 { lp_fee_pips: 0, .. } => fee.clone(),
        Rule::V4 { protocol_pips, .. } => (amount_in + fee) * protocol_pips / whole,
        Rule::Slipstream { .. } if *liquidity == big(0) => big(0),
        Rule::Slipstream { .. } if liquidity == staked => fee.clone(),
        Rule::Slipstream { unstaked_fee_pips } => {
            let of_staked = div_up(&(fee * staked), liquidity);
            let levied = div_up(&((fee - &of_staked) * unstaked_fee_pips), &whole);
            of_staked + levied
        }
    };
    let earning = if matches!(rule, Rule::Slipstream { .. }) { liquidity - staked } else { liquidity.clone() };
    let growth = if earning == big(0) { big(0) } else { ((fee - &aside) << 128) / earning };
    (growth, aside)
}
