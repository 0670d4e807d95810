//! One row of named texts to one event.

use std::str::FromStr;

use ruint::aliases::U256;

use super::{Event, LiquidityEvent, Place, SwapEvent, SwapMode};

/// Named texts: a CSV record under its header, or a JSON object.
pub trait Row {
    /// The text of a field; `None` when there is no such field or it is empty.
    fn get(&self, name: &str) -> Option<&str>;
}

/// Reads the place of a row.
pub(super) fn place(row: &impl Row) -> Result<Place, String> {
    let number = |names: &[&str]| -> Result<u64, String> {
        let (name, text) = names
            .iter()
            .find_map(|name| Some((*name, row.get(name)?)))
            .ok_or_else(|| format!("no {}", names.join(" or ")))?;
        text.parse().map_err(|_| format!("{name} `{text}` is no whole number"))
    };
    Ok(Place {
        block: number(&["block", "block_number"])?,
        tx_index: number(&["tx_index", "transaction_index"])?,
        log_index: number(&["log_index", "seq_in_tx"])?,
    })
}

/// Reads the event of a row.
pub(super) fn event(row: &impl Row) -> Result<Event, String> {
    let kind = row.get("kind").ok_or("no kind")?;
    match kind {
        "initialize" => {
            Ok(Event::Initialize { sqrt_price_x96: wide(row, "sqrt_price_x96")?, tick: optional(row, "tick")? })
        }
        "mint" => Ok(Event::Mint(liquidity(row)?)),
        "burn" => Ok(Event::Burn(liquidity(row)?)),
        "collect" => Ok(Event::Collect {
            owner: owner(row)?,
            tick_lower: required(row, "tick_lower")?,
            tick_upper: required(row, "tick_upper")?,
            amounts: [wide(row, "amount0")?, wide(row, "amount1")?],
        }),
        "swap" => swap(row).map(Event::Swap),
        "flash" => Ok(Event::Flash {
            amounts: [wide(row, "amount0")?, wide(row, "amount1")?],
            paid: [wide(row, "paid0")?, wide(row, "paid1")?],
        }),
        "set_fee_protocol" => {
            Ok(Event::SetFeeProtocol { parts: [required(row, "fee_protocol0")?, required(row, "fee_protocol1")?] })
        }
        "collect_gauge" => Ok(Event::CollectGauge { amounts: [wide(row, "amount0")?, wide(row, "amount1")?] }),
        "collect_protocol" => Ok(Event::CollectProtocol { amounts: [wide(row, "amount0")?, wide(row, "amount1")?] }),
        other => Err(format!(
            "kind `{other}` is none of initialize, mint, burn, collect, swap, flash, set_fee_protocol, \
             collect_gauge, collect_protocol"
        )),
    }
}

fn swap(row: &impl Row) -> Result<SwapEvent, String> {
    let amounts = [signed(row, "amount0")?, signed(row, "amount1")?];
    let sqrt_price_x96 = wide(row, "sqrt_price_x96")?;
    let mut event = swap_of(amounts, sqrt_price_x96, required(row, "liquidity")?, required(row, "tick")?)?;
    event.fee_pips = optional(row, "fee_pips")?;
    event.mode = match row.get("swap_mode") {
        None => None,
        Some("ein") => Some(SwapMode::ExactIn),
        Some("eout") => Some(SwapMode::ExactOut),
        Some("lim") => Some(SwapMode::PriceLimit),
        Some(other) => return Err(format!("swap_mode `{other}` is none of ein, eout, lim")),
    };
    // A positive amount specified is an exact input, a negative one an exact output.
    if event.mode.is_none() && row.get("amount_specified").is_some() {
        let (negative, amount) = signed(row, "amount_specified")?;
        let swapped = if negative { event.amount_out } else { event.amount_in };
        event.mode = Some(match (negative, amount == swapped) {
            (_, false) => SwapMode::PriceLimit,
            (true, true) => SwapMode::ExactOut,
            (false, true) => SwapMode::ExactIn,
        });
    }
    Ok(event)
}

