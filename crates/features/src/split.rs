//! Which candles train, which validate and which test (R3).
//!
//! The training side is cut in two: its last fifth, less as many candles as the
//! longest feature window reaches back, is the validation part, which alone steers
//! early stopping, search and the choice of a checkpoint. The first candles of a
//! dataset, whose features are not complete, belong to no part.

use std::ops::Range;

use assay_types::Candles;
use assay_types::time::format_utc;
use serde::{Deserialize, Serialize};

use crate::error::FeatureError;

/// The validation part is one candle in this many of the training side.
const VALIDATION_SHARE: usize = 5;

/// Three ranges of candle indices in ascending order, none empty, none overlapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Ranges", try_from = "Ranges")]
pub struct Split {
    train: Range<usize>,
    validation: Range<usize>,
    test: Range<usize>,
}

/// The JSON form of a split: start and end of each part.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranges {
    train: [usize; 2],
    validation: [usize; 2],
    test: [usize; 2],
}

impl From<Split> for Ranges {
    fn from(split: Split) -> Self {
        let pair = |range: Range<usize>| [range.start, range.end];
        Self { train: pair(split.train), validation: pair(split.validation), test: pair(split.test) }
    }
}

impl TryFrom<Ranges> for Split {
    type Error = FeatureError;
    fn try_from(ranges: Ranges) -> Result<Self, FeatureError> {
        let range = |[start, end]: [usize; 2]| start..end;
        Self::new(range(ranges.train), range(ranges.validation), range(ranges.test))
    }
}

/// The rows a scaler may learn from; only [`Split::training_rows`] makes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingRows(Range<usize>);

impl TrainingRows {
    /// The indices of the rows.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.0.clone()
    }
}

/// The dates of a split, milliseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitDates {
    /// Open time from which candles train.
    pub train_start_ms: i64,
    /// Open time from which candles test.
    pub test_start_ms: i64,
    /// Open time from which candles are not used.
    pub test_end_ms: i64,
}

/// A split of fixed length, at the end of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// 4,383 candles a side: half a year of hours.
    Short,
    /// 8,766 candles a side: a year of hours.
    Medium,
    /// 17,532 candles a side: two years of hours.
    Long,
}

impl Preset {
    /// Candles of the training side, and of the test.
    #[must_use]
    pub fn candles_per_side(self) -> usize {
        match self {
            Self::Short => 4_383,
            Self::Medium => 8_766,
            Self::Long => 17_532,
        }
    }

    /// The dates of the preset on `candles`: the last candles test, those before them
    /// train. When there are too few, both sides shrink alike and a notice says so.
    ///
    /// # Errors
    /// [`FeatureError::EmptyPart`] when fewer than two candles remain after the first
    /// `warm_up`.
    pub fn dates(self, candles: &Candles, warm_up: usize) -> Result<(SplitDates, Option<String>), FeatureError> {
        let wanted = self.candles_per_side();
        let usable = candles.len().saturating_sub(warm_up);
        let side = wanted.min(usable / 2);
        if side == 0 {
            let fix = "load more candles";
            return Err(FeatureError::EmptyPart { part: "train", candles: candles.len(), needed: warm_up + 2, fix });
        }
        let test_start = candles.len() - side;
        let notice = (side < wanted).then(|| {
            format!("the preset asks for {wanted} candles a side but {usable} are usable: shrunk to {side} a side")
        });
        let dates = SplitDates {
            train_start_ms: candles.open_time_ms[test_start - side],
            test_start_ms: candles.open_time_ms[test_start],
            test_end_ms: candles.close_time_ms(candles.len() - 1),
        };
        Ok((dates, notice))
    }
}

