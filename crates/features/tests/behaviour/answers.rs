//! Reads TA-Lib's recorded answers and says how close is equal (R5).

const TOLERANCE: f64 = 1e-10;
const OSCILLATOR_SCALE: f64 = 100.0;

/// TA-Lib's columns by name; an empty field is a value that does not exist yet.
pub fn read(text: &str) -> Vec<(&str, Vec<Option<f64>>)> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut columns: Vec<_> = lines.next().unwrap().split(',').map(|name| (name, Vec::new())).collect();
    for line in lines {
        for (column, text) in columns.iter_mut().zip(line.split(',')) {
            column.1.push(if text.is_empty() { None } else { Some(text.parse().unwrap()) });
        }
    }
    columns
}

/// Prices are compared on the scale of the close, oscillators on 100, volume on itself.
fn scale(column: &str, close: f64) -> f64 {
    const PRICES: [&str; 8] = ["sma", "ema", "macd", "bollinger", "atr", "true", "standard", "momentum"];
    match column.split('_').next().unwrap() {
        name if PRICES.contains(&name) => close,
        "obv" => 0.0,
        _ => OSCILLATOR_SCALE,
    }
}

/// Fails unless `ours` is TA-Lib's value of `column` at a candle that closed at `close`.
pub fn assert_equal(column: &str, row: usize, close: f64, ours: f64, theirs: f64) {
    let limit = TOLERANCE * theirs.abs().max(scale(column, close));
    assert!((ours - theirs).abs() <= limit, "{column} at {row}: {ours} instead of {theirs}, limit {limit:e}");
}
