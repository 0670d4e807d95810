//! Runs a list of features over candles, one at a time or in blocks.

use std::ops::Range;

use assay_types::Timeframe;

use crate::archive::Archive;
use crate::bars::{Bar, Bars};
use crate::features::{Feature, Shape};
use crate::indicator::{Indicator, MAX_COLUMNS};

/// Candles per block of a batch: the inputs of a block stay in the first-level cache
/// while every indicator reads them.
const BLOCK: usize = 512;

/// The states of several features, which have all taken the same candles.
#[derive(Clone)]
pub struct Engine {
    parts: Vec<Part>,
}

#[derive(Clone)]
struct Part {
    shape: Shape,
    columns: usize,
    indicator: Box<dyn Indicator>,
}

impl Engine {
    /// The engine of `features` before any candle.
    pub fn new<'a>(features: impl Iterator<Item = &'a Feature>, timeframe: Timeframe) -> Self {
        let parts = features.map(|feature| Part {
            shape: feature.shape,
            columns: feature.columns.len(),
            indicator: (feature.start)(timeframe),
        });
        Self { parts: parts.collect() }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.parts.iter().map(|part| part.columns).sum()
    }

    /// Takes the next candle and writes one value per column.
    pub fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let mut rest = row;
        for part in &mut self.parts {
            let (own, others) = rest.split_at_mut(part.columns);
            rest = others;
            part.indicator.update(bar, own);
            own.iter_mut().for_each(|value| *value = part.shape.apply(*value, bar.close));
        }
    }

    /// Takes every candle of `bars`, as the first ones, into `columns`, which all have
    /// the length of `bars`.
    pub fn fill(&mut self, bars: &Bars, columns: &mut [Vec<f64>]) {
        let mut start = 0;
        while start < bars.len() {
            let range = start..bars.len().min(start + BLOCK);
            let mut rest = &mut *columns;
            for part in &mut self.parts {
                let (own, others) = rest.split_at_mut(part.columns);
                rest = others;
                part.fill(bars, range.clone(), own);
            }
            start = range.end;
        }
    }

    /// Writes or reads the states.
    pub fn archive(&mut self, archive: &mut Archive<'_>) {
        self.parts.iter_mut().for_each(|part| part.indicator.archive(archive));
    }
}

impl Part {
    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [Vec<f64>]) {
        let mut blocks: [&mut [f64]; MAX_COLUMNS] = [&mut [], &mut [], &mut []];
        for (block, column) in blocks.iter_mut().zip(columns) {
            *block = &mut column[range.clone()];
        }
        let blocks = &mut blocks[..self.columns];
        self.indicator.fill(bars, range.clone(), blocks);
        if self.shape == Shape::Plain {
            return;
        }
        for block in blocks {
            for (value, close) in block.iter_mut().zip(&bars.close[range.clone()]) {
                *value = self.shape.apply(*value, *close);
            }
        }
    }
}
