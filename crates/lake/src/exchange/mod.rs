//! Exchanges: one file each for the address of a page, the order and units of its
//! columns, its limits and its error codes.

mod binance;
mod binance_socket;
mod bybit;
mod bybit_socket;
mod client;
mod coinbase_advanced;
mod coinbase_exchange;
mod coinbase_socket;
mod kucoin;
mod kucoin_socket;
mod page;
mod retry;
mod socket;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use assay_types::{Candle, Market, Timeframe, Trade};

use crate::LakeError;
pub use client::{ExchangeClient, REQUEST_TIMEOUT_MS};
pub(crate) use page::PageError;
pub(crate) use retry::Headers;
pub(crate) use socket::{ClosedRule, Heard, SocketRequest, Told};

/// A programming interface candles are fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Venue {
    /// Binance spot.
    Binance,
    /// Coinbase Exchange.
    CoinbaseExchange,
    /// Coinbase Advanced Trade.
    CoinbaseAdvanced,
    /// Bybit version 5, spot and linear perpetuals.
    Bybit,
    /// KuCoin spot.
    Kucoin,
}

/// What is fixed about a venue.
pub(crate) struct Rules {
    /// Name for the command line.
    name: &'static str,
    /// Exchange part of its datasets.
    exchange: &'static str,
    /// Public address.
    base_url: &'static str,
    /// Candles asked for at once, within the venue's limit.
    page_rows: i64,
    /// Shortest time between two requests, within the venue's rate.
    pace_ms: i64,
    /// The venue's word for each timeframe it has.
    intervals: &'static [(Timeframe, &'static str)],
}

/// One page of candles to ask for.
pub(crate) struct PageRequest<'a> {
    pub base_url: &'a str,
    pub market: &'a Market,
    pub timeframe: Timeframe,
    pub interval: &'static str,
    /// Open times asked for: the first, and the one the page ends before.
    pub window: Range<i64>,
}

impl PageRequest<'_> {
    /// Open time of the last candle asked for.
    pub(crate) fn last_open_ms(&self) -> i64 {
        self.window.end - self.timeframe.ms()
    }

    /// Base and quote of the symbol, and what follows them.
    pub(crate) fn parts(&self) -> (String, Option<&str>) {
        let mut parts = self.market.symbol.splitn(3, '-');
        let pair = parts.by_ref().take(2).collect();
        (pair, parts.next())
    }
}

