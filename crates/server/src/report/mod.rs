//! The report of an evaluation: CSV files, metrics as JSON, and one self-contained page.

mod chart;
mod files;
mod html;
mod number;
mod page;

pub use files::{files, write};
pub use number::{NONE, money, or_dash, percent, ratio};
pub use page::{format_metric, scenario_words};
