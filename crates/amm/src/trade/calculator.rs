//! The calculator's questions in real numbers: constant-product pairs given by round
//! figures instead of integers of a contract.
//!
//! Binary floating point throughout (additions, products, quotients and square roots,
//! which IEEE 754 rounds the same everywhere): figures for people. What is sent to a chain
//! is sized by [`super::sizing`].

use super::multi_hop;

/// The pool fee of the calculator when none is given: 0.3 %.
pub const POOL_FEE: f64 = 0.003;
/// The loan's fee when none is given: nine basis points.
pub const LOAN_FEE: f64 = 0.0009;
/// The cost of the transaction when none is given, in units of the borrowed token.
pub const GAS_COST: f64 = 100.0;
/// The largest part of the borrowed token's reserve in the first pool that may be traded.
pub const RESERVE_SHARE: f64 = 0.3;

/// An input that has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalculatorError {
    /// A reserve or amount that is not a positive finite number.
    #[error("{name} is {value}; it must be a finite number above 0")]
    NotPositive {
        /// Name of the input.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A cost that is not a finite number of at least zero.
    #[error("{name} is {value}; it must be a finite number of at least 0")]
    Negative {
        /// Name of the input.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A fee outside [0, 1).
    #[error("{name} is {value}; a fee is a fraction of at least 0 and below 1")]
    Fee {
        /// Name of the input.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A path without hops.
    #[error("the path has no hops")]
    EmptyPath,
}

/// The reserves of a pair in trading direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Reserve of the token paid in.
    pub reserve_in: f64,
    /// Reserve of the token received.
    pub reserve_out: f64,
    /// Part of the input kept as fee, in [0, 1).
    pub fee: f64,
}

impl Pair {
    /// A pair with the usual fee of 0.3 %.
    ///
    /// # Errors
    /// A reserve that is not finite and above zero.
    pub fn new(reserve_in: f64, reserve_out: f64) -> Result<Self, CalculatorError> {
        Self::with_fee(reserve_in, reserve_out, POOL_FEE)
    }

    /// A pair with its own fee.
    ///
    /// # Errors
    /// A reserve that is not finite and above zero, or a fee outside [0, 1).
    pub fn with_fee(reserve_in: f64, reserve_out: f64, fee: f64) -> Result<Self, CalculatorError> {
        positive("reserveIn", reserve_in)?;
        positive("reserveOut", reserve_out)?;
        fraction("fee", fee)?;
        Ok(Self { reserve_in, reserve_out, fee })
    }

    /// What `amount` buys.
    #[must_use]
    pub fn amount_out(&self, amount: f64) -> f64 {
        let paid = amount * (1.0 - self.fee);
        paid * self.reserve_out / (self.reserve_in + paid)
    }

    /// `1 − out / (in × spot)`, fee included, as a fraction.
    #[must_use]
    pub fn slippage(&self, amount: f64) -> f64 {
        // 1 − g·R/(R + g·a) without the cancellation.
        let paid = amount * (1.0 - self.fee);
        (self.fee * self.reserve_in + paid) / (self.reserve_in + paid)
    }

    /// The slippage of the same trade in a pool without fee: how far the size alone moves its price.
    #[must_use]
    pub fn price_impact(&self, amount: f64) -> f64 {
        amount / (self.reserve_in + amount)
    }

    /// How far the spot price falls, as a fraction; the fee stays in the reserves.
    #[must_use]
    pub fn market_impact(&self, amount: f64) -> f64 {
        let before = self.reserve_out / self.reserve_in;
        let after = (self.reserve_out - self.amount_out(amount)) / (self.reserve_in + amount);
        (before - after) / before
    }
}

/// The slippage of an amount along a path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathSlippage {
    /// The fractions added up.
    pub total: f64,
    /// The fractions compounded: what the whole path loses.
    pub compound: f64,
    /// Slippage of each hop at the amount that reaches it.
    pub hops: Vec<f64>,
    /// What the last hop pays.
    pub amount_out: f64,
}

