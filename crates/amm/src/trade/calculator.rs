//! The calculator's questions: constant-product pairs given by decimal figures instead of a
//! contract's state.
//!
//! The figures become whole units without rounding ([`Decimal`]) and the answers are those of
//! the exact pair: amounts are floored to the finest unit as a contract would, and the size
//! of a loan is the best whole number of units ([`super::sizing`]). Only fractions (slippage,
//! impact) leave the integers, by one division.

use ruint::aliases::U256;

use super::decimal::Scale;
pub use super::decimal::{Decimal, MAX_DIGITS};
use super::slippage::{market_impact_v2, slippage_v2};
use super::{Leg, Terms, multi_hop, optimal_input};
use crate::error::AmmError;
use crate::kind::UniswapV2;

/// The fee of every pair of the calculator: parts of the input, and of how many.
pub const POOL_FEE: (u32, u32) = (3, 1_000);
/// The loan's fee when none is given: nine basis points.
pub const LOAN_FEE: &str = "0.0009";
/// The cost of the transaction when none is given, in the borrowed token.
pub const GAS_COST: &str = "100";
/// The largest part of the borrowed token's reserve in the first pair that may be traded, in percent.
pub const RESERVE_SHARE_PERCENT: u128 = 30;
/// Pairs in one path at most.
pub const MAX_HOPS: usize = 16;
/// Parts of the whole that a loan's fee is counted in.
const FEE_PARTS: u32 = 1_000_000_000;
/// Sizes that are tried at most.
const CANDIDATES: u32 = 1_024;

/// A question that has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalculatorError {
    /// A reserve or amount that is not above zero.
    #[error("{name} is {value}; it must be above 0")]
    NotPositive {
        /// Name of the input.
        name: String,
        /// Its value.
        value: Decimal,
    },
    /// A cost below zero.
    #[error("{name} is {value}; it must be at least 0")]
    Negative {
        /// Name of the input.
        name: String,
        /// Its value.
        value: Decimal,
    },
    /// A fee that is no fraction.
    #[error("{name} is {value}; a fee is a fraction of at least 0 and below 1, with at most 9 digits after the point")]
    Fee {
        /// Name of the input.
        name: String,
        /// Its value.
        value: Decimal,
    },
    /// A number that the common unit cannot hold.
    #[error(
        "{name} is {value}; beside numbers of this size at most {digits} digits after the point are counted, \
         and a reserve has at most 112 bits"
    )]
    Digits {
        /// Name of the input.
        name: String,
        /// Its value.
        value: Decimal,
        /// Digits after the point of the common unit.
        digits: u32,
    },
    /// A path without pairs, or with too many.
    #[error("{name} has {hops} hops; it must have 1 to {MAX_HOPS}")]
    Hops {
        /// Name of the path.
        name: String,
        /// Its length.
        hops: usize,
    },
    /// The exact engine refuses.
    #[error("{0}")]
    Engine(#[from] AmmError),
}

impl CalculatorError {
    /// The name of the input that is wrong, if it is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::NotPositive { name, .. }
            | Self::Negative { name, .. }
            | Self::Fee { name, .. }
            | Self::Digits { name, .. }
            | Self::Hops { name, .. } => Some(name),
            Self::Engine(_) => None,
        }
    }
}

/// The reserves of a pair in trading direction: of the token paid in and of the token received.
pub type Reserves = [Decimal; 2];

/// What one trade in a pair does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impact {
    /// What the trade receives.
    pub amount_out: Decimal,
    /// How far the spot price falls, as a fraction; the fee stays in the reserves.
    pub market_impact: f64,
    /// `1 − out / (in × spot)`, fee included.
    pub slippage: f64,
    /// The same against the spot price after the fee: the movement of the price alone.
    pub price_impact: f64,
}

