//! One miner of a round in full: tokens, terms and answers, every number exact.

use assay_lp::Amounts;
use assay_lp::record::{AnswerRecord, MinerRecord};

use super::NONE;
use super::amount::{Tokens, clean, fixed_exact, share};
use super::html::{facts, table};
use super::round::utc;

/// Answers that are listed.
const ANSWERS_SHOWN: usize = 200;

/// Facts and answers of a miner as HTML.
pub(super) fn detail(miner: &MinerRecord, tokens: &Tokens) -> String {
    let (measured, judgement) = (&miner.measured, &miner.judgement);
    let both = |amounts: Amounts| {
        let [amount0, amount1] = amounts.pair();
        let (first, second) = (tokens.exact(0, amount0), tokens.exact(1, amount1));
        format!("{first} {} · {second} {}", tokens.name(0), tokens.name(1))
    };
    let value = |text: String| format!("{text} {}", tokens.name(1));
    let fees = measured.collected.checked_add(measured.owed).map_or_else(|| NONE.to_owned(), both);
    let dust = format!("{} · {}", tokens.signed(0, measured.dust0), tokens.signed(1, measured.dust1));
    let remarks: Vec<String> = judgement.remarks.iter().map(|remark| clean(remark)).collect();
    let mut pairs = vec![
        ("inventory at the end", both(measured.inventory)),
        ("principal at the end", both(measured.principal)),
        ("fees", fees),
        ("of them collected at rebalances", both(measured.collected)),
        ("swapped at rebalances", both(measured.swapped)),
        ("value at the start", value(tokens.exact(1, judgement.value_start))),
        ("hold", value(tokens.exact(1, judgement.value_hold))),
        ("principal − hold", value(tokens.signed(1, judgement.principal_change))),
        ("value of the fees", value(tokens.exact(1, judgement.fees))),
        ("rebalance cost", value(tokens.exact(1, judgement.rebalance_cost))),
        ("value at the end", value(tokens.signed(1, judgement.value_end))),
        ("LVR", value(tokens.signed(1, measured.lvr))),
        ("gain", fixed_exact(judgement.gain)),
        ("gain against holding", fixed_exact(judgement.gain_over_hold)),
        ("score", fixed_exact(judgement.score)),
        ("counted score", judgement.counted_score.map_or_else(|| format!("{NONE} (free refusal)"), fixed_exact)),
        ("combined score before", fixed_exact(miner.combined_before)),
        ("blocks in range", {
            let text = share(measured.blocks_in_range, measured.blocks);
            format!("{} of {} ({text})", measured.blocks_in_range, measured.blocks)
        }),
        ("largest loss against holding", format!("{} millionths", measured.max_il_ppm)),
        ("requests its pool refused", measured.skipped.to_string()),
        ("dust left in the pool", dust),
        ("registered", utc(miner.registered_at)),
        ("authenticated", if miner.authenticated { "signed and sealed" } else { "no" }.to_owned()),
    ];
    if let Some(leader) = &judgement.clone_of {
        pairs.push(("clone of", clean(leader)));
    }
    if !remarks.is_empty() {
        pairs.push(("remarks", remarks.join("; ")));
    }
    facts(&pairs) + &answers(miner, tokens)
}

fn answers(miner: &MinerRecord, tokens: &Tokens) -> String {
    let row = |answer: &AnswerRecord| {
        let positions: Vec<String> = answer
            .positions
            .iter()
            .map(|position| {
                let (amount0, amount1) = (position.allocation0, position.allocation1);
                let (first, second) = (tokens.exact(0, amount0), tokens.exact(1, amount1));
                format!("{} … {}: {first} + {second}", position.tick_lower, position.tick_upper)
            })
            .collect();
        vec![
            answer.checkpoint.to_string(),
            answer.outcome.name().to_owned(),
            answer.effective_block.map_or_else(|| NONE.to_owned(), |block| block.to_string()),
            positions.join("; "),
            answer.reason.as_deref().map_or_else(String::new, clean),
        ]
    };
    let rows: Vec<Vec<String>> = miner.answers.iter().take(ANSWERS_SHOWN).map(row).collect();
    let wanted = format!("wanted ticks: at most {} + {}", tokens.name(0), tokens.name(1));
    table(&["checkpoint", "outcome", "stands after block", &wanted, "reason"], &rows)
}
