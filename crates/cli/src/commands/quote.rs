//! `assay quote`

use std::path::PathBuf;

use assay_jobs::Workspace;
use assay_jobs::jobs::quote::{FixedAmount, PriceShown, QuoteRequest, Quoted};
use assay_jobs::report::percent;
use assay_jobs::units::TokenShown;
use clap::Args;

use crate::output::Console;

#[derive(Args)]
pub struct Quote {
    /// The pool's state file (JSON).
    state: PathBuf,
    /// Token paid in: symbol, address, or index in the pool.
    #[arg(long, value_name = "TOKEN")]
    token_in: String,
    /// Token received; by default the other one of a pool of two.
    #[arg(long, value_name = "TOKEN")]
    token_out: Option<String>,
    /// What is paid in, in the token's smallest unit.
    #[arg(long, value_name = "UNITS", allow_hyphen_values = true, conflicts_with = "amount_out")]
    #[arg(required_unless_present = "amount_out")]
    amount_in: Option<String>,
    /// What is to be received, in the token's smallest unit.
    #[arg(long, value_name = "UNITS", allow_hyphen_values = true)]
    amount_out: Option<String>,
    /// Stop at this price: a square root as a 64.96-bit integer.
    #[arg(long, value_name = "X96", allow_hyphen_values = true)]
    sqrt_price_limit: Option<String>,
    /// Fee of this swap in millionths of the input (slipstream).
    #[arg(long, value_name = "PIPS")]
    fee_pips: Option<u32>,
    /// Timestamp of the block in seconds since 1970 UTC; by default the state's own.
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<u64>,
    /// Refuse kinds that are not proven against deployed contracts.
    #[arg(long)]
    live: bool,
}

impl Quote {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let amount = match (self.amount_in, self.amount_out) {
            (Some(amount), _) => FixedAmount::In(amount),
            (None, amount) => FixedAmount::Out(amount.unwrap_or_default()),
        };
        let request = QuoteRequest {
            state: self.state,
            token_in: self.token_in,
            token_out: self.token_out,
            amount,
            sqrt_price_limit: self.sqrt_price_limit,
            fee_pips: self.fee_pips,
            timestamp: self.timestamp,
            live: self.live,
        };
        let done = request.run(workspace)?;
        console.answer(&done, &text(&done), &next(&done))
    }
}

/// The way back: what was received, sold again.
fn next(done: &Quoted) -> String {
    let (from, to) = (done.token_out.argument(), done.token_in.argument());
    format!("assay quote {} --token-in {from} --token-out {to} --amount-in {}", done.state, done.amount_out)
}

fn text(done: &Quoted) -> String {
    let (token_in, token_out) = (&done.token_in, &done.token_out);
    let widest = done.amount_in.len().max(done.amount_out.len());
    let amount = |units: &str, token: &TokenShown| format!("{units:<widest$}  {}", whole(units, token));
    let price = |price: &PriceShown| {
        let unit = if token_in.decimals.is_some() && token_out.decimals.is_some() {
            format!("{} per {}", token_out.name(), token_in.name())
        } else {
            "units per unit".to_owned()
        };
        let (without, with) = (scaled(price.without_fee, done), scaled(price.with_fee, done));
        format!("{without} {unit} before the fee, {with} after it")
    };
    let mut lines = vec![
        format!("amount_in     {}", amount(&done.amount_in, token_in)),
        format!("amount_out    {}", amount(&done.amount_out, token_out)),
    ];
    if let Some(remaining) = &done.remaining {
        let token = if done.exact == "input" { token_in } else { token_out };
        lines.push(format!("left          {}  at the price limit", amount(remaining, token)));
    }
    lines.push(format!("price         {}", price(&done.marginal_price)));
    if let Some(lost) = &done.slippage {
        let (spot, impact) = (percent(lost.against_spot), percent(lost.price_impact));
        lines.push(format!("slippage      {spot} against that price, of which {impact} price impact"));
    }
    lines.push(match (&done.price_after, &done.price_after_reason) {
        (Some(after), _) => format!("price after   {}", price(after)),
        (None, reason) => format!("price after   unknown: {}", reason.as_deref().unwrap_or_default()),
    });
    if let Some(after) = &done.after {
        lines.push(format!("sqrt_price    {} after", after.sqrt_price_x96));
        let crossed = if after.crossed_ticks == 1 { "tick" } else { "ticks" };
        lines.push(format!("tick          {} after, {} {crossed} crossed", after.tick, after.crossed_ticks));
        lines.push(format!("liquidity     {} after", after.liquidity));
    }
    lines.push(match (&done.max_in, &done.max_in_reason) {
        (Some(most), _) => format!("max_in        {most}  {}", whole(most, token_in)),
        (None, reason) => format!("max_in        unknown: {}", reason.as_deref().unwrap_or_default()),
    });
    if let Some([low, high]) = done.known_ticks {
        lines.push(format!("known ticks   {low} … {high} only: a swap that leaves them is refused"));
    }
    lines.push(format!("kind          {}", done.kind));
    lines.push(match done.proof {
        "contract" => "proof         contract: equal to recorded answers or bytecode of deployed contracts".to_owned(),
        other => format!("proof         {other}: compared with no deployed contract; not for live trades"),
    });
    lines.extend(done.block.map(|block| format!("block         {block}")));
    lines.extend(done.timestamp.map(|timestamp| format!("timestamp     {timestamp}")));
    lines.join("\n")
}

/// An amount in whole tokens.
fn whole(units: &str, token: &TokenShown) -> String {
    units.parse().map_or_else(|_| String::new(), |units| token.amount(units))
}

/// A price in whole tokens where both decimals are known, with ten digits.
fn scaled(price: f64, done: &Quoted) -> String {
    let shift = match (done.token_in.decimals, done.token_out.decimals) {
        (Some(paid), Some(received)) => i32::from(paid) - i32::from(received),
        _ => 0,
    };
    let price = price * 10_f64.powi(shift);
    if !(1e-4..1e15).contains(&price) {
        return format!("{price:.9e}");
    }
    let mut digits = 10_usize;
    let mut bound = 10.0;
    while digits > 2 && price >= bound {
        digits -= 1;
        bound *= 10.0;
    }
    format!("{price:.digits$}")
}