/// The slippage of `amount` along `path`, each hop trading what the one before pays.
///
/// # Errors
/// An empty path, or an amount that is not finite and above zero.
pub fn path_slippage(path: &[Pair], amount: f64) -> Result<PathSlippage, CalculatorError> {
    positive("flashloanAmount", amount)?;
    if path.is_empty() {
        return Err(CalculatorError::EmptyPath);
    }
    let mut amount_out = amount;
    let mut hops = Vec::with_capacity(path.len());
    for pair in path {
        hops.push(pair.slippage(amount_out));
        amount_out = pair.amount_out(amount_out);
    }
    Ok(PathSlippage { total: multi_hop::sum(&hops), compound: multi_hop::compound(&hops), hops, amount_out })
}

/// What a loan of `amount` traded along a cycle leaves after the loan fee and gas; may be negative.
///
/// # Errors
/// An empty path, an amount that is not finite and above zero, or a fee or cost out of range.
pub fn path_profit(path: &[Pair], amount: f64, loan_fee: f64, gas_cost: f64) -> Result<f64, CalculatorError> {
    fraction("flashloanFee", loan_fee)?;
    cost("gasCost", gas_cost)?;
    Ok(path_slippage(path, amount)?.amount_out - amount * (1.0 + loan_fee) - gas_cost)
}

/// A loan to buy in one pool and sell in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlashLoan {
    /// Reserve of the borrowed token in the pool that is bought from.
    pub reserve_in_buy: f64,
    /// Reserve of the bought token there.
    pub reserve_out_buy: f64,
    /// Reserve of the bought token in the pool that is sold to.
    pub reserve_in_sell: f64,
    /// Reserve of the borrowed token there.
    pub reserve_out_sell: f64,
    /// The lender's fee as a fraction, in [0, 1).
    pub flashloan_fee: f64,
    /// Cost of the transaction, in units of the borrowed token.
    pub gas_cost: f64,
    /// Fee of both pools as a fraction, in [0, 1).
    pub pool_fee: f64,
}

/// The best size of a loan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlashLoanSize {
    /// What to borrow: the peak of the profit or the cap, zero when that does not pay.
    pub amount: f64,
    /// The peak of the profit without a cap; zero when no size returns more than it costs.
    pub uncapped_amount: f64,
    /// The largest amount allowed: [`RESERVE_SHARE`] of the borrowed token's reserve.
    pub cap: f64,
    /// What `amount` leaves after the loan fee and gas; zero when it is zero.
    pub expected_profit: f64,
    /// What `uncapped_amount` would leave; negative when it does not pay for the gas.
    pub uncapped_profit: f64,
    /// Whether `amount` is above zero.
    pub profitable: bool,
}

impl FlashLoan {
    /// The best size: the two pools act as one with the reserves
    /// `Ea = x₁y₂/(y₂ + g·y₁)` and `Eb = g·y₁x₂/(y₂ + g·y₁)`, whose profit peaks at
    /// `(√(g·Ea·Eb/(1+f)) − Ea)/g`.
    ///
    /// # Errors
    /// A reserve that is not finite and above zero, or a fee or cost out of range.
    pub fn best_size(&self) -> Result<FlashLoanSize, CalculatorError> {
        self.check()?;
        let pool = |reserve_in, reserve_out| Pair { reserve_in, reserve_out, fee: self.pool_fee };
        let buy = pool(self.reserve_in_buy, self.reserve_out_buy);
        let sell = pool(self.reserve_in_sell, self.reserve_out_sell);
        let cap = RESERVE_SHARE * self.reserve_in_buy;
        best_size(&[buy, sell], self.flashloan_fee, self.gas_cost, cap)
    }

    fn check(&self) -> Result<(), CalculatorError> {
        positive("reserveInBuy", self.reserve_in_buy)?;
        positive("reserveOutBuy", self.reserve_out_buy)?;
        positive("reserveInSell", self.reserve_in_sell)?;
        positive("reserveOutSell", self.reserve_out_sell)?;
        fraction("flashloanFee", self.flashloan_fee)?;
        cost("gasCost", self.gas_cost)?;
        fraction("poolFee", self.pool_fee)
    }
}

