//! Numbers as people read them: one way for each kind, never `0.00` for what is not zero.

/// What stands for an undefined value.
pub const NONE: &str = "—";

/// A fraction as a percentage with two digits: `12.34 %`, `−0.50 %`.
#[must_use]
pub fn percent(value: f64) -> String {
    format!("{} %", fixed(value * 100.0, 2))
}

/// An amount of money with two digits and thin groups: `10,000.00`.
#[must_use]
pub fn money(value: f64) -> String {
    grouped(&fixed(value, 2))
}

/// A ratio with three digits.
#[must_use]
pub fn ratio(value: f64) -> String {
    fixed(value, 3)
}

/// `value` or a dash.
#[must_use]
pub fn or_dash(value: Option<f64>, format: fn(f64) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), format)
}

/// `value` with `digits` after the point, or with as many significant ones as it takes
/// not to look like zero; a minus sign, not a hyphen.
fn fixed(value: f64, digits: usize) -> String {
    let mut text = format!("{:.digits$}", value.abs());
    if value != 0.0 && text.bytes().all(|byte| byte == b'0' || byte == b'.') {
        text = format!("{:.1e}", value.abs());
    }
    let zero = value == 0.0;
    if value < 0.0 && !zero { format!("−{text}") } else { text }
}

fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('−').map_or(("", text), |rest| ("−", rest));
    let (whole, rest) = digits.find('.').map_or((digits, ""), |at| digits.split_at(at));
    if whole.contains('e') || rest.contains('e') {
        return text.to_owned();
    }
    let groups: Vec<&str> = whole.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    format!("{sign}{}{rest}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_one_way() {
        assert_eq!(percent(0.123_456), "12.35 %");
        assert_eq!(percent(-0.005), "−0.50 %");
        assert_eq!(money(1_234_567.891), "1,234,567.89");
        assert_eq!(money(-9_999.5), "−9,999.50");
        assert_eq!(money(0.0), "0.00");
        assert_eq!(ratio(0.910_455), "0.910");
        assert_eq!(or_dash(None, percent), NONE);
    }

    #[test]
    fn what_is_not_zero_never_looks_like_zero() {
        assert_eq!(percent(0.000_000_1), "1.0e-5 %");
        assert_eq!(money(-0.000_1), "−1.0e-4");
    }
}
