//! Returns by calendar month (UTC). A candle belongs to the month it opens in; a
//! month's return is from the last equity before it to its own last equity.

use assay_types::time::{month_start_ms, utc_date};
use serde::{Deserialize, Serialize};

/// The return of one calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MonthReturn {
    /// Year.
    pub year: i16,
    /// Month, 1 to 12.
    pub month: i8,
    /// Return as a fraction; `None` when the month began without equity.
    #[serde(rename = "return")]
    pub value: Option<f64>,
}

/// The return of every month that has a candle, in order; `equity` is that at the
/// closes of the candles that open at `open_time_ms`.
#[must_use]
pub fn month_returns(equity: &[f64], open_time_ms: &[i64]) -> Vec<MonthReturn> {
    let mut months = Vec::new();
    let mut start = 0;
    let Some(&first) = equity.first() else { return months };
    let mut before = first;
    while start < open_time_ms.len() {
        let Some((year, month, _)) = utc_date(open_time_ms[start]) else { break };
        let next = if month == 12 { month_start_ms(year + 1, 1) } else { month_start_ms(year, month + 1) };
        let next = next.unwrap_or(i64::MAX);
        let end = start + open_time_ms[start..].partition_point(|&time| time < next);
        let last = equity[end - 1];
        months.push(MonthReturn { year, month, value: (before > 0.0).then(|| last / before - 1.0) });
        before = last;
        start = end;
    }
    months
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::time::parse_utc;

    #[test]
    fn months_chain_to_the_total() {
        let opens = ["2023-12-30", "2023-12-31", "2024-01-01", "2024-03-05"].map(|text| parse_utc(text).unwrap());
        let months = month_returns(&[100.0, 110.0, 99.0, 198.0], &opens);
        let names: Vec<_> = months.iter().map(|month| (month.year, month.month)).collect();
        assert_eq!(names, [(2023, 12), (2024, 1), (2024, 3)]);
        let total: f64 = months.iter().map(|month| 1.0 + month.value.unwrap()).product();
        assert!((total - 1.98).abs() < 1e-12);
        assert!(month_returns(&[], &[]).is_empty());
    }
}