impl Venue {
    /// Every venue.
    pub const ALL: [Self; 5] =
        [Self::Binance, Self::CoinbaseExchange, Self::CoinbaseAdvanced, Self::Bybit, Self::Kucoin];

    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            Self::Binance => &binance::RULES,
            Self::CoinbaseExchange => &coinbase_exchange::RULES,
            Self::CoinbaseAdvanced => &coinbase_advanced::RULES,
            Self::Bybit => &bybit::RULES,
            Self::Kucoin => &kucoin::RULES,
        }
    }

    fn url(self, request: &PageRequest<'_>) -> Result<String, LakeError> {
        match self {
            Self::Binance => binance::url(request),
            Self::CoinbaseExchange => coinbase_exchange::url(request),
            Self::CoinbaseAdvanced => coinbase_advanced::url(request),
            Self::Bybit => bybit::url(request),
            Self::Kucoin => kucoin::url(request),
        }
    }

    /// The candles of an answer, in the answer's order.
    fn page(self, body: &[u8]) -> Result<Vec<Candle>, PageError> {
        match self {
            Self::Binance => binance::page(body),
            Self::CoinbaseExchange => coinbase_exchange::page(body),
            Self::CoinbaseAdvanced => coinbase_advanced::page(body),
            Self::Bybit => bybit::page(body),
            Self::Kucoin => kucoin::page(body),
        }
    }

    /// How long the venue's headers ask to wait before the next request.
    fn pause_ms(self, headers: &Headers, now_ms: i64) -> i64 {
        match self {
            Self::Binance => binance::pause_ms(headers, now_ms),
            Self::Bybit => bybit::pause_ms(headers, now_ms),
            Self::Kucoin => kucoin::pause_ms(headers),
            Self::CoinbaseExchange | Self::CoinbaseAdvanced => 0,
        }
    }

    /// How the venue's socket tells that a candle is closed; what it has no socket for.
    pub(crate) fn closed_rule(self) -> Result<ClosedRule, LakeError> {
        match self {
            Self::Binance => Ok(binance_socket::CLOSED),
            Self::Bybit => Ok(bybit_socket::CLOSED),
            Self::CoinbaseAdvanced => Ok(coinbase_socket::CLOSED),
            Self::Kucoin => Ok(kucoin_socket::CLOSED),
            Self::CoinbaseExchange => Err(LakeError::Unsupported(
                "the Coinbase Exchange feed has no candles; follow coinbase-advanced, which has the same market"
                    .to_owned(),
            )),
        }
    }

    /// Where the venue's socket is, and how to join it. `override_url` stands for the public
    /// address. The address may hold a token: it is not for logs.
    pub(crate) async fn socket(
        self,
        client: &ExchangeClient,
        market: &Market,
        timeframe: Timeframe,
        override_url: Option<&str>,
    ) -> Result<SocketRequest, LakeError> {
        self.closed_rule()?;
        match self {
            Self::Binance => binance_socket::request(market, self.interval(timeframe)?, override_url),
            Self::Bybit => bybit_socket::request(market, self.interval(timeframe)?, override_url),
            Self::CoinbaseAdvanced => Ok(coinbase_socket::request(market, override_url)),
            Self::Kucoin => kucoin_socket::request(client, market, self.interval(timeframe)?).await,
            Self::CoinbaseExchange => Err(LakeError::Unsupported(String::new())),
        }
    }

    /// What a message of the socket tells.
    pub(crate) fn hear(self, text: &str, request: &SocketRequest) -> Result<Heard, PageError> {
        match self {
            Self::Binance => binance_socket::hear(text),
            Self::Bybit => bybit_socket::hear(text, request),
            Self::CoinbaseAdvanced => coinbase_socket::hear(text),
            Self::Kucoin => kucoin_socket::hear(text, request),
            Self::CoinbaseExchange => Ok(Heard::default()),
        }
    }

    /// The name for the command line, such as `coinbase-advanced`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.rules().name
    }

    /// The exchange part of its datasets' names, such as `coinbase`.
    #[must_use]
    pub fn exchange(self) -> &'static str {
        self.rules().exchange
    }

    /// Candles that one request may return.
    #[must_use]
    pub fn page_rows(self) -> i64 {
        self.rules().page_rows
    }

    /// The venue that serves an exchange's candles; the first when there are several.
    #[must_use]
    pub fn of_exchange(exchange: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|venue| venue.exchange() == exchange)
    }

    /// The venue's word for a timeframe.
    pub(crate) fn interval(self, timeframe: Timeframe) -> Result<&'static str, LakeError> {
        let found = self.rules().intervals.iter().find(|(known, _)| *known == timeframe);
        found.map(|(_, word)| *word).ok_or_else(|| {
            LakeError::Unsupported(format!(
                "{} has no {timeframe} candles; fetch a shorter timeframe and resample it",
                self.name()
            ))
        })
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Venue {
    type Err = LakeError;
    fn from_str(text: &str) -> Result<Self, LakeError> {
        Self::ALL.into_iter().find(|venue| venue.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|venue| venue.name()).collect();
            LakeError::Unsupported(format!("`{text}` is not an exchange to fetch from: use {}", names.join(", ")))
        })
    }
}

/// Address of a page of Binance aggregate trades.
pub(crate) fn trades_url(base_url: &str, market: &Market, from: TradesFrom) -> Result<String, LakeError> {
    binance::trades_url(base_url, market, from)
}

/// The trades of such a page.
pub(crate) fn trades_page(body: &[u8]) -> Result<Vec<Trade>, PageError> {
    binance::trades_page(body)
}

pub(crate) use binance::{TRADES_PAGE_ROWS, TradesFrom};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A good answer of each venue, to be spoilt.
    const ANSWERS: [&str; 6] = [
        r#"[[1499040000000,"1.5","2","1","1.5","3",1499644799999,"2434.1",308,"1756.8","28.4","0"]]"#,
        "[[1710327600,1,2,1.5,1.5,1.56794406]]",
        r#"{"candles":[{"start":"1712192400","low":"1","high":"2","open":"1.5","close":"1.5","volume":"3"}]}"#,
        r#"{"retCode":0,"retMsg":"OK","result":{"list":[["1709891679000","1","2","1","1","123.45","3390000"]]}}"#,
        r#"{"code":"200000","data":[["1706637600","1","1","2","1","135.02905655","5859577.9"]]}"#,
        r#"[{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true,"M":true}]"#,
    ];

    fn read_all(body: &[u8]) -> usize {
        let candles = Venue::ALL.iter().filter(|venue| venue.page(body).is_ok()).count();
        candles + usize::from(trades_page(body).is_ok())
    }

    #[test]
    fn each_answer_is_read_by_its_venue() {
        for (venue, answer) in Venue::ALL.into_iter().zip(ANSWERS) {
            assert_eq!(venue.page(answer.as_bytes()).map(|page| page.len()), Ok(1), "{venue}");
        }
        assert_eq!(trades_page(ANSWERS[5].as_bytes()).map(|page| page.len()), Ok(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn no_answer_makes_the_readers_panic(
            which in 0_usize..6, changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6), keep in any::<usize>()
        ) {
            let mut body = ANSWERS[which].as_bytes().to_vec();
            for (at, value) in changes {
                let at = at % body.len();
                body[at] = value;
            }
            body.truncate(keep % (2 * body.len()));
            let _ = read_all(&body);
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "[\\[\\]{}\",:0-9a-z.-]{0,80}") {
            let _ = read_all(text.as_bytes());
        }
    }
}