/// The best size of a loan traded along a cycle of any number of pairs, at most `cap`.
///
/// The relative error of the amount is below 1e-9 where the cycle gains at least a
/// millionth; closer to no gain the subtraction of two near numbers loses digits.
///
/// # Errors
/// An empty path, or a fee, cost or cap out of range.
pub fn best_size(path: &[Pair], loan_fee: f64, gas_cost: f64, cap: f64) -> Result<FlashLoanSize, CalculatorError> {
    fraction("flashloanFee", loan_fee)?;
    cost("gasCost", gas_cost)?;
    cost("cap", cap)?;
    let virtual_pool = joined(path).ok_or(CalculatorError::EmptyPath)?;
    let kept = 1.0 - virtual_pool.fee;
    let inner = kept * virtual_pool.reserve_in * virtual_pool.reserve_out / (1.0 + loan_fee);
    let peak = (inner.sqrt() - virtual_pool.reserve_in) / kept;
    let uncapped_amount = if peak > 0.0 { peak } else { 0.0 };
    let profit = |amount: f64| virtual_pool.amount_out(amount) - amount * (1.0 + loan_fee) - gas_cost;
    let amount = uncapped_amount.min(cap);
    let expected_profit = profit(amount);
    let profitable = amount > 0.0 && expected_profit > 0.0;
    Ok(FlashLoanSize {
        amount: if profitable { amount } else { 0.0 },
        uncapped_amount,
        cap,
        expected_profit: if profitable { expected_profit } else { 0.0 },
        uncapped_profit: profit(uncapped_amount),
        profitable,
    })
}

/// The one pair that trades like the whole path, with the first pair's fee.
fn joined(path: &[Pair]) -> Option<Pair> {
    let (first, rest) = path.split_first()?;
    Some(rest.iter().fold(*first, |whole, next| {
        // x → g₁·Eb·x/(Ea + g₁·x), then through g₂: the fee of the first stays with x.
        let kept = 1.0 - next.fee;
        let divisor = next.reserve_in + kept * whole.reserve_out;
        Pair {
            reserve_in: whole.reserve_in * next.reserve_in / divisor,
            reserve_out: kept * whole.reserve_out * next.reserve_out / divisor,
            fee: whole.fee,
        }
    }))
}

fn positive(name: &'static str, value: f64) -> Result<(), CalculatorError> {
    if value.is_finite() && value > 0.0 { Ok(()) } else { Err(CalculatorError::NotPositive { name, value }) }
}

fn cost(name: &'static str, value: f64) -> Result<(), CalculatorError> {
    if value.is_finite() && value >= 0.0 { Ok(()) } else { Err(CalculatorError::Negative { name, value }) }
}

