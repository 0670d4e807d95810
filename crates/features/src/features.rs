//! The list of features: a new one is one file under `indicator` and one line here.

use assay_types::Timeframe;

use crate::indicator::Indicator;
use crate::indicator::adx::Adx;
use crate::indicator::atr::Atr;
use crate::indicator::bollinger::BollingerPosition;
use crate::indicator::cci::Cci;
use crate::indicator::clock::{HourOfDay, Weekday};
use crate::indicator::ema::Emas;
use crate::indicator::gap::GapFlag;
use crate::indicator::macd::Macd;
use crate::indicator::mfi::Mfi;
use crate::indicator::obv::ObvSlope;
use crate::indicator::roc::Roc;
use crate::indicator::rsi::Rsi;
use crate::indicator::sma::Sma;
use crate::indicator::stochastic::Stochastic;
use crate::indicator::volatility::RealisedVolatility;
use crate::indicator::volume::VolumeZScore;
use crate::indicator::vwap::VwapDistance;

/// One line of the list: columns that are computed together.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// `name@version`; a change of any value is a new version.
    pub id: &'static str,
    /// Its columns; their names carry the parameters.
    pub columns: &'static [&'static str],
    /// Leading candles without a value, for each column.
    pub warm_ups: &'static [usize],
    /// What is done to the indicator's values.
    pub shape: Shape,
    /// The indicator before any candle.
    pub start: fn(Timeframe) -> Box<dyn Indicator>,
}

/// What turns an indicator's value into a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Plain,
    /// Percent become a fraction: value / 100.
    Fraction,
    /// A distance in quote units becomes relative: value / close.
    PerClose,
    /// A price becomes the close's distance from it: close / value − 1.
    Distance,
}

impl Shape {
    /// The feature of an indicator's `value` at a candle that closed at `close`.
    #[must_use]
    pub fn apply(self, value: f64, close: f64) -> f64 {
        match self {
            Self::Plain => value,
            Self::Fraction => value / 100.0,
            Self::PerClose => value / close,
            Self::Distance => close / value - 1.0,
        }
    }
}

const fn line(
    id: &'static str,
    columns: &'static [&'static str],
    warm_ups: &'static [usize],
    shape: Shape,
    start: fn(Timeframe) -> Box<dyn Indicator>,
) -> Feature {
    Feature { id, columns, warm_ups, shape, start }
}

const EMA: &[&str] = &["ema_9_distance", "ema_21_distance", "ema_50_distance"];
const MACD: &[&str] = &["macd_12_26_9_line", "macd_12_26_9_signal", "macd_12_26_9_histogram"];
const STOCHASTIC: &[&str] = &["stochastic_5_3_3_k", "stochastic_5_3_3_d"];

/// Every feature, in the order of the default table.
pub const FEATURES: &[Feature] = &[
    line("return@1", &["return_1"], &[1], Shape::Fraction, |_| Box::new(Roc::new(1))),
    line("return@1", &["return_4"], &[4], Shape::Fraction, |_| Box::new(Roc::new(4))),
    line("return@1", &["return_16"], &[16], Shape::Fraction, |_| Box::new(Roc::new(16))),
    line("rsi@1", &["rsi_14"], &[14], Shape::Plain, |_| Box::new(Rsi::new(14))),
    line("macd@1", MACD, &[33; 3], Shape::PerClose, |_| Box::new(Macd::new(12, 26, 9))),
    line("bollinger@1", &["bollinger_20_2_position", "bollinger_20_2_width"], &[19; 2], Shape::Plain, |_| {
        Box::new(BollingerPosition::new(20, 2.0))
    }),
    line("ema_distance@1", EMA, &[8, 20, 49], Shape::Distance, |_| Box::new(Emas::new([9, 21, 50]))),
    line("sma_distance@1", &["sma_100_distance"], &[99], Shape::Distance, |_| Box::new(Sma::new(100))),
    line("atr@1", &["atr_14"], &[14], Shape::PerClose, |_| Box::new(Atr::new(14))),
    line("adx@1", &["adx_14"], &[27], Shape::Plain, |_| Box::new(Adx::new(14))),
    line("stochastic@1", STOCHASTIC, &[8; 2], Shape::Plain, |_| Box::new(Stochastic::new(5, 3, 3))),
    line("cci@1", &["cci_14"], &[13], Shape::Plain, |_| Box::new(Cci::<14>::new())),
    line("mfi@1", &["mfi_14"], &[14], Shape::Plain, |_| Box::new(Mfi::new(14))),
    line("obv_slope@1", &["obv_slope_14"], &[14], Shape::Plain, |_| Box::new(ObvSlope::new(14))),
    line("vwap_distance@1", &["vwap_24_distance"], &[23], Shape::Plain, |_| Box::new(VwapDistance::new(24))),
    line("volume_z_score@1", &["volume_z_score_20"], &[19], Shape::Plain, |_| Box::new(VolumeZScore::new(20))),
    line("volatility@1", &["volatility_24"], &[24], Shape::Plain, |_| Box::new(RealisedVolatility::new(24))),
    line("hour@1", &["hour_sin", "hour_cos"], &[0; 2], Shape::Plain, |_| Box::new(HourOfDay::new())),
    line("weekday@1", &["weekday_sin", "weekday_cos"], &[0; 2], Shape::Plain, |_| Box::new(Weekday::new())),
    line("gap@1", &["gap"], &[0], Shape::Plain, |timeframe| Box::new(GapFlag::new(timeframe))),
];

/// The names of every column, in the order of the default table.
#[must_use]
pub fn column_names() -> Vec<&'static str> {
    FEATURES.iter().flat_map(|feature| feature.columns).copied().collect()
}

/// The feature that makes `column`, and the column's place in it.
pub(crate) fn find(column: &str) -> Option<(usize, usize)> {
    FEATURES.iter().enumerate().find_map(|(index, feature)| {
        let place = feature.columns.iter().position(|&name| name == column)?;
        Some((index, place))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::indicator::MAX_COLUMNS;

    #[test]
    fn the_list_is_consistent() {
        let names = column_names();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "column names are unique");
        for feature in FEATURES {
            let (name, version) = feature.id.split_once('@').unwrap();
            assert!(!name.is_empty() && version.parse::<u32>().is_ok(), "{}", feature.id);
            assert!((1..=MAX_COLUMNS).contains(&feature.columns.len()), "{}", feature.id);
            assert_eq!(feature.columns.len(), feature.warm_ups.len(), "{}", feature.id);
        }
    }
}
