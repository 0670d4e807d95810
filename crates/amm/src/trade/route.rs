//! Chains of pools of any kind, quoted hop by hop in whole units.

use ruint::aliases::U256;

use crate::context::{Context, Quote, check_pair};
use crate::error::AmmError;
use crate::kind::Pool;
use crate::snapshot::{Snapshot, SnapshotError};

/// One pool of a route and the pair of tokens it trades.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    /// The pool, in its state before the route.
    pub pool: &'a Pool,
    /// Index of the token paid in.
    pub token_in: usize,
    /// Index of the token received.
    pub token_out: usize,
    /// Address of the token paid in: hops chain when these agree, in any case of letters.
    pub paid: &'a str,
    /// Address of the token received.
    pub received: &'a str,
    /// Block and fee of this hop.
    pub context: Context,
}

impl<'a> Hop<'a> {
    /// The hop through a snapshot from one token to another, each named by index, address or symbol.
    ///
    /// # Errors
    /// A token that the snapshot lacks or has no address for.
    pub fn through(snapshot: &'a Snapshot, token_in: &str, token_out: &str) -> Result<Self, SnapshotError> {
        let (token_in, token_out) = (snapshot.token(token_in)?, snapshot.token(token_out)?);
        let address = |index: usize| match snapshot.tokens.get(index) {
            Some(token) => Ok(token.address.as_str()),
            None => Err(SnapshotError::State(format!("token {index} has no address to chain hops by"))),
        };
        Ok(Self {
            pool: &snapshot.pool,
            token_in,
            token_out,
            paid: address(token_in)?,
            received: address(token_out)?,
            context: snapshot.context(),
        })
    }
}

/// What a route takes and gives, and each hop on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteQuote {
    /// What is paid into the first pool.
    pub amount_in: U256,
    /// What the last pool pays.
    pub amount_out: U256,
    /// The quotes of the hops, in order.
    pub hops: Vec<Quote>,
}

/// A path whose tokens chain and that trades with no pool twice.
#[derive(Debug, Clone)]
pub struct Route<'a> {
    hops: Vec<Hop<'a>>,
}

impl<'a> Route<'a> {
    /// Checks and takes the hops. A pool may not come twice: its second quote would be
    /// asked of a state that the first has changed.
    ///
    /// # Errors
    /// No hops, a hop that does not take the token the one before gave, a pair that the
    /// pool lacks, or a pool that comes twice.
    pub fn new(hops: Vec<Hop<'a>>) -> Result<Self, AmmError> {
        if hops.is_empty() {
            return Err(AmmError::Route { hop: 0, reason: "a route needs a pool".into() });
        }
        for (index, hop) in hops.iter().enumerate() {
            check_pair(hop.token_in, hop.token_out, hop.pool.token_count())?;
            if hops[..index].iter().any(|earlier| std::ptr::eq(earlier.pool, hop.pool)) {
                return Err(AmmError::Route { hop: index, reason: "its pool was traded before".into() });
            }
            if let Some(previous) = index.checked_sub(1).map(|previous| &hops[previous])
                && !previous.received.eq_ignore_ascii_case(hop.paid)
            {
                let reason = format!("it takes {}, the hop before gives {}", hop.paid, previous.received);
                return Err(AmmError::Route { hop: index, reason });
            }
        }
        Ok(Self { hops })
    }

    /// The hops, in order.
    #[must_use]
    pub fn hops(&self) -> &[Hop<'a>] {
        &self.hops
    }

    /// Whether the route ends with the token it begins with.
    #[must_use]
    pub fn is_cycle(&self) -> bool {
        match (self.hops.first(), self.hops.last()) {
            (Some(first), Some(last)) => first.paid.eq_ignore_ascii_case(last.received),
            _ => false,
        }
    }

    /// What an exact input buys, each pool fed the whole units the pool before pays.
    ///
    /// # Errors
    /// What a contract on the way would revert with.
    pub fn quote_exact_in(&self, amount_in: U256) -> Result<RouteQuote, AmmError> {
        let mut amount = amount_in;
        let mut quotes = Vec::with_capacity(self.hops.len());
        for hop in &self.hops {
            let quote = hop.pool.quote_exact_in(hop.token_in, hop.token_out, amount, &hop.context)?;
            amount = quote.amount_out;
            quotes.push(quote);
        }
        Ok(RouteQuote { amount_in, amount_out: amount, hops: quotes })
    }

