//! Token amounts and fixed-point shares as people read them: exact, from integers alone.

use assay_amm::U256;
use assay_lp::record::Signed;
use assay_lp::token0_value;

/// Digits after the point of gains and scores.
const FIXED_DIGITS: usize = 18;
/// Digits after the point that a shortened number keeps.
const SHORT_DIGITS: usize = 6;
/// Significant digits that a shortened number keeps at least.
const SIGNIFICANT: usize = 3;
/// Characters of a stranger's text that a page shows.
const MAX_TEXT: usize = 300;

/// How the two tokens of a pool are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Symbols of token 0 and token 1; `token 0` and `token 1` without them.
    pub symbols: Option<[String; 2]>,
    /// Digits after the point; amounts are in smallest units without them.
    pub decimals: Option<[u8; 2]>,
}

/// Most digits after the point that a token can have.
const MAX_DECIMALS: u8 = 77;

impl std::str::FromStr for Tokens {
    type Err = String;

    /// Reads `WETH:18,OP:18`: symbol and decimals of token 0 and token 1.
    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not SYMBOL:DECIMALS,SYMBOL:DECIMALS, as in WETH:18,USDC:6");
        let token = |part: &str| {
            let (symbol, decimals) = part.split_once(':').ok_or_else(fail)?;
            let decimals =
                decimals.trim().parse().ok().filter(|decimals| *decimals <= MAX_DECIMALS).ok_or_else(fail)?;
            let symbol = symbol.trim().to_owned();
            if symbol.is_empty() { Err(fail()) } else { Ok((symbol, decimals)) }
        };
        let (first, second) = text.split_once(',').ok_or_else(fail)?;
        let ((symbol0, decimals0), (symbol1, decimals1)) = (token(first)?, token(second)?);
        Ok(Self { symbols: Some([symbol0, symbol1]), decimals: Some([decimals0, decimals1]) })
    }
}

/// Where a page is written, and how it writes amounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFile {
    /// The file.
    pub path: std::path::PathBuf,
    /// The pool's tokens.
    pub tokens: Tokens,
}

impl Tokens {
    /// The token's name, with its unit when amounts are in smallest units.
    #[must_use]
    pub fn name(&self, token: usize) -> String {
        let symbol = self.symbols.as_ref().map_or_else(|| format!("token {token}"), |symbols| clean(&symbols[token]));
        if self.decimals.is_some() { symbol } else { format!("{symbol} units") }
    }

    /// Digits after the point.
    #[must_use]
    pub fn digits(&self, token: usize) -> usize {
        self.decimals.map_or(0, |decimals| usize::from(decimals[token]))
    }

    /// The exact amount, without the token's name.
    #[must_use]
    pub fn exact(&self, token: usize, amount: U256) -> String {
        decimal(amount, self.digits(token))
    }

    /// The exact signed amount, without the token's name.
    #[must_use]
    pub fn signed(&self, token: usize, amount: Signed) -> String {
        sign(amount.0, amount.1.is_zero()) + &self.exact(token, amount.1)
    }

    /// A signed amount cut to six digits or three significant ones, without the token's name.
    #[must_use]
    pub fn cut(&self, token: usize, amount: Signed) -> String {
        sign(amount.0, amount.1.is_zero()) + &cut(&self.exact(token, amount.1), SHORT_DIGITS)
    }

    /// The same with the token's name.
    #[must_use]
    pub fn short(&self, token: usize, amount: Signed) -> String {
        format!("{} {}", self.cut(token, amount), self.name(token))
    }

    /// The price of token 0 in token 1, eight significant digits, rounded down.
    #[must_use]
    pub fn price(&self, sqrt_price_x96: U256) -> String {
        // The most digits of a unit of token 0 that 192 bits hold.
        const DIGITS: usize = 57;
        let (own, other) = (self.digits(0), self.digits(1));
        if own > DIGITS {
            return super::NONE.to_owned();
        }
        for extra in (0..=DIGITS - own).rev().step_by(6) {
            let unit = U256::from(10).pow(U256::from(own + extra));
            if let Some(value) = token0_value(unit, sqrt_price_x96) {
                return significant(&decimal(value, other + extra), 8);
            }
        }
        super::NONE.to_owned()
    }

