//! Back-fill from an exchange: asks for what the lake lacks, stores as it goes, and so
//! goes on where a killed run stopped.

use std::ops::Range;

use assay_types::{Candle, Candles, Dataset, Market, Trade};
use serde::Serialize;

use crate::LakeError;
use crate::exchange::{ExchangeClient, TRADES_PAGE_ROWS, TradesFrom};
use crate::lake::Lake;
use crate::manifest::Manifest;
use crate::partitions::OnConflict;
use crate::place::{Place, TradeKind, TradeSet};
use crate::storage::StoreReport;

/// Pages that are stored together: at most this much is asked for again after a kill.
pub const PAGES_PER_STORE: usize = 10;
/// How far one look for the first trade reaches.
const TRADE_LOOK_MS: i64 = 3_600_000;

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Progress {
    /// Rows received so far.
    pub rows: u64,
    /// Part of the range that is done, 0 to 100.
    pub percent: f64,
}

/// What a fetch did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FetchReport {
    /// Pages received.
    pub pages: u64,
    /// Rows that the lake lacked and now has.
    pub added: u64,
    /// Names of the partitions that were written.
    pub partitions: Vec<String>,
}

impl FetchReport {
    fn add(&mut self, stored: StoreReport) {
        self.added += stored.added;
        for name in stored.partitions {
            if !self.partitions.contains(&name) {
                self.partitions.push(name);
            }
        }
    }
}

impl Lake {
    /// Fetches the closed candles that open in `[range.start, range.end)` and that the
    /// lake lacks; there may be none. Stored candles are never touched. What was received before an
    /// error or a kill is stored, and the same call goes on from there.
    ///
    /// # Errors
    /// [`LakeError`] when the exchange refuses, sends malformed rows or stays
    /// unreachable, or when the store fails.
    pub async fn fetch(
        &self,
        client: &ExchangeClient,
        dataset: &Dataset,
        range: Range<i64>,
        mut progress: impl FnMut(Progress),
    ) -> Result<FetchReport, LakeError> {
        let range = closed_range(client, dataset, range)?;
        if range.is_empty() {
            return Ok(FetchReport::default());
        }
        let manifest = self.storage.current(&Place::of_candles(dataset)).await?.manifest;
        let missing = missing_ranges(&manifest, dataset, &range);
        let mut report = FetchReport::default();
        let mut received: Vec<Candle> = Vec::new();
        let mut rows = 0;
        let outcome = async {
            for window in windows(&missing, client.venue().page_rows() * dataset.timeframe.ms()) {
                let page = client.candles(dataset, window.clone()).await?;
                report.pages += 1;
                let lacking = |row: &Candle| is_in(&missing, row.open_time_ms);
                received.extend(page.into_iter().filter(lacking));
                if report.pages.is_multiple_of(PAGES_PER_STORE as u64) {
                    rows += received.len() as u64;
                    self.store_received(dataset, &mut received, &mut report).await?;
                }
                let done = (window.end - range.start) as f64 / (range.end - range.start) as f64;
                progress(Progress { rows: rows + received.len() as u64, percent: done * 100.0 });
            }
            Ok(())
        }
        .await;
        self.store_received(dataset, &mut received, &mut report).await?;
        outcome.map(|()| report)
    }

    async fn store_received(
        &self,
        dataset: &Dataset,
        received: &mut Vec<Candle>,
        report: &mut FetchReport,
    ) -> Result<(), LakeError> {
        if received.is_empty() {
            return Ok(());
        }
        let mut candles = Candles::new(dataset.market.clone(), dataset.timeframe);
        received.drain(..).for_each(|candle| candles.push(candle));
        report.add(self.store_candles(&candles, OnConflict::Refuse).await?);
        Ok(())
    }