/// What a trade of `amount` does to a pair.
///
/// # Errors
/// A number that is not above zero or does not fit, or a trade that buys nothing.
pub fn impact(reserves: Reserves, amount: Decimal) -> Result<Impact, CalculatorError> {
    let [reserve_in, reserve_out] = reserves;
    for (name, value) in [("reserveIn", reserve_in), ("reserveOut", reserve_out), ("tradeAmount", amount)] {
        positive(name, value)?;
    }
    let scale = Scale::of(&[reserve_in, reserve_out, amount]);
    let pair = pair(scale, ["reserveIn", "reserveOut"], reserves)?;
    let units = scale.units("tradeAmount", amount)?;
    let slippage = slippage_v2(&pair, 0, U256::from(units))?;
    Ok(Impact {
        amount_out: scale.decimal(signed(pair.amount_out(0, units)?)),
        market_impact: market_impact_v2(&pair, 0, U256::from(units))?,
        slippage: slippage.with_fee,
        price_impact: slippage.price_impact,
    })
}

/// What an amount loses along a path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathSlippage {
    /// The fractions added up, as tools that add print it.
    pub total: f64,
    /// The fractions compounded: what the whole path loses.
    pub compound: f64,
    /// What the path loses without the fees: the movement of the prices alone, compounded.
    pub price_impact: f64,
    /// Slippage of each hop at the amount that reaches it; one where nothing is received.
    pub hops: Vec<f64>,
    /// What the last hop pays.
    pub amount_out: Decimal,
}

/// The slippage of `amount` along `path`, each hop trading what the one before pays.
///
/// # Errors
/// A path without hops or with too many, a number that is not above zero or does not fit.
pub fn path_slippage(path: &[Reserves], amount: Decimal) -> Result<PathSlippage, CalculatorError> {
    let walked = walk("path", path, "flashloanAmount", amount, &[])?;
    Ok(walked.slippage)
}

/// What a loan traded along a cycle leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct PathProfit {
    /// The output less the loan, its fee (rounded up) and the gas; may be negative.
    pub profit: Decimal,
    /// What the path loses.
    pub slippage: PathSlippage,
}

/// What a loan of `amount` traded along the cycle `path` leaves. `name` is how messages call
/// the path, such as `paths[2]`; `amount_name` and `gas_name` likewise.
///
/// # Errors
/// As [`path_slippage`], or a fee or cost out of range.
pub fn path_profit(
    (name, path): (&str, &[Reserves]),
    (amount_name, amount): (&str, Decimal),
    loan_fee: Decimal,
    (gas_name, gas_cost): (&str, Decimal),
) -> Result<PathProfit, CalculatorError> {
    let fee_parts = fee("flashloanFee", loan_fee)?;
    cost(gas_name, gas_cost)?;
    let Walked { scale, amount_in, amount_out, slippage } = walk(name, path, amount_name, amount, &[gas_cost])?;
    let gas = scale.units(gas_name, gas_cost)?;
    let loan_fee = loan_fee_units(amount_in, fee_parts)?;
    let profit = signed(amount_out) - signed(amount_in) - loan_fee - signed(gas);
    Ok(PathProfit { profit: scale.decimal(profit), slippage })
}

/// A loan to buy in one pair and sell in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlashLoan {
    /// The pair that is bought from: reserves of the borrowed and of the bought token.
    pub buy: Reserves,
    /// The pair that is sold to: reserves of the bought and of the borrowed token.
    pub sell: Reserves,
    /// The lender's fee as a fraction, in [0, 1).
    pub loan_fee: Decimal,
    /// Cost of the transaction, in the borrowed token.
    pub gas_cost: Decimal,
}

/// The best size of a loan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlashLoanSize {
    /// What to borrow, at most `cap`; zero when no size pays.
    pub amount: Decimal,
    /// What is left after the loan, its fee and the gas; zero when `amount` is.
    pub expected_profit: Decimal,
    /// The best size without the cap; zero when no size pays.
    pub uncapped_amount: Decimal,
    /// What that size leaves.
    pub uncapped_profit: Decimal,
    /// The largest amount allowed: [`RESERVE_SHARE_PERCENT`] of the borrowed token's reserve.
    pub cap: Decimal,
    /// Whether no whole number of units can do better than `amount`.
    pub certified: bool,
}