fn fraction(name: &'static str, value: f64) -> Result<(), CalculatorError> {
    if (0.0..1.0).contains(&value) { Ok(()) } else { Err(CalculatorError::Fee { name, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loan(reserve_in_sell: f64, reserve_out_sell: f64) -> FlashLoan {
        FlashLoan {
            reserve_in_buy: 1e6,
            reserve_out_buy: 2e6,
            reserve_in_sell,
            reserve_out_sell,
            flashloan_fee: LOAN_FEE,
            gas_cost: GAS_COST,
            pool_fee: POOL_FEE,
        }
    }

    #[test]
    fn slippage_and_impact_of_the_published_pair() {
        let pair = Pair::new(1e6, 2e6).unwrap();
        let percent = |fraction: f64| format!("{:.7}", fraction * 100.0);
        assert_eq!(percent(pair.slippage(1e4)), "1.2841966");
        assert_eq!(percent(pair.market_impact(1e4)), "1.9674832");
        assert_eq!(percent(pair.market_impact(5e4)), "9.2840927");
        assert_eq!(percent(pair.price_impact(1e4)), "0.9900990");
        assert!((pair.slippage(1e4) - (1.0 - pair.amount_out(1e4) / 2e4)).abs() < 1e-15);
    }

    #[test]
    fn three_hops_add_up_to_the_published_sum() {
        let path = [(1e6, 2e6), (2e6, 2e6), (2e6, 1e6)].map(|(i, o)| Pair::new(i, o).unwrap());
        let slippage = path_slippage(&path, 25_000.0).unwrap();
        assert_eq!(format!("{:.7}", slippage.total * 100.0), "7.9834430");
        // All spot prices multiply to one, so what is lost is what does not come back.
        assert!((slippage.compound - (1.0 - slippage.amount_out / 25_000.0)).abs() < 1e-14);
        assert_eq!(slippage.hops.len(), 3);
        assert_eq!(path_slippage(&[], 1.0), Err(CalculatorError::EmptyPath));
    }

    #[test]
    fn flash_loans_of_the_published_table() {
        let printed = [
            (1.8e6, 1e6, "24010.835", "1112.6213"),
            (1.9e6, 1e6, "10982.31", "146.67"),
            (1.5e6, 1e6, "64899.36", "9690.35"),
            (1.8e6, 1.1e6, "48409.00", "4829.05"),
        ];
        for (reserve_in, reserve_out, amount, profit) in printed {
            let size = loan(reserve_in, reserve_out).best_size().unwrap();
            let digits = |text: &str| text.split('.').nth(1).unwrap().len();
            assert_eq!(format!("{:.*}", digits(amount), size.amount), amount);
            assert_eq!(format!("{:.*}", digits(profit), size.expected_profit), profit);
            assert!(size.profitable && size.amount.to_bits() == size.uncapped_amount.to_bits());
        }
        for reserve_in in [2.0e6, 2.1e6, 2.2e6] {
            let size = loan(reserve_in, 1e6).best_size().unwrap();
            let figures = [size.amount, size.uncapped_amount, size.expected_profit];
            assert!(!size.profitable && figures.iter().all(|figure| *figure == 0.0), "{size:?}");
        }
    }

    #[test]
    fn the_peak_beats_its_neighbours_and_the_cap_binds() {
        let base = loan(1.8e6, 1e6);
        let path = [Pair::new(1e6, 2e6).unwrap(), Pair::new(1.8e6, 1e6).unwrap()];
        let best = base.best_size().unwrap();
        for factor in [0.9, 0.99, 1.01, 1.1] {
            assert!(path_profit(&path, best.amount * factor, LOAN_FEE, GAS_COST).unwrap() < best.expected_profit);
        }
        let steep = FlashLoan { reserve_in_sell: 2e7, reserve_out_sell: 1e8, ..base }.best_size().unwrap();
        assert!(steep.uncapped_amount > steep.cap && steep.amount.to_bits() == steep.cap.to_bits());
        assert!((steep.cap - 3e5).abs() < 1e-9 && steep.expected_profit < steep.uncapped_profit);
        // Gas above the gross: the peak is still reported.
        let dear = FlashLoan { gas_cost: 5_000.0, ..base }.best_size().unwrap();
        assert!(!dear.profitable && dear.amount == 0.0 && (dear.uncapped_amount - best.amount).abs() < 1e-9);
        assert!(dear.uncapped_profit < 0.0);
    }

    #[test]
    fn four_hops_trade_like_their_joined_pair() {
        let path = [(1e6, 2e6), (3e6, 1e5), (4e5, 9e6), (7e6, 6e6)]
            .map(|(i, o)| Pair::with_fee(i, o, if i > 2e6 { 0.0005 } else { 0.01 }).unwrap());
        let whole = joined(&path).unwrap();
        for amount in [1.0, 1e3, 1e5, 1e7] {
            let stepped = path.iter().fold(amount, |amount, pair| pair.amount_out(amount));
            assert!((whole.amount_out(amount) / stepped - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn inputs_without_an_answer_are_named() {
        let bad = |loan: FlashLoan| loan.best_size().unwrap_err().to_string();
        let base = loan(1.8e6, 1e6);
        assert!(bad(FlashLoan { reserve_in_buy: f64::NAN, ..base }).starts_with("reserveInBuy is NaN"));
        assert!(bad(FlashLoan { reserve_out_sell: -1.0, ..base }).starts_with("reserveOutSell is -1"));
        assert!(bad(FlashLoan { reserve_out_buy: 0.0, ..base }).starts_with("reserveOutBuy is 0"));
        assert!(bad(FlashLoan { flashloan_fee: 1.0, ..base }).starts_with("flashloanFee is 1"));
        assert!(bad(FlashLoan { gas_cost: f64::INFINITY, ..base }).starts_with("gasCost is inf"));
        assert!(FlashLoan { gas_cost: 0.0, flashloan_fee: 0.0, ..base }.best_size().unwrap().profitable);
    }
}