    /// `WETH / OP`: what a price is counted in.
    #[must_use]
    pub fn price_unit(&self) -> String {
        format!("{} per {}", self.name(1), self.name(0))
    }

    /// What a price in smallest units is multiplied by, for charts.
    #[must_use]
    pub fn price_factor(&self) -> f64 {
        power_of_ten(self.digits(0) as i32 - self.digits(1) as i32)
    }

    /// A signed amount for charts.
    #[must_use]
    pub fn float(&self, token: usize, amount: Signed) -> f64 {
        let size = assay_amm::integer::to_f64(amount.1) * power_of_ten(-(self.digits(token) as i32));
        if amount.0 { size } else { -size }
    }
}

fn power_of_ten(exponent: i32) -> f64 {
    10_f64.powi(exponent)
}

fn sign(positive: bool, zero: bool) -> String {
    if positive || zero { String::new() } else { "−".to_owned() }
}

/// `value / 10^digits` in full, groups of three before the point, no zeros at the end.
#[must_use]
pub fn decimal(value: U256, digits: usize) -> String {
    let text = format!("{value:0>width$}", value = value.to_string(), width = digits + 1);
    let (whole, rest) = text.split_at(text.len() - digits);
    let rest = rest.trim_end_matches('0');
    let groups: Vec<&str> = whole.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    let point = if rest.is_empty() { "" } else { "." };
    format!("{}{point}{rest}", groups.join(","))
}

/// A number at 1e-18, in full.
#[must_use]
pub fn fixed_exact(value: i128) -> String {
    sign(value >= 0, false) + &decimal(U256::from(value.unsigned_abs()), FIXED_DIGITS)
}

/// A number at 1e-18, cut to six digits or three significant ones.
#[must_use]
pub fn fixed_short(value: i128) -> String {
    sign(value >= 0, false) + &cut(&decimal(U256::from(value.unsigned_abs()), FIXED_DIGITS), SHORT_DIGITS)
}

/// A share at 1e-18 as a percentage, cut to four digits or three significant ones.
#[must_use]
pub fn fixed_percent(value: i128) -> String {
    let text = decimal(U256::from(value.unsigned_abs()), FIXED_DIGITS - 2);
    format!("{}{} %", sign(value >= 0, false), cut(&text, 4))
}

/// `part` of `whole` as a percentage with two digits, rounded down; a dash when `whole` is 0.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return super::NONE.to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    if hundredths == 0 && part > 0 {
        return "below 0.01 %".to_owned();
    }
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// Keeps `digits` after the point, or as many as show three significant ones; rounded
/// toward zero.
fn cut(text: &str, digits: usize) -> String {
    let Some((whole, rest)) = text.split_once('.') else { return text.to_owned() };
    let zeros = rest.len() - rest.trim_start_matches('0').len();
    let keep = if whole == "0" { digits.max(zeros + SIGNIFICANT) } else { digits };
    let rest = rest[..keep.min(rest.len())].trim_end_matches('0');
    if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
}

/// Keeps `count` significant digits after the point at most; rounded toward zero.
fn significant(text: &str, count: usize) -> String {
    let Some((whole, rest)) = text.split_once('.') else { return text.to_owned() };
    let used = if whole == "0" { 0 } else { whole.bytes().filter(u8::is_ascii_digit).count() };
    let zeros = if used == 0 { rest.len() - rest.trim_start_matches('0').len() } else { 0 };
    let rest = rest[..(zeros + count.saturating_sub(used)).min(rest.len())].trim_end_matches('0');
    if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
}