    /// Fetches Binance's aggregate trades of `[range.start, range.end)` that the lake
    /// lacks, by ascending id. Goes on where a killed run stopped.
    ///
    /// # Errors
    /// As [`Lake::fetch`]; also when the exchange leaves out an id.
    pub async fn fetch_trades(
        &self,
        client: &ExchangeClient,
        market: &Market,
        range: Range<i64>,
        mut progress: impl FnMut(Progress),
    ) -> Result<FetchReport, LakeError> {
        check_range(&range)?;
        let range = range.start.max(0)..range.end.min(client.clock().now_ms());
        let set = TradeSet { market: market.clone(), kind: TradeKind::Aggregate };
        let mut report = FetchReport::default();
        let Some(first) = first_trade(client, market, &range, &mut report).await? else { return Ok(report) };
        let stored = self.stored_runs(&set, &range).await?;
        let mut next = after_run(&stored, first.id);
        let mut received: Vec<Trade> = Vec::new();
        let mut rows = 0;
        let outcome = async {
            loop {
                let (url, page) = client.trades(market, TradesFrom::Id(next)).await?;
                report.pages += 1;
                let whole_page = page.len() >= TRADES_PAGE_ROWS;
                // A venue may repeat rows before the one asked for.
                let page = page.into_iter().filter(|trade| trade.id >= next).collect::<Vec<_>>();
                if let Some((trade, expected)) = page.iter().zip(next..).find(|(trade, expected)| trade.id != *expected)
                {
                    let detail = format!("trade {expected} is missing: {} follows", trade.id);
                    return Err(LakeError::Malformed { url, place: "the page".to_owned(), detail });
                }
                let inside = page.iter().take_while(|trade| trade.time_ms < range.end).count();
                received.extend_from_slice(&page[..inside]);
                rows += inside as u64;
                let last_ms = page.last().map_or(range.end, |trade| trade.time_ms);
                let done = (last_ms.min(range.end) - range.start) as f64 / (range.end - range.start) as f64;
                progress(Progress { rows, percent: done * 100.0 });
                if inside < page.len() || !whole_page {
                    return Ok(());
                }
                next = after_run(&stored, next + inside as u64);
                if report.pages.is_multiple_of(PAGES_PER_STORE as u64) {
                    self.store_trades_received(&set, &mut received, &mut report).await?;
                }
            }
        }
        .await;
        self.store_trades_received(&set, &mut received, &mut report).await?;
        outcome.map(|()| report)
    }

    /// Runs of contiguous ids that the lake holds around `range`, ascending. Only a
    /// partition with holes is read; the manifest tells the others.
    async fn stored_runs(&self, set: &TradeSet, range: &Range<i64>) -> Result<Vec<Range<u64>>, LakeError> {
        let place = Place::of_trades(set);
        let manifest = self.storage.current(&place).await?.manifest;
        let mut runs: Vec<Range<u64>> = Vec::new();
        for (name, partition) in &manifest.partitions {
            if partition.last_ms < range.start || partition.first_ms >= range.end {
                continue;
            }
            match partition.ids {
                Some((first, last)) if (last - first) as u64 + 1 == partition.rows => {
                    runs.push(first as u64..last as u64 + 1);
                }
                _ => {
                    for trade in self.storage.read::<Trade>(&place, name, partition).await? {
                        match runs.last_mut() {
                            Some(run) if run.end == trade.id => run.end += 1,
                            _ => runs.push(trade.id..trade.id + 1),
                        }
                    }
                }
            }
        }
        Ok(runs)
    }

    async fn store_trades_received(
        &self,
        set: &TradeSet,
        received: &mut Vec<Trade>,
        report: &mut FetchReport,
    ) -> Result<(), LakeError> {
        if !received.is_empty() {
            report.add(self.store_trades(set, received, OnConflict::Refuse).await?);
            received.clear();
        }
        Ok(())
    }
}

/// The first id at or after `from` that lies in none of `runs` (ascending).
fn after_run(runs: &[Range<u64>], from: u64) -> u64 {
    runs.iter().fold(from, |id, run| if run.contains(&id) { run.end } else { id })
}

/// The first trade of `range`, looked for hour by hour.
async fn first_trade(
    client: &ExchangeClient,
    market: &Market,
    range: &Range<i64>,
    report: &mut FetchReport,
) -> Result<Option<Trade>, LakeError> {
    let mut from_ms = range.start;
    while from_ms < range.end {
        let last_ms = (from_ms + TRADE_LOOK_MS).min(range.end) - 1;
        let (_, page) = client.trades(market, TradesFrom::Time(from_ms, last_ms)).await?;
        report.pages += 1;
        if let Some(first) = page.into_iter().find(|trade| range.contains(&trade.time_ms)) {
            return Ok(Some(first));
        }
        from_ms = last_ms + 1;
    }
    Ok(None)
}

