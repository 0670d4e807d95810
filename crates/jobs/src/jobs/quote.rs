//! One exact quote from a state file.

use std::path::PathBuf;

use assay_amm::concentrated::{Amount, Core, Swapped};
use assay_amm::integer::to_f64;
use assay_amm::snapshot::Snapshot;
use assay_amm::trade::slippage::{slippage, slippage_v2};
use assay_amm::{AmmError, Context, Fee, MarginalPrice, Pool, PoolKind, Proof, Quote, U256};
use serde::Serialize;

use crate::error::JobError;
use crate::state_file::{in_state, read_state};
use crate::units::{TokenShown, parse_amount, parse_integer};
use crate::workspace::Workspace;

/// The fixed side of a quote, in units, as the user wrote it.
#[derive(Debug, Clone)]
pub enum FixedAmount {
    /// An exact input.
    In(String),
    /// An exact output.
    Out(String),
}

/// What to quote.
#[derive(Debug, Clone)]
pub struct QuoteRequest {
    /// The state file.
    pub state: PathBuf,
    /// The token paid in: symbol, address or index.
    pub token_in: String,
    /// The token received; `None` for the other one of a pool of two.
    pub token_out: Option<String>,
    /// The fixed amount.
    pub amount: FixedAmount,
    /// Where the swap stops, as a 64.96-bit square-root price.
    pub sqrt_price_limit: Option<String>,
    /// The fee of this swap in millionths, where the kind takes one.
    pub fee_pips: Option<u32>,
    /// Timestamp of the block in seconds; by default the state's own.
    pub timestamp: Option<u64>,
    /// Whether money will follow: kinds without proof are refused.
    pub live: bool,
}

/// A price before and after the fee, in units of the token received per unit paid in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PriceShown {
    /// Before the fee.
    pub without_fee: f64,
    /// After the fee.
    pub with_fee: f64,
}

impl From<MarginalPrice> for PriceShown {
    fn from(price: MarginalPrice) -> Self {
        Self { without_fee: price.without_fee, with_fee: price.with_fee }
    }
}

/// What the trade loses, as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SlippageShown {
    /// Against the spot price: fee, price movement and rounding.
    pub against_spot: f64,
    /// Against the spot price after the fee: price movement and rounding.
    pub price_impact: f64,
}

/// Where a swap leaves a concentrated pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolAfter {
    /// Square-root price, 64.96-bit.
    pub sqrt_price_x96: String,
    /// Tick of the price.
    pub tick: i32,
    /// Liquidity in range.
    pub liquidity: String,
    /// Initialised ticks crossed on the way.
    pub crossed_ticks: u32,
}

/// A quote. Amounts are in units, as decimal text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quoted {
    /// The state file.
    pub state: String,
    /// Kind of the pool.
    pub kind: &'static str,
    /// `contract`, or `unproven` for pools whose contract's answers or bytecode were compared with nothing.
    pub proof: &'static str,
    /// Block of the state, when the file says it.
    pub block: Option<u64>,
    /// Timestamp that the quote was made for; `None` when neither file nor user said one.
    pub timestamp: Option<u64>,
    /// The token paid in.
    pub token_in: TokenShown,
    /// The token received.
    pub token_out: TokenShown,
    /// Which side was fixed: `input` or `output`.
    pub exact: &'static str,
    /// Paid in, fee included.
    pub amount_in: String,
    /// Received.
    pub amount_out: String,
    /// What a price limit left of the fixed amount; `None` without a limit.
    pub remaining: Option<String>,
    /// The pool's price before the swap.
    pub marginal_price: PriceShown,
    /// What the trade loses; `None` when nothing is paid in.
    pub slippage: Option<SlippageShown>,
    /// The pool's price after the swap; `None` where the state does not allow to move it.
    pub price_after: Option<PriceShown>,
    /// Why there is no price after the swap.
    pub price_after_reason: Option<String>,
    /// The most that can be sold; `None` where the state does not tell.
    pub max_in: Option<String>,
    /// Why there is no such amount.
    pub max_in_reason: Option<String>,
    /// The state after the swap, for concentrated kinds.
    pub after: Option<PoolAfter>,
    /// The ticks between which the state is known, when not all are.
    pub known_ticks: Option<[i32; 2]>,
}