/// A swap from the signed amounts the pool logs: positive is paid in.
pub(super) fn swap_of(
    amounts: [(bool, U256); 2],
    sqrt_price_x96: U256,
    liquidity: u128,
    tick: i32,
) -> Result<SwapEvent, String> {
    let paid = |(negative, amount): (bool, U256)| !negative && !amount.is_zero();
    let received = |(negative, amount): (bool, U256)| negative && !amount.is_zero();
    let zero_for_one = paid(amounts[0]) || received(amounts[1]);
    let one_for_zero = paid(amounts[1]) || received(amounts[0]);
    if zero_for_one && one_for_zero {
        let [first, second] = amounts.map(|(negative, amount)| format!("{}{amount}", if negative { "-" } else { "" }));
        return Err(format!(
            "amount0 {first} and amount1 {second} have one sign: what is paid in is positive, what is paid out negative"
        ));
    }
    let (token_in, token_out) = if one_for_zero { (1, 0) } else { (0, 1) };
    Ok(SwapEvent {
        zero_for_one: !one_for_zero,
        amount_in: amounts[token_in].1,
        amount_out: amounts[token_out].1,
        sqrt_price_x96,
        liquidity,
        tick,
        fee_pips: None,
        mode: None,
    })
}

fn liquidity(row: &impl Row) -> Result<LiquidityEvent, String> {
    Ok(LiquidityEvent {
        owner: owner(row)?,
        tick_lower: required(row, "tick_lower")?,
        tick_upper: required(row, "tick_upper")?,
        liquidity: required(row, "liquidity")?,
        amounts: [wide(row, "amount0")?, wide(row, "amount1")?],
    })
}

fn owner(row: &impl Row) -> Result<Option<U256>, String> {
    let Some(text) = row.get("owner") else { return Ok(None) };
    let digits = text.strip_prefix("0x").ok_or_else(|| format!("owner `{text}` is no 0x address"))?;
    U256::from_str_radix(digits, 16).map(Some).map_err(|_| format!("owner `{text}` is no 0x address"))
}

fn required<T: FromStr>(row: &impl Row, name: &str) -> Result<T, String> {
    optional(row, name)?.ok_or_else(|| format!("no {name}"))
}

fn optional<T: FromStr>(row: &impl Row, name: &str) -> Result<Option<T>, String> {
    let Some(text) = row.get(name) else { return Ok(None) };
    digits(name, text)?;
    text.parse().map(Some).map_err(|_| format!("{name} {text} is out of range"))
}

fn wide(row: &impl Row, name: &str) -> Result<U256, String> {
    let text = row.get(name).ok_or_else(|| format!("no {name}"))?;
    let magnitude = digits(name, text)?;
    let value = if magnitude.len() == text.len() { decimal(magnitude) } else { None };
    value.ok_or_else(|| format!("{name} {text} is out of range"))
}

/// The value of decimal digits, when it fits: 19 at a time, which is what a native word holds.
fn decimal(digits: &str) -> Option<U256> {
    const AT_A_TIME: usize = 19;
    let mut value = U256::ZERO;
    for chunk in digits.as_bytes().chunks(AT_A_TIME) {
        let (part, scale) =
            chunk.iter().fold((0_u64, 1_u64), |(part, scale), digit| (part * 10 + u64::from(digit - b'0'), scale * 10));
        value = value.checked_mul(U256::from(scale))?.checked_add(U256::from(part))?;
    }
    Some(value)
}

fn signed(row: &impl Row, name: &str) -> Result<(bool, U256), String> {
    let text = row.get(name).ok_or_else(|| format!("no {name}"))?;
    let magnitude = digits(name, text)?;
    let negative = text.starts_with('-');
    match decimal(magnitude) {
        Some(value) if !value.bit(255) => Ok((negative, value)),
        _ => Err(format!("{name} {text} does not fit 256 signed bits")),
    }
}

/// The digits of a decimal integer; exponents and fractions have lost digits already.
fn digits<'a>(name: &str, text: &'a str) -> Result<&'a str, String> {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    if magnitude.is_empty() || !magnitude.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{name} `{text}` is not an integer: write all its digits"));
    }
    Ok(magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_words_are_the_digits_one_by_one() {
        let mut text = String::new();
        for length in 1..90_usize {
            text.push(char::from(b'0' + (length * 7 + 9) as u8 % 10));
            let expected = U256::from_str_radix(&text, 10).ok();
            assert_eq!(decimal(&text), expected, "{text}");
        }
        let largest = U256::MAX.to_string();
        assert_eq!(decimal(&largest), Some(U256::MAX));
        assert_eq!(decimal(&format!("{}6", &largest[..largest.len() - 1])), None);
        assert_eq!(decimal(&format!("{}{largest}", "0".repeat(100))), Some(U256::MAX));
    }
}
