//! Token amounts as people write and read them: whole numbers of the smallest unit,
//! with the decimal form beside them.

use assay_amm::U256;
use assay_amm::snapshot::Snapshot;
use serde::Serialize;

use crate::error::JobError;

/// A token of a pool, as far as its state file names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenShown {
    /// Its place in the pool.
    pub index: usize,
    /// Its symbol, when the file says it.
    pub symbol: Option<String>,
    /// Its address, when the file says it.
    pub address: Option<String>,
    /// Its decimals, when the file says them.
    pub decimals: Option<u8>,
}

impl TokenShown {
    /// The token at `index` of the pool.
    #[must_use]
    pub fn of(snapshot: &Snapshot, index: usize) -> Self {
        let token = snapshot.tokens.get(index);
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        Self {
            index,
            symbol: token.and_then(|token| text(&token.symbol)),
            address: token.and_then(|token| text(&token.address)),
            decimals: token.and_then(|token| token.decimals),
        }
    }

    /// What to call it: symbol, else address, else its index.
    #[must_use]
    pub fn name(&self) -> String {
        let known = self.symbol.clone().or_else(|| self.address.clone());
        known.unwrap_or_else(|| format!("token {}", self.index))
    }

    /// What a command line calls it by.
    #[must_use]
    pub fn argument(&self) -> String {
        match &self.symbol {
            Some(symbol) if symbol.bytes().all(|byte| byte.is_ascii_alphanumeric()) => symbol.clone(),
            _ => self.index.to_string(),
        }
    }

    /// `amount` in whole tokens with the name, such as `1.5 WETH`; units where the
    /// decimals are unknown.
    #[must_use]
    pub fn amount(&self, amount: U256) -> String {
        match self.decimals {
            Some(decimals) => format!("{} {}", with_decimals(amount, decimals), self.name()),
            None => format!("{amount} units of {}", self.name()),
        }
    }
}

/// A number of units as a decimal number of whole tokens, without trailing zeros.
#[must_use]
pub fn with_decimals(amount: U256, decimals: u8) -> String {
    let places = usize::from(decimals);
    let digits = format!("{amount:0>width$}", amount = amount.to_string(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// Reads the amount that a user gave for `option`, in units of `token`.
///
/// # Errors
/// [`JobError::Input`] for anything but the digits of a positive integer; a decimal
/// number is answered with the integer it stands for.
pub fn parse_amount(option: &str, text: &str, token: &TokenShown) -> Result<U256, JobError> {
    let amount = parse_integer(option, text).map_err(|error| match fraction(text) {
        Some((whole, fraction)) => JobError::Input(format!("{option} {text}: {}", explain(whole, fraction, token))),
        None => error,
    })?;
    if amount.is_zero() {
        return Err(JobError::Input(format!(
            "{option} 0: a swap of nothing; give at least 1 unit of {}",
            token.name()
        )));
    }
    Ok(amount)
}

/// Reads an integer of up to 256 bits that a user gave for `option`.
///
/// # Errors
/// [`JobError::Input`] naming the option.
pub fn parse_integer(option: &str, text: &str) -> Result<U256, JobError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        let text = format!("{option} {text}: write a whole number by its digits alone, such as 1500000");
        return Err(JobError::Input(text));
    }
    U256::from_str_radix(text, 10).map_err(|_| JobError::Input(format!("{option} {text}: it does not fit 256 bits")))
}

/// The digits before and after the point of a decimal number.
fn fraction(text: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0).then_some((whole, fraction))
}

fn explain(whole: &str, fraction: &str, token: &TokenShown) -> String {
    let rule = "amounts are whole numbers of the token's smallest unit";
    let (name, fraction) = (token.name(), fraction.trim_end_matches('0'));
    let Some(decimals) = token.decimals else {
        return format!("{rule}, and the state file does not say the decimals of {name}");
    };
    let places = usize::from(decimals);
    if fraction.len() > places {
        return format!("{rule}, and {name} has {decimals} decimals: this is finer than one unit");
    }
    let units = format!("{whole}{fraction:0<places$}");
    let units = match units.trim_start_matches('0') {
        "" => "0",
        units => units,
    };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{rule}: {whole}{point}{fraction} {name} is {units}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(symbol: &str, decimals: Option<u8>) -> TokenShown {
        TokenShown { index: 1, symbol: Some(symbol.to_owned()), address: None, decimals }
    }

    #[test]
    fn units_and_decimals_are_one_amount() {
        let cases = [
            (0_u64, 18, "0"),
            (1, 18, "0.000000000000000001"),
            (1_500_000_000_000_000_000, 18, "1.5"),
            (100_000_000, 8, "1"),
            (123_456, 0, "123456"),
            (7, 255, &format!("0.{}7", "0".repeat(254))),
        ];
        for (units, decimals, text) in cases {
            assert_eq!(with_decimals(U256::from(units), decimals), text);
        }
        assert!(
            with_decimals(U256::MAX, 18).starts_with("115792089237316195423570985008687907853269984665640564039457.")
        );
    }

    #[test]
    fn a_decimal_number_is_answered_with_its_units() {
        let error = |text: &str, token: &TokenShown| parse_amount("--amount-in", text, token).unwrap_err().to_string();
        let weth = token("WETH", Some(18));
        assert!(error("1.5", &weth).ends_with("1.5 WETH is 1500000000000000000"));
        assert!(error(".50", &weth).ends_with("0.5 WETH is 500000000000000000"));
        assert!(error("2.", &weth).ends_with("2 WETH is 2000000000000000000"));
        assert!(error("0.0", &weth).ends_with("0 WETH is 0"));
        assert!(error("0.0000001", &token("USDC", Some(6))).contains("USDC has 6 decimals"));
        assert!(error("1.5", &token("X", None)).contains("does not say the decimals of X"));
        for bad in ["", "-1", "1e18", "1,000", "1_000", "0x10", " 1", "1.5.2", ".", "one"] {
            assert!(error(bad, &weth).contains("by its digits alone"), "{bad}");
        }
        assert!(error("0", &weth).contains("swap of nothing"));
        assert!(error(&format!("{}0", U256::MAX), &weth).contains("256 bits"));
        assert_eq!(parse_amount("--amount-in", &U256::MAX.to_string(), &weth).unwrap(), U256::MAX);
    }
}