impl QuoteRequest {
    /// Quotes; nothing is written.
    ///
    /// # Errors
    /// [`JobError::Input`] when the state does not read, a token is unknown, or the
    /// contract would revert; [`JobError::Check`] for a live quote of an unproven kind.
    pub fn run(self, workspace: &Workspace) -> Result<Quoted, JobError> {
        workspace.progress.stage("quote");
        let file = self.state.display();
        let snapshot = read_state(&self.state)?;
        let (pool, kind) = (&snapshot.pool, snapshot.pool.kind());
        self.check_live(pool)?;
        let (token_in, token_out) = self.tokens(&snapshot)?;
        let context = self.context(&snapshot)?;
        let shown = [token_in, token_out].map(|index| TokenShown::of(&snapshot, index));
        let (amount, exact) = match &self.amount {
            FixedAmount::In(text) => (Amount::In(parse_amount("--amount-in", text, &shown[0])?), "input"),
            FixedAmount::Out(text) => (Amount::Out(parse_amount("--amount-out", text, &shown[1])?), "output"),
        };
        let limit =
            self.sqrt_price_limit.as_deref().map(|text| parse_integer("--sqrt-price-limit", text)).transpose()?;
        let max_in = pool.max_in(token_in, token_out, &context);
        let refused = |error: AmmError| {
            let most = max_in.as_ref().ok().map(|most| shown[0].amount(*most));
            JobError::Input(format!("{file}: {}", explain(&error, kind, most)))
        };
        let swap = Swap { pool, token_in, token_out, amount, context };
        let (quote, swapped) = swap.run(limit).map_err(refused)?;
        let price = pool.marginal_price(token_in, token_out, &context).map_err(refused)?;
        let after = swap.price_after(&price, swapped.as_ref());
        let [shown_in, shown_out] = shown;
        Ok(Quoted {
            state: file.to_string(),
            kind: kind.name(),
            proof: match pool.proof() {
                Proof::Contract => "contract",
                Proof::Unproven => "unproven",
            },
            block: snapshot.block,
            timestamp: self.timestamp.or(snapshot.timestamp),
            token_in: shown_in,
            token_out: shown_out,
            exact,
            amount_in: quote.amount_in.to_string(),
            amount_out: quote.amount_out.to_string(),
            remaining: limit.and(swapped).map(|swapped| swapped.remaining.to_string()),
            marginal_price: price.into(),
            slippage: swap.slippage(&quote, &price),
            price_after: after.as_ref().ok().copied(),
            price_after_reason: after.err().map(|error| error.to_string()),
            max_in: max_in.as_ref().ok().map(ToString::to_string),
            max_in_reason: max_in.as_ref().err().map(ToString::to_string),
            after: swapped.map(|swapped| PoolAfter {
                sqrt_price_x96: swapped.sqrt_price_x96.to_string(),
                tick: swapped.tick(),
                liquidity: swapped.liquidity.to_string(),
                crossed_ticks: swapped.crossed,
            }),
            known_ticks: pool.core().filter(|core| !core.is_complete()).map(|core| [core.known.0, core.known.1]),
        })
    }

    fn check_live(&self, pool: &Pool) -> Result<(), JobError> {
        if self.live && pool.proof() == Proof::Unproven {
            return Err(JobError::Check(format!(
                "{}: this {} pool is unproven: quotes of its contract were compared with no recorded answer or bytecode, \
                 so no live trade may rest on them; quote without --live",
                self.state.display(),
                pool.kind()
            )));
        }
        Ok(())
    }

    fn tokens(&self, snapshot: &Snapshot) -> Result<(usize, usize), JobError> {
        let find = |option: &str, name: &str| {
            let found = snapshot.token(name).map_err(|error| in_state(&self.state, &error));
            found.map_err(|error| JobError::Input(format!("{option} {name}: {error}")))
        };
        let token_in = find("--token-in", &self.token_in)?;
        let token_out = match (&self.token_out, snapshot.pool.token_count()) {
            (Some(name), _) => find("--token-out", name)?,
            (None, 2) => 1 - token_in,
            (None, count) => {
                let text = format!("{}: the pool has {count} tokens: say --token-out", self.state.display());
                return Err(JobError::Input(text));
            }
        };
        if token_in == token_out {
            return Err(JobError::Input("--token-in and --token-out are the same token".to_owned()));
        }
        Ok((token_in, token_out))
    }

