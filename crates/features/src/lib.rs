//! Features: candles in, named columns out, the same bits whether candles come one at
//! a time or all at once (R5).
//!
//! [`FeatureTable`] is the batch, [`FeatureStream`] the live form; [`Split`] says which
//! candles train and which test, [`fit`] scales by the training rows alone,
//! [`feature_hash`] names the result and [`lookahead`] proves that no value saw the
//! future. Reading and keeping data, clocks and files live elsewhere.

pub mod archive;
mod bars;
mod engine;
mod error;
pub mod features;
pub mod indicator;
pub mod lookahead;
mod raw;
mod scaler;
mod sliding;
mod spec;
pub mod split;
mod stream;
mod table;
mod window;

pub use bars::{Bar, Bars};
pub use error::FeatureError;
pub use features::{FEATURES, Feature, Shape};
pub use raw::{RAW, RAW_COLUMNS, RawTable, raw_columns};
pub use scaler::{ScalerKind, fit};
pub use spec::{FeatureSpec, feature_hash};
pub use split::{Preset, Split, SplitDates, TrainingRows};
pub use stream::{FeatureStream, StreamState};
pub use table::FeatureTable;
pub use window::Window;