impl Split {
    /// A split of given ranges.
    ///
    /// # Errors
    /// [`FeatureError::EmptyPart`] or [`FeatureError::Overlap`].
    pub fn new(train: Range<usize>, validation: Range<usize>, test: Range<usize>) -> Result<Self, FeatureError> {
        let parts = [("train", &train), ("validation", &validation), ("test", &test)];
        for (part, range) in parts {
            if range.is_empty() {
                return Err(FeatureError::EmptyPart { part, candles: 0, needed: 1, fix: "give it candles" });
            }
        }
        for pair in parts.windows(2) {
            let ((first, before), (second, after)) = (pair[0], pair[1]);
            if before.end > after.start {
                let (first_end, second_start) = (format!("candle {}", before.end), format!("candle {}", after.start));
                return Err(FeatureError::Overlap { first, first_end, second, second_start });
            }
        }
        Ok(Self { train, validation, test })
    }

    /// The split of `candles` at `dates`, for features that reach back `warm_up`
    /// candles.
    ///
    /// The training side holds the candles from `train_start_ms`, and after the first
    /// `warm_up` of the dataset, to `test_start_ms`. Its last fifth (rounded down),
    /// less its own first `warm_up` candles, validates; the rest trains.
    ///
    /// # Errors
    /// [`FeatureError::Overlap`] for dates out of order, [`FeatureError::EmptyPart`]
    /// when a part has no candles, and [`FeatureError::Gaps`] when candles are missing
    /// on the training side and `allow_gaps` is not set.
    pub fn by_dates(
        candles: &Candles,
        dates: SplitDates,
        warm_up: usize,
        allow_gaps: bool,
    ) -> Result<Self, FeatureError> {
        let SplitDates { train_start_ms, test_start_ms, test_end_ms } = dates;
        for (first, first_end, second, second_start) in [
            ("the training side's start", train_start_ms, "the test", test_start_ms),
            ("the test's start", test_start_ms, "the test's end", test_end_ms),
        ] {
            if first_end >= second_start {
                let (first_end, second_start) = (format_utc(first_end), format_utc(second_start));
                return Err(FeatureError::Overlap { first, first_end, second, second_start });
            }
        }
        let side = candles.range(train_start_ms, test_start_ms);
        let side = side.start.max(warm_up).min(side.end)..side.end;
        let test = candles.range(test_start_ms, test_end_ms);
        let test = test.start.max(warm_up).min(test.end)..test.end;
        let held_out = side.len() / VALIDATION_SHARE;
        let train = side.start..side.end - held_out;
        let validation = (train.end + warm_up).min(side.end)..side.end;
        let fix = "move the dates, load more candles or use features with shorter windows";
        let needed = (warm_up + 1) * VALIDATION_SHARE;
        for (part, range, candles, needed) in [
            ("train", &train, side.len(), needed),
            ("validation", &validation, side.len(), needed),
            ("test", &test, test.len(), 1),
        ] {
            if range.is_empty() {
                return Err(FeatureError::EmptyPart { part, candles, needed, fix });
            }
        }
        if !allow_gaps {
            refuse_gaps(candles, side)?;
        }
        Self::new(train, validation, test)
    }

    /// The candles that train.
    #[must_use]
    pub fn train(&self) -> Range<usize> {
        self.train.clone()
    }

    /// The candles that steer early stopping, search and the choice of a checkpoint.
    #[must_use]
    pub fn validation(&self) -> Range<usize> {
        self.validation.clone()
    }

    /// The candles that test.
    #[must_use]
    pub fn test(&self) -> Range<usize> {
        self.test.clone()
    }

    /// The rows a scaler may learn from: the training part.
    #[must_use]
    pub fn training_rows(&self) -> TrainingRows {
        TrainingRows(self.train.clone())
    }
}

/// An error when candles are missing between the first and the last of `range`.
fn refuse_gaps(candles: &Candles, range: Range<usize>) -> Result<(), FeatureError> {
    let gaps = candles.slice(range).gaps();
    match gaps.first() {
        None => Ok(()),
        Some(first) => Err(FeatureError::Gaps {
            count: gaps.len(),
            missing: gaps.iter().map(|gap| gap.missing).sum(),
            from_ms: first.from_ms,
            to_ms: first.to_ms,
        }),
    }
}