    fn context(&self, snapshot: &Snapshot) -> Result<Context, JobError> {
        let timestamp = self.timestamp.or(snapshot.timestamp).unwrap_or(0);
        let fee = match (self.fee_pips, snapshot.pool.kind()) {
            (None, _) => Fee::Pool,
            (Some(pips), PoolKind::Slipstream) => Fee::Pips(pips),
            (Some(_), kind) => {
                let text =
                    format!("--fee-pips: the fee of {kind} is in the pool's state, not in the swap; leave it out");
                return Err(JobError::Input(text));
            }
        };
        Ok(Context { timestamp, fee })
    }
}

/// A swap that is asked about.
struct Swap<'a> {
    pool: &'a Pool,
    token_in: usize,
    token_out: usize,
    amount: Amount,
    context: Context,
}

impl Swap<'_> {
    /// The quote, and for concentrated kinds where it leaves the pool.
    fn run(&self, limit: Option<U256>) -> Result<(Quote, Option<Swapped>), AmmError> {
        let Self { pool, token_in, token_out, amount, context } = *self;
        let limited = |limit| pool.quote_limited(token_in, token_out, amount, limit, &context);
        if let Some(limit) = limit {
            let swapped = limited(limit)?;
            return Ok((swapped.quote(), Some(swapped)));
        }
        let quote = match amount {
            Amount::In(amount) => pool.quote_exact_in(token_in, token_out, amount, &context)?,
            Amount::Out(amount) => pool.quote_exact_out(token_in, token_out, amount, &context)?,
        };
        let swapped = match pool.core() {
            Some(_) => Some(limited(Core::furthest_limit(token_in == 0))?),
            None => None,
        };
        Ok((quote, swapped))
    }

    fn slippage(&self, quote: &Quote, price: &MarginalPrice) -> Option<SlippageShown> {
        if quote.amount_in.is_zero() {
            return None;
        }
        let exact = match (self.pool, self.amount) {
            (Pool::UniswapV2(pool), Amount::In(amount)) => slippage_v2(pool, self.token_in, amount).ok(),
            _ => None,
        };
        let lost = exact.unwrap_or_else(|| slippage(quote, price));
        Some(SlippageShown { against_spot: lost.with_fee, price_impact: lost.price_impact })
    }

    /// The price after the swap: from the square roots where there are any, else from the
    /// moved state.
    fn price_after(&self, before: &MarginalPrice, swapped: Option<&Swapped>) -> Result<PriceShown, AmmError> {
        if let (Some(core), Some(swapped)) = (self.pool.core(), swapped) {
            let root = to_f64(swapped.sqrt_price_x96) / to_f64(core.sqrt_price_x96);
            let moved = if self.token_in == 0 { root * root } else { 1.0 / (root * root) };
            return Ok(PriceShown { without_fee: before.without_fee * moved, with_fee: before.with_fee * moved });
        }
        let mut pool = self.pool.clone();
        match self.amount {
            Amount::In(amount) => pool.swap_exact_in(self.token_in, self.token_out, amount, &self.context)?,
            Amount::Out(amount) => pool.swap_exact_out(self.token_in, self.token_out, amount, &self.context)?,
        };
        Ok(pool.marginal_price(self.token_in, self.token_out, &self.context)?.into())
    }
}

/// The engine's reason with a way out, where there is one.
fn explain(error: &AmmError, kind: PoolKind, most: Option<String>) -> String {
    let hint = match (error, most) {
        (AmmError::LiquidityExhausted { .. }, Some(most)) => {
            format!("; the most it takes is {most}, and --sqrt-price-limit takes a part")
        }
        (AmmError::Missing(what), _) if what.starts_with("fee_pips") => "; pass it as --fee-pips".to_owned(),
        (AmmError::Missing(what), _) if what.contains("timestamp") => "; pass it as --timestamp".to_owned(),
        (AmmError::Missing(_), _) => "; add it to the file".to_owned(),
        (AmmError::Unsupported { .. }, _) => format!("; leave the limit out for {kind}"),
        _ => String::new(),
    };
    format!("{error}{hint}")
}