    /// What buys an exact output: from the last pool backwards, each asked for exactly
    /// what the next one takes. The input is the sum of the contracts' own answers, which
    /// may be a unit above the least that would do.
    ///
    /// # Errors
    /// What a contract on the way would revert with.
    pub fn quote_exact_out(&self, amount_out: U256) -> Result<RouteQuote, AmmError> {
        let mut amount = amount_out;
        let mut quotes = Vec::with_capacity(self.hops.len());
        for hop in self.hops.iter().rev() {
            let quote = hop.pool.quote_exact_out(hop.token_in, hop.token_out, amount, &hop.context)?;
            amount = quote.amount_in;
            quotes.push(quote);
        }
        quotes.reverse();
        Ok(RouteQuote { amount_in: amount, amount_out, hops: quotes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::UniswapV2;

    fn pool(reserve0: u128, reserve1: u128) -> Pool {
        Pool::UniswapV2(UniswapV2::new([reserve0, reserve1], 3, 1000).unwrap())
    }

    fn hop<'a>(pool: &'a Pool, token_in: usize, paid: &'a str, received: &'a str) -> Hop<'a> {
        Hop { pool, token_in, token_out: 1 - token_in, paid, received, context: Context::default() }
    }

    #[test]
    fn hops_feed_each_other_whole_units() {
        let (first, second) = (pool(1_000_000, 3_000), pool(5_000_000, 2_000));
        let route = Route::new(vec![hop(&first, 0, "0xA", "0xb"), hop(&second, 1, "0xB", "0xc")]).unwrap();
        let quote = route.quote_exact_in(U256::from(5_000)).unwrap();
        let middle = first.quote_exact_in(0, 1, U256::from(5_000), &Context::default()).unwrap().amount_out;
        let last = second.quote_exact_in(1, 0, middle, &Context::default()).unwrap().amount_out;
        assert_eq!((quote.amount_out, quote.hops[0].amount_out, quote.hops[1].amount_in), (last, middle, middle));
        assert!(!route.is_cycle());
    }

    #[test]
    fn an_exact_output_is_reached_by_its_input() {
        let (first, second) = (pool(1_000_000_000, 3_000_000), pool(5_000_000_000, 2_000_000));
        let route = Route::new(vec![hop(&first, 0, "a", "b"), hop(&second, 1, "b", "a")]).unwrap();
        assert!(route.is_cycle());
        for wanted in [1_u64, 1_000, 999_999, 2_000_000_000] {
            let quote = route.quote_exact_out(U256::from(wanted)).unwrap();
            assert_eq!(quote.hops[0].amount_out, quote.hops[1].amount_in);
            assert!(route.quote_exact_in(quote.amount_in).unwrap().amount_out >= U256::from(wanted));
        }
        // More than the second pool holds.
        assert!(route.quote_exact_out(U256::from(5_000_000_000_u64)).is_err());
    }

    #[test]
    fn tokens_that_do_not_chain_are_refused() {
        let (first, second) = (pool(1_000, 1_000), pool(1_000, 1_000));
        let reason = |hops| Route::new(hops).unwrap_err().to_string();
        assert_eq!(
            reason(vec![hop(&first, 0, "a", "b"), hop(&second, 0, "c", "a")]),
            "hop 1 of the route: it takes c, the hop before gives b"
        );
        assert!(reason(vec![hop(&first, 0, "a", "b"), hop(&first, 1, "b", "a")]).contains("traded before"));
        assert!(reason(vec![]).contains("needs a pool"));
        assert!(reason(vec![Hop { token_out: 0, ..hop(&first, 0, "a", "b") }]).contains("no pair of tokens 0 and 0"));
    }

    #[test]
    fn snapshots_name_the_tokens() {
        let text = |token0: &str, token1: &str| {
            format!(
                r#"{{"kind": "uniswap-v2", "reserves_token0": "9000000", "reserves_token1": "4000000", "fee": "3/1000",
                "tokens": [{{"address": "{token0}", "symbol": "T0"}}, {{"address": "{token1}", "symbol": "T1"}}]}}"#
            )
        };
        let one = crate::snapshot::decode(&text("0xAA", "0xBB")).unwrap();
        let two = crate::snapshot::decode(&text("0xaa", "0xbb")).unwrap();
        let route = Route::new(vec![Hop::through(&one, "T0", "T1").unwrap(), Hop::through(&two, "0xBB", "0").unwrap()])
            .unwrap();
        assert!(route.is_cycle());
        assert!(Hop::through(&one, "T0", "T7").is_err());
    }
}