fn check_range(range: &Range<i64>) -> Result<(), LakeError> {
    if range.is_empty() {
        return Err(LakeError::EmptyRange { from_ms: range.start, to_ms: range.end });
    }
    Ok(())
}

/// The open times of `range` whose candles are closed by now; empty when none is.
fn closed_range(client: &ExchangeClient, dataset: &Dataset, range: Range<i64>) -> Result<Range<i64>, LakeError> {
    let step = dataset.timeframe.ms();
    if dataset.market.exchange != client.venue().exchange() {
        return Err(LakeError::Unsupported(format!("{dataset} is not a dataset of {}", client.venue().exchange())));
    }
    check_range(&range)?;
    let up = |ms: i64| ms.saturating_add(step - 1).div_euclid(step) * step;
    let open_now = client.clock().now_ms().div_euclid(step) * step;
    Ok(up(range.start.max(0))..up(range.end.min(open_now)).min(open_now))
}

/// The parts of `range` that the lake holds no candle of.
fn missing_ranges(manifest: &Manifest, dataset: &Dataset, range: &Range<i64>) -> Vec<Range<i64>> {
    let (Some(first), Some(last)) = (manifest.partitions.values().next(), manifest.partitions.values().next_back())
    else {
        return vec![range.clone()];
    };
    let inner = manifest.gaps(dataset.timeframe).into_iter().map(|gap| gap.from_ms..gap.to_ms);
    let all = std::iter::once(i64::MIN..first.first_ms)
        .chain(inner)
        .chain(std::iter::once(last.last_ms + dataset.timeframe.ms()..i64::MAX));
    all.map(|part| part.start.max(range.start)..part.end.min(range.end)).filter(|part| !part.is_empty()).collect()
}

/// Whether one of `parts` (ascending) holds `at`.
fn is_in(parts: &[Range<i64>], at: i64) -> bool {
    parts.get(parts.partition_point(|part| part.end <= at)).is_some_and(|part| part.contains(&at))
}

/// Windows of at most `span_ms` that cover every missing part; one window may cover
/// several small parts, so that many holes cost no more requests than none.
pub(crate) fn windows(missing: &[Range<i64>], span_ms: i64) -> Vec<Range<i64>> {
    let mut windows: Vec<Range<i64>> = Vec::new();
    for part in missing {
        let mut start = part.start;
        // A part that begins inside the last window may extend it up to its span.
        if let Some(last) = windows.last_mut()
            && start < last.start + span_ms
        {
            last.end = last.end.max(part.end.min(last.start + span_ms));
            start = last.end;
        }
        while start < part.end {
            let end = part.end.min(start + span_ms);
            windows.push(start..end);
            start = end;
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stored_runs_are_stepped_over() {
        let runs = [5..8, 8..9, 11..12];
        for (from, next) in [(4, 4), (5, 9), (8, 9), (10, 10), (11, 12), (20, 20)] {
            assert_eq!(after_run(&runs, from), next, "{from}");
        }
        assert_eq!(after_run(&[], 3), 3);
    }

    proptest! {
        #[test]
        fn windows_cover_what_is_missing_and_no_more_than_a_page(
            cuts in proptest::collection::btree_set(0_i64..500, 0..40), span in 1_i64..80
        ) {
            let cuts: Vec<i64> = cuts.into_iter().collect();
            let missing: Vec<Range<i64>> = cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
            let windows = windows(&missing, span);
            prop_assert!(windows.iter().all(|window| window.end - window.start <= span && !window.is_empty()));
            prop_assert!(windows.windows(2).all(|pair| pair[0].end <= pair[1].start));
            for at in -1..502 {
                prop_assert_eq!(is_in(&missing, at), missing.iter().any(|part| part.contains(&at)));
            }
            for part in &missing {
                for at in part.clone() {
                    prop_assert_eq!(windows.iter().filter(|window| window.contains(&at)).count(), 1);
                }
            }
        }
    }
}