impl FlashLoan {
    /// The best size: the peak of the closed form, then the whole numbers around it.
    ///
    /// # Errors
    /// A reserve that is not above zero, a fee or cost out of range, or numbers that do not fit.
    pub fn best_size(&self) -> Result<FlashLoanSize, CalculatorError> {
        let names = [["reserveInBuy", "reserveOutBuy"], ["reserveInSell", "reserveOutSell"]];
        for (names, reserves) in names.iter().zip([self.buy, self.sell]) {
            positive(names[0], reserves[0])?;
            positive(names[1], reserves[1])?;
        }
        let loan_fee = fee("flashloanFee", self.loan_fee)?;
        cost("gasCost", self.gas_cost)?;
        let scale = Scale::of(&[self.buy[0], self.buy[1], self.sell[0], self.sell[1], self.gas_cost]);
        let (buy, sell) = (pair(scale, names[0], self.buy)?, pair(scale, names[1], self.sell)?);
        let legs = [Leg { pool: &buy, token_in: 0 }, Leg { pool: &sell, token_in: 0 }];
        let cap =
            buy.reserves()[0] / 100 * RESERVE_SHARE_PERCENT + buy.reserves()[0] % 100 * RESERVE_SHARE_PERCENT / 100;
        let mut terms = Terms {
            loan_fee,
            loan_fee_denominator: FEE_PARTS,
            fixed_cost: scale.units("gasCost", self.gas_cost)?,
            max_in: None,
            candidates: CANDIDATES,
        };
        let uncapped = optimal_input(&legs, &terms)?;
        let best = match uncapped.trade {
            Some(trade) if trade.amount_in > U256::from(cap) => {
                terms.max_in = Some(cap);
                optimal_input(&legs, &terms)?
            }
            _ => uncapped,
        };
        let amount = |units: U256| u128::try_from(units).map_or(Decimal::ZERO, |units| scale.decimal(signed(units)));
        let figures = |sizing: &super::Sizing| {
            sizing.trade.map_or((Decimal::ZERO, Decimal::ZERO), |trade| (amount(trade.amount_in), amount(trade.profit)))
        };
        let ((amount, expected_profit), (uncapped_amount, uncapped_profit)) = (figures(&best), figures(&uncapped));
        Ok(FlashLoanSize {
            amount,
            expected_profit,
            uncapped_amount,
            uncapped_profit,
            cap: scale.decimal(signed(cap)),
            certified: best.certified,
        })
    }
}

/// A path walked, in units.
struct Walked {
    scale: Scale,
    amount_in: u128,
    amount_out: u128,
    slippage: PathSlippage,
}

/// Walks `amount` along `path`, at a scale that holds `others` too.
fn walk(
    name: &str,
    path: &[Reserves],
    amount_name: &str,
    amount: Decimal,
    others: &[Decimal],
) -> Result<Walked, CalculatorError> {
    if path.is_empty() || path.len() > MAX_HOPS {
        return Err(CalculatorError::Hops { name: name.to_owned(), hops: path.len() });
    }
    positive(amount_name, amount)?;
    for (hop, reserves) in path.iter().enumerate() {
        positive(&format!("{name}[{hop}][0]"), reserves[0])?;
        positive(&format!("{name}[{hop}][1]"), reserves[1])?;
    }
    let numbers: Vec<Decimal> = path.iter().flatten().chain(others).copied().chain([amount]).collect();
    let scale = Scale::of(&numbers);
    let amount_in = scale.units(amount_name, amount)?;
    let (mut amount, mut hops, mut impacts) = (amount_in, Vec::with_capacity(path.len()), Vec::new());
    for (hop, reserves) in path.iter().enumerate() {
        let pair = pair(scale, [&format!("{name}[{hop}][0]"), &format!("{name}[{hop}][1]")], *reserves)?;
        if amount == 0 {
            // The hop before paid less than one unit: nothing is left to lose.
            hops.push(0.0);
            continue;
        }
        let lost = slippage_v2(&pair, 0, U256::from(amount))?;
        hops.push(lost.with_fee);
        impacts.push(lost.price_impact);
        amount = pair.amount_out(0, amount)?;
    }
    let slippage = PathSlippage {
        total: multi_hop::sum(&hops),
        compound: multi_hop::compound(&hops),
        price_impact: multi_hop::compound(&impacts),
        hops,
        amount_out: scale.decimal(signed(amount)),
    };
    Ok(Walked { scale, amount_in, amount_out: amount, slippage })
}

