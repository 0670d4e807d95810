//! Which column is which, told from header names alone.

use assay_types::Market;

use super::table::Selection;
use crate::LakeError;

/// Names of an open time, best first.
const TIME: &[&str] = &[
    "opentime",
    "opentimems",
    "timestamp",
    "timestampms",
    "unix",
    "unixtime",
    "unixtimestamp",
    "time",
    "start",
    "starttime",
    "datetime",
    "date",
    "t",
    "ts",
    "indexlevel0",
];
const OPEN: &[&str] = &["open", "openprice", "o"];
const HIGH: &[&str] = &["high", "highprice", "h"];
const LOW: &[&str] = &["low", "lowprice", "l"];
const CLOSE: &[&str] = &["close", "closeprice", "c"];
const VOLUME: &[&str] = &["basevolume", "volumebase", "baseassetvolume", "volume", "vol", "v"];
const SYMBOL: &[&str] = &["symbol", "pair", "instrument", "ticker", "productid"];

/// Columns that candles come with and that are not kept.
const CANDLE_EXTRAS: &[&str] = &[
    "closetime",
    "endtime",
    "end",
    "quotevolume",
    "volumequote",
    "quoteassetvolume",
    "turnover",
    "amount",
    "quoteamount",
    "trades",
    "tradecount",
    "numberoftrades",
    "ntrades",
    "count",
    "takerbasevolume",
    "takerquotevolume",
    "takerbuybasevolume",
    "takerbuyquotevolume",
    "takerbuybaseassetvolume",
    "takerbuyquoteassetvolume",
    "takerbuyvolume",
    "vwap",
    "ignore",
    "index",
    "unnamed0",
    "level0",
    "",
    "exchange",
    "venue",
    "market",
    "timeframe",
    "interval",
    "closed",
    "confirm",
];

const TRADE_ID: &[&str] = &["tradeid", "id", "aggtradeid", "aggregateid", "a"];
const TRADE_TIME: &[&str] = &["timestamp", "time", "tradetime", "datetime", "date", "t", "ts"];
const TRADE_PRICE: &[&str] = &["price", "p"];
const TRADE_QUANTITY: &[&str] = &["quantity", "amount", "qty", "size", "q"];
const BUYER_MAKER: &[&str] = &["buyermaker", "isbuyermaker", "m"];
const SIDE: &[&str] = &["side", "takerside"];

/// Columns that trades come with and that are not kept.
const TRADE_EXTRAS: &[&str] = &[
    "type",
    "cost",
    "fee",
    "order",
    "takerormaker",
    "quoteqty",
    "quotequantity",
    "firstid",
    "lastid",
    "firsttradeid",
    "lasttradeid",
    "bestmatch",
    "isbestmatch",
    "index",
    "indexlevel0",
    "unnamed0",
    "",
    "exchange",
    "venue",
    "market",
];

/// Letters and digits of a name, in lower case: `Open Time`, `open_time` and
/// `openTime` are one.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Columns of a header: chosen ones, and what is left over.
struct Header<'a> {
    file: &'a str,
    found: &'a [String],
    names: Vec<String>,
    needed: &'static str,
    missing: Vec<&'static str>,
}

impl<'a> Header<'a> {
    fn new(file: &'a str, found: &'a [String], needed: &'static str) -> Self {
        Self { file, found, names: found.iter().map(|name| plain(name)).collect(), needed, missing: Vec::new() }
    }

    fn find(&self, wanted: &[&str]) -> Option<usize> {
        wanted.iter().find_map(|name| self.names.iter().position(|found| found == name))
    }

    fn need(&mut self, what: &'static str, found: Option<usize>) -> Option<usize> {
        if found.is_none() {
            self.missing.push(what);
        }
        found
    }

    fn need_named(&mut self, what: &'static str, wanted: &[&str]) -> Option<usize> {
        let found = self.find(wanted);
        self.need(what, found)
    }

    fn finish(
        self,
        selection: Selection,
        ignore_unknown: bool,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Selection, LakeError> {
        let file = self.file.to_owned();
        if !self.missing.is_empty() {
            let found = format!("`{}`", self.found.join("`, `"));
            return Err(LakeError::Columns { file, missing: self.missing.join(", "), found, needed: self.needed });
        }
        let unknown: Vec<&str> = (0..self.names.len())
            .filter(|index| !selection.contains(&Some(*index)) && !is_known(&self.names[*index]))
            .map(|index| self.found[index].as_str())
            .collect();
        if unknown.is_empty() || ignore_unknown {
            return Ok(selection);
        }
        Err(LakeError::UnknownColumns { file, unknown: format!("`{}`", unknown.join("`, `")) })
    }
}

/// Selects time, open, high, low, close, base volume and (optional) symbol.
pub(super) fn select_candles(
    file: &str,
    market: &Market,
    ignore_unknown: bool,
    found: &[String],
) -> Result<Selection, LakeError> {
    const NEEDED: &str =
        "a time (date, timestamp, time, open_time or unix), open, high, low, close, and volume or volume_<base>";
    let mut header = Header::new(file, found, NEEDED);
    let mut currencies = market.symbol.split('-').map(|part| format!("volume{}", part.to_ascii_lowercase()));
    let (base, quote) = (currencies.next().unwrap_or_default(), currencies.next().unwrap_or_default());
    let time = header.find(TIME);
    let volume = header.find(&[base.as_str()]).or_else(|| header.find(VOLUME));
    let selection = vec![
        header.need("time", time),
        header.need_named("open", OPEN),
        header.need_named("high", HIGH),
        header.need_named("low", LOW),
        header.need_named("close", CLOSE),
        header.need("volume", volume),
        header.find(SYMBOL),
    ];
    let known = [TIME, VOLUME, CANDLE_EXTRAS];
    header.finish(selection, ignore_unknown, |name| {
        name == quote
            || name.strip_prefix("volume").is_some_and(|rest| ["usd", "usdt", "usdc"].contains(&rest))
            || known.iter().any(|names| names.contains(&name))
    })
}

/// Selects id, time, price, quantity, buyer-is-maker, taker side (one of these two)
/// and (optional) symbol.
pub(super) fn select_trades(file: &str, ignore_unknown: bool, found: &[String]) -> Result<Selection, LakeError> {
    const NEEDED: &str = "an id (id, trade_id), a time (timestamp, time), price, quantity (quantity, amount, qty) and buyer_maker or side";
    let mut header = Header::new(file, found, NEEDED);
    let (maker, side) = (header.find(BUYER_MAKER), header.find(SIDE));
    if maker.is_none() && side.is_none() {
        header.missing.push("buyer_maker or side");
    }
    let selection = vec![
        header.need_named("id", TRADE_ID),
        header.need_named("time", TRADE_TIME),
        header.need_named("price", TRADE_PRICE),
        header.need_named("quantity", TRADE_QUANTITY),
        maker,
        side,
        header.find(SYMBOL),
    ];
    let known = [TRADE_TIME, TRADE_EXTRAS];
    header.finish(selection, ignore_unknown, |name| known.iter().any(|names| names.contains(&name)))
}
