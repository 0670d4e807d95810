//! Time of day and day of week of a candle's open, as points on a circle (UTC).

use assay_types::time::DAY_MS;

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;

const MINUTE_MS: i64 = 60_000;
const MINUTES: usize = 1_440;
const DAYS: usize = 7;
/// 1970-01-01 was a Thursday; weeks are counted from Monday.
const FIRST_WEEKDAY: i64 = 3;

/// Sine and cosine of `steps` equal steps around the circle.
fn circle(steps: usize) -> Vec<[f64; 2]> {
    (0..steps)
        .map(|step| {
            let angle = step as f64 / steps as f64 * std::f64::consts::TAU;
            [libm::sin(angle), libm::cos(angle)]
        })
        .collect()
}

/// Sine and cosine of the minute of the day, midnight UTC at angle 0. No warm-up.
#[derive(Debug, Clone)]
pub struct HourOfDay {
    circle: Vec<[f64; 2]>,
}

impl HourOfDay {
    /// The clock.
    #[must_use]
    pub fn new() -> Self {
        Self { circle: circle(MINUTES) }
    }
}

impl Default for HourOfDay {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for HourOfDay {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let minute = bar.open_time_ms.rem_euclid(DAY_MS) / MINUTE_MS;
        row.copy_from_slice(&self.circle[minute as usize]);
    }

    fn archive(&mut self, _archive: &mut Archive<'_>) {}
}

/// Sine and cosine of the day of the week, Monday at angle 0. No warm-up.
#[derive(Debug, Clone)]
pub struct Weekday {
    circle: Vec<[f64; 2]>,
}

impl Weekday {
    /// The calendar.
    #[must_use]
    pub fn new() -> Self {
        Self { circle: circle(DAYS) }
    }
}

impl Default for Weekday {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for Weekday {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let day = (bar.open_time_ms.div_euclid(DAY_MS) + FIRST_WEEKDAY).rem_euclid(DAYS as i64);
        row.copy_from_slice(&self.circle[day as usize]);
    }

    fn archive(&mut self, _archive: &mut Archive<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Bar {
        let open_time_ms = assay_types::time::parse_utc(text).unwrap();
        Bar { open_time_ms, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 0.0 }
    }

    #[test]
    fn a_day_and_a_week_are_circles() {
        let mut row = [0.0; 2];
        let near = |row: [f64; 2], expected: [f64; 2]| {
            (row[0] - expected[0]).abs() < 1e-15 && (row[1] - expected[1]).abs() < 1e-15
        };
        for (text, expected) in
            [("2024-01-01", [0.0, 1.0]), ("2024-01-01T06:00Z", [1.0, 0.0]), ("1969-12-31T12:00Z", [0.0, -1.0])]
        {
            HourOfDay::new().update(&at(text), &mut row);
            assert!(near(row, expected), "{text}: {row:?}");
        }
        // 2024-01-01 was a Monday, and so was 1969-12-29.
        for text in ["2024-01-01T23:59Z", "1969-12-29"] {
            Weekday::new().update(&at(text), &mut row);
            assert!(near(row, [0.0, 1.0]), "{text}: {row:?}");
        }
        Weekday::new().update(&at("2024-01-03"), &mut row);
        assert!((row[0] - 0.974_927_912_181_823_6).abs() < 1e-15, "{row:?}");
    }
}