fn pair(scale: Scale, names: [&str; 2], reserves: Reserves) -> Result<UniswapV2, CalculatorError> {
    let units = [scale.units(names[0], reserves[0])?, scale.units(names[1], reserves[1])?];
    Ok(UniswapV2::new(units, POOL_FEE.0, POOL_FEE.1)?)
}

/// The lender's fee of `amount`, rounded up to a whole unit.
fn loan_fee_units(amount: u128, fee_parts: u32) -> Result<i128, CalculatorError> {
    let fee = (U256::from(amount) * U256::from(fee_parts)).div_ceil(U256::from(FEE_PARTS));
    let fee = u128::try_from(fee).map_err(|_| AmmError::Overflow { what: "the loan fee".into(), bits: 128 })?;
    Ok(signed(fee))
}

/// Units of a pair have at most 112 bits.
fn signed(units: u128) -> i128 {
    i128::try_from(units).unwrap_or(i128::MAX)
}

fn positive(name: &str, value: Decimal) -> Result<(), CalculatorError> {
    if value.is_positive() { Ok(()) } else { Err(CalculatorError::NotPositive { name: name.to_owned(), value }) }
}

fn cost(name: &str, value: Decimal) -> Result<(), CalculatorError> {
    if value.is_negative() { Err(CalculatorError::Negative { name: name.to_owned(), value }) } else { Ok(()) }
}

