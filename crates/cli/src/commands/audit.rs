//! `assay audit`

use std::path::PathBuf;

use assay_jobs::jobs::audit::audit_file;
use assay_jobs::{Dataset, Workspace};
use clap::Args;

use crate::output::Console;

#[derive(Args)]
pub struct Audit {
    /// The signal file: a signed header, then one signal per line.
    signals: PathBuf,
    /// The canonical candles, such as binance/BTC-USDT/1h.
    #[arg(long, value_name = "DATASET")]
    dataset: Dataset,
    /// The creator's public key, 64 hexadecimal digits; other keys are refused.
    #[arg(long, value_name = "KEY", value_parser = hex_64)]
    key: Option<String>,
    /// The equity hash that was claimed; the audit fails when it comes to another.
    #[arg(long, value_name = "HASH", value_parser = hex_64)]
    expect: Option<String>,
}

fn hex_64(text: &str) -> Result<String, String> {
    let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(text.to_owned()) } else { Err("it is not 64 hexadecimal digits".to_owned()) }
}

impl Audit {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<bool> {
        let audit = audit_file(workspace, &self.signals, &self.dataset, self.key.as_deref())?;
        let as_claimed =
            self.expect.as_ref().is_none_or(|hash| hash.eq_ignore_ascii_case(&audit.equity_hash.to_string()));
        let mut lines = vec![
            format!("dataset       {}", self.dataset),
            format!("equity_hash   {}", audit.equity_hash),
            format!("final_equity  {}", audit.final_equity),
            format!("period        {} … {}", audit.period[0], audit.period[1]),
            format!("model_id      {}", audit.model_id),
            format!("public_key    {}", audit.public_key),
            format!("accepted      {} signals", audit.accepted),
            format!("stale         {}{}", audit.stale, first(&audit.stale_seqs)),
            format!("missing       {}{}", audit.missing.len(), first(&audit.missing)),
            format!("forged        {}", audit.forged.len()),
        ];
        for line in audit.forged.iter().take(20) {
            lines.push(format!("  line {}: {:?}: {}", line.line, line.fault, line.detail));
        }
        if audit.forged.len() > 20 {
            lines.push(format!("  and {} more; --json lists all", audit.forged.len() - 20));
        }
        if let (false, Some(claimed)) = (as_claimed, &self.expect) {
            lines.push(format!("the equity hash is not the claimed {claimed}"));
        }
        let held = audit.is_clean() && as_claimed;
        lines.push(if held { "the audit holds" } else { "the audit does not hold" }.to_owned());
        let next = format!("assay backtest RUN --dataset {}", self.dataset);
        console.answer(&audit, &lines.join("\n"), &next)?;
        Ok(held)
    }
}

/// The first few numbers of a list, in brackets.
fn first(numbers: &[u64]) -> String {
    if numbers.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = numbers.iter().take(5).map(u64::to_string).collect();
    let more = if numbers.len() > 5 { ", …" } else { "" };
    format!(" (seq {}{more})", shown.join(", "))
}