/// A stranger's text: cut, and without characters that hide or turn what is beside it.
#[must_use]
pub fn clean(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut clean: String = text.chars().take(MAX_TEXT).map(|c| if hides(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        clean.push('…');
    }
    clean
}

/// A long key as its beginning and its end.
#[must_use]
pub fn short_name(name: &str) -> String {
    let name = clean(name);
    let count = name.chars().count();
    if count <= 24 {
        return name;
    }
    let head: String = name.chars().take(10).collect();
    let tail: String = name.chars().skip(count - 8).collect();
    format!("{head}…{tail}")
}

/// The sum of signed amounts; `None` above 256 bits.
#[must_use]
pub fn add(first: Signed, second: Signed) -> Option<Signed> {
    if first.0 == second.0 {
        return Some((first.0, first.1.checked_add(second.1)?));
    }
    Some(if first.1 >= second.1 { (first.0, first.1 - second.1) } else { (second.0, second.1 - first.1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(decimals: Option<[u8; 2]>) -> Tokens {
        Tokens { symbols: Some(["WETH".into(), "USDC".into()]), decimals }
    }

    #[test]
    fn amounts_are_exact() {
        let tokens = tokens(Some([18, 6]));
        assert_eq!(tokens.exact(0, U256::from(1_234_567_000_000_000_000_001_u128)), "1,234.567000000000000001");
        assert_eq!(tokens.exact(1, U256::ONE), "0.000001");
        assert_eq!(tokens.exact(1, U256::ZERO), "0");
        assert_eq!(tokens.signed(1, (false, U256::from(1_500_000))), "−1.5");
        assert_eq!(tokens.signed(1, (false, U256::ZERO)), "0");
        assert_eq!(tokens.exact(1, U256::MAX).replace([',', '.'], ""), U256::MAX.to_string());
    }

    #[test]
    fn without_decimals_amounts_are_smallest_units() {
        let tokens = tokens(None);
        assert_eq!(tokens.exact(0, U256::from(1_234_567)), "1,234,567");
        assert_eq!(tokens.short(0, (false, U256::from(1_000))), "−1,000 WETH units");
        assert_eq!(Tokens::default().name(1), "token 1 units");
    }

    #[test]
    fn a_shortened_number_that_is_not_zero_never_looks_like_zero() {
        let tokens = tokens(Some([18, 6]));
        assert_eq!(tokens.short(0, (true, U256::ONE)), "0.000000000000000001 WETH");
        assert_eq!(tokens.short(0, (true, U256::from(1_234_567_890_123_u64))), "0.00000123 WETH");
        assert_eq!(tokens.short(1, (true, U256::from(1_234_567_891_u64))), "1,234.567891 USDC");
        assert_eq!(
            (fixed_percent(1), fixed_percent(-1)),
            ("0.0000000000000001 %".into(), "−0.0000000000000001 %".into())
        );
        assert_eq!(fixed_percent(-123_456_789_012_345_678), "−12.3456 %");
        assert_eq!(fixed_short(-7_420_657_955_128_831_000), "−7.420657");
        assert_eq!(fixed_exact(i128::MIN), "−170,141,183,460,469,231,731.687303715884105728");
        assert_eq!(
            (share(1, 1_000_000), share(0, 5), share(5, 0)),
            ("below 0.01 %".into(), "0.00 %".into(), "—".into())
        );
        assert_eq!(share(2, 3), "66.66 %");
    }

    #[test]
    fn prices_have_eight_digits() {
        let one = U256::ONE << 96;
        assert_eq!(tokens(Some([18, 6])).price(one), "1,000,000,000,000");
        assert_eq!(tokens(Some([6, 18])).price(one), "0.000000000001");
        assert_eq!(tokens(None).price(one * U256::from(3) / U256::from(2)), "2.25");
        assert_eq!(
            tokens(Some([18, 18])).price(U256::from(2_258_127_719_792_565_547_181_614_648_221_u128)),
            "812.33999"
        );
        let highest = assay_amm::concentrated::MAX_SQRT_PRICE;
        assert!(tokens(Some([18, 6])).price(highest).len() > 30);
    }

    #[test]
    fn hostile_text_is_cut_and_made_visible() {
        assert_eq!(clean("a\u{202e}b\u{0}\n"), "a\u{fffd}b\u{fffd}\u{fffd}");
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), MAX_TEXT + 1);
        assert_eq!(short_name(&"é".repeat(64)).chars().count(), 19);
    }

    #[test]
    fn signed_sums() {
        let (two, five) = (U256::from(2), U256::from(5));
        assert_eq!(add((true, two), (false, five)), Some((false, U256::from(3))));
        assert_eq!(add((true, five), (false, two)), Some((true, U256::from(3))));
        assert_eq!(add((false, two), (false, five)), Some((false, U256::from(7))));
        assert_eq!(add((true, U256::MAX), (true, two)), None);
    }
}