fn fee(name: &str, value: Decimal) -> Result<u32, CalculatorError> {
    value.parts_of(FEE_PARTS).ok_or_else(|| CalculatorError::Fee { name: name.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn reserves(reserve_in: &str, reserve_out: &str) -> Reserves {
        [number(reserve_in), number(reserve_out)]
    }

    fn loan(reserve_in_sell: &str, reserve_out_sell: &str) -> FlashLoan {
        FlashLoan {
            buy: reserves("1000000", "2000000"),
            sell: reserves(reserve_in_sell, reserve_out_sell),
            loan_fee: number(LOAN_FEE),
            gas_cost: number(GAS_COST),
        }
    }

    fn rounded(value: Decimal, digits: usize) -> String {
        format!("{:.digits$}", value.to_string().parse::<f64>().unwrap())
    }

    #[test]
    fn slippage_and_impact_of_the_published_pair() {
        let percent = |fraction: f64| format!("{:.7}", fraction * 100.0);
        let small = impact(reserves("1000000", "2000000"), number("10000")).unwrap();
        assert_eq!(percent(small.slippage), "1.2841966");
        assert_eq!(percent(small.market_impact), "1.9674832");
        assert!((small.price_impact - 9970.0 / 1_009_970.0).abs() < 1e-15);
        let large = impact(reserves("1000000", "2000000"), number("50000")).unwrap();
        assert_eq!(percent(large.market_impact), "9.2840927");
    }

    #[test]
    fn three_hops_add_up_to_the_published_sum() {
        let path =
            [("1000000", "2000000"), ("2000000", "2000000"), ("2000000", "1000000")].map(|(i, o)| reserves(i, o));
        let slippage = path_slippage(&path, number("25000")).unwrap();
        assert_eq!(format!("{:.7}", slippage.total * 100.0), "7.9834430");
        // All spot prices multiply to one, so what is lost is what does not come back.
        let out: f64 = slippage.amount_out.to_string().parse().unwrap();
        assert!((slippage.compound - (1.0 - out / 25_000.0)).abs() < 1e-14);
        assert!(slippage.price_impact < slippage.compound && slippage.hops.len() == 3);
        assert!(matches!(path_slippage(&[], number("1")), Err(CalculatorError::Hops { hops: 0, .. })));
        assert!(path_slippage(&[path[0]; MAX_HOPS + 1], number("1")).is_err());
    }

    #[test]
    fn flash_loans_of_the_published_table() {
        let printed = [
            ("1800000", "1000000", "24010.835", "1112.6213"),
            ("1900000", "1000000", "10982.31", "146.67"),
            ("1500000", "1000000", "64899.36", "9690.35"),
            ("1800000", "1100000", "48409.00", "4829.05"),
        ];
        for (reserve_in, reserve_out, amount, profit) in printed {
            let size = loan(reserve_in, reserve_out).best_size().unwrap();
            let digits = |text: &str| text.split('.').nth(1).unwrap().len();
            assert_eq!(rounded(size.amount, digits(amount)), amount);
            assert_eq!(rounded(size.expected_profit, digits(profit)), profit);
            assert!(size.amount == size.uncapped_amount && size.certified, "{size:?}");
        }
        for reserve_in in ["2000000", "2100000", "2200000"] {
            let size = loan(reserve_in, "1000000").best_size().unwrap();
            let figures = [size.amount, size.uncapped_amount, size.expected_profit];
            assert!(size.certified && figures == [Decimal::ZERO; 3], "{size:?}");
        }
    }

    /// A grid of sizes up to the cap, against the size that is answered.
    #[test]
    fn no_size_of_a_grid_does_better() {
        let fractions = ["", "0000000000000000"];
        for (seed, tail) in (0..60_u32).zip(fractions.iter().cycle()) {
            let draw = |salt: u32, low: u32, high: u32| low + (seed * 7919 + salt * 104_729) % (high - low);
            let text = |units: u32| format!("{units}{tail}");
            let loan = FlashLoan {
                buy: [number(&text(draw(1, 500, 900))), number(&text(draw(2, 900, 1900)))],
                sell: [number(&text(draw(3, 400, 900))), number(&text(draw(4, 700, 1900)))],
                loan_fee: number(["0", "0.0009", "0.01"][seed as usize % 3]),
                gas_cost: number(&text(draw(5, 0, 9))),
            };
            let best = loan.best_size().unwrap();
            let path = [loan.buy, loan.sell];
            let profit = |amount: Decimal| {
                path_profit(("path", &path), ("amount", amount), loan.loan_fee, ("gas", loan.gas_cost)).unwrap().profit
            };
            let value = |number: Decimal| number.to_string().parse::<f64>().unwrap();
            if best.amount != Decimal::ZERO {
                assert_eq!(profit(best.amount), best.expected_profit);
                assert!(value(best.amount) <= value(best.cap));
            }
            let unit = value(number(&text(1)));
            let steps = (value(best.cap) / unit) as u32;
            for step in 1..=steps {
                let tried = profit(number(&text(step)));
                assert!(value(tried) <= value(best.expected_profit) + 1e-9, "{loan:?}: {step} gives {tried}, {best:?}");
            }
        }
    }

    #[test]
    fn the_cap_binds_and_gas_can_eat_the_gain() {
        let base = loan("1800000", "1000000");
        let steep = FlashLoan { sell: reserves("20000000", "100000000"), ..base }.best_size().unwrap();
        assert_eq!(steep.amount.to_string(), "300000");
        assert!(rounded(steep.uncapped_amount, 0).parse::<f64>().unwrap() > 3e5 && steep.cap == steep.amount);
        let dear = FlashLoan { gas_cost: number("5000"), ..base }.best_size().unwrap();
        assert!(dear.amount == Decimal::ZERO && dear.uncapped_amount == Decimal::ZERO && dear.certified);
    }

    #[test]
    fn inputs_without_an_answer_are_named() {
        let bad = |loan: FlashLoan| loan.best_size().unwrap_err().to_string();
        let base = loan("1800000", "1000000");
        assert!(bad(FlashLoan { buy: reserves("0", "1"), ..base }).starts_with("reserveInBuy is 0"));
        assert!(bad(FlashLoan { sell: reserves("1", "-1"), ..base }).starts_with("reserveOutSell is -1"));
        for fee in ["1", "-0.1", "0.0000000001"] {
            assert!(bad(FlashLoan { loan_fee: number(fee), ..base }).starts_with("flashloanFee is"), "{fee}");
        }
        assert!(bad(FlashLoan { gas_cost: number("-1"), ..base }).starts_with("gasCost is -1"));
        let huge = number(&"9".repeat(35));
        assert!(bad(FlashLoan { buy: [huge, huge], ..base }).contains("112 bits"));
        let error = impact(reserves("1", "1"), Decimal::ZERO).unwrap_err();
        assert_eq!(error.field(), Some("tradeAmount"));
    }
}
