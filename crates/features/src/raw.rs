//! The raw indicators that TA-Lib has too: 22 calls, 27 columns, for comparing values
//! and speed with it.

use assay_types::Timeframe;

use crate::bars::Bars;
use crate::engine::Engine;
use crate::features::{Feature, Shape};
use crate::indicator::Indicator;
use crate::indicator::adx::Adx;
use crate::indicator::atr::Natr;
use crate::indicator::bollinger::BollingerBands;
use crate::indicator::cci::Cci;
use crate::indicator::ema::Emas;
use crate::indicator::macd::Macd;
use crate::indicator::mfi::Mfi;
use crate::indicator::momentum::Momentum;
use crate::indicator::obv::Obv;
use crate::indicator::roc::Roc;
use crate::indicator::rsi::Rsi;
use crate::indicator::sma::Sma;
use crate::indicator::standard_deviation::StandardDeviation;
use crate::indicator::stochastic::Stochastic;
use crate::indicator::true_range::TrueRange;
use crate::indicator::williams::WilliamsR;

const fn raw(
    id: &'static str,
    columns: &'static [&'static str],
    warm_ups: &'static [usize],
    start: fn(Timeframe) -> Box<dyn Indicator>,
) -> Feature {
    Feature { id, columns, warm_ups, shape: Shape::Plain, start }
}

/// Columns of [`RAW`].
pub const RAW_COLUMNS: usize = 27;

const MACD: &[&str] = &["macd_12_26_9_line", "macd_12_26_9_signal", "macd_12_26_9_histogram"];
const BANDS: &[&str] = &["bollinger_20_2_upper", "bollinger_20_2_middle", "bollinger_20_2_lower"];

/// One or more TA-Lib calls a line: SMA 20 and 50, EMA 9, 21 and 50, RSI 14, MACD 12/26/9,
/// BBANDS 20/2, ATR 14, NATR 14, TRANGE, ADX 14, STOCH 5/3/3, CCI 14, MFI 14, OBV,
/// STDDEV 20, ROC 1, 4 and 16, MOM 10, WILLR 14.
pub const RAW: &[Feature] = &[
    raw("sma@1", &["sma_20"], &[19], |_| Box::new(Sma::new(20))),
    raw("sma@1", &["sma_50"], &[49], |_| Box::new(Sma::new(50))),
    raw("ema@1", &["ema_9", "ema_21", "ema_50"], &[8, 20, 49], |_| Box::new(Emas::new([9, 21, 50]))),
    raw("rsi@1", &["rsi_14"], &[14], |_| Box::new(Rsi::new(14))),
    raw("macd@1", MACD, &[33; 3], |_| Box::new(Macd::new(12, 26, 9))),
    raw("bollinger_bands@1", BANDS, &[19; 3], |_| Box::new(BollingerBands::new(20, 2.0))),
    raw("natr@1", &["atr_14", "natr_14"], &[14; 2], |_| Box::new(Natr::new(14))),
    raw("true_range@1", &["true_range"], &[1], |_| Box::new(TrueRange::new())),
    raw("adx@1", &["adx_14"], &[27], |_| Box::new(Adx::new(14))),
    raw("stochastic@1", &["stochastic_5_3_3_k", "stochastic_5_3_3_d"], &[8; 2], |_| Box::new(Stochastic::new(5, 3, 3))),
    raw("cci@1", &["cci_14"], &[13], |_| Box::new(Cci::<14>::new())),
    raw("mfi@1", &["mfi_14"], &[14], |_| Box::new(Mfi::new(14))),
    raw("obv@1", &["obv"], &[0], |_| Box::new(Obv::new())),
    raw("standard_deviation@1", &["standard_deviation_20"], &[19], |_| Box::new(StandardDeviation::new(20))),
    raw("roc@1", &["roc_1"], &[1], |_| Box::new(Roc::new(1))),
    raw("roc@1", &["roc_4"], &[4], |_| Box::new(Roc::new(4))),
    raw("roc@1", &["roc_16"], &[16], |_| Box::new(Roc::new(16))),
    raw("momentum@1", &["momentum_10"], &[10], |_| Box::new(Momentum::new(10))),
    raw("williams_r@1", &["williams_r_14"], &[13], |_| Box::new(WilliamsR::new(14))),
];

/// The columns of [`RAW`], in its order, one value per candle, NaN during warm-up.
pub type RawTable = Vec<Vec<f64>>;

/// Computes [`RAW`] over all candles into `table`, reusing its memory.
pub fn raw_columns(bars: &Bars, table: &mut RawTable) {
    table.resize_with(RAW_COLUMNS, Vec::new);
    table.iter_mut().for_each(|column| column.resize(bars.len(), 0.0));
    Engine::new(RAW.iter(), Timeframe::M1).fill(bars, table);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_27_columns() {
        assert_eq!(RAW.iter().map(|call| call.columns.len()).sum::<usize>(), RAW_COLUMNS);
    }
}
