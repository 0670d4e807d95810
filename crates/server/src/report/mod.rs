//! The report: one self-contained HTML page.

pub mod chart;
pub mod html;
