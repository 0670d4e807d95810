//! A liquidity round as one page, made from its record alone.

use std::collections::BTreeMap;

use assay_lp::FeeRule;
use assay_lp::fixed_path::FixedPathResult;
use assay_lp::record::{MinerRecord, Mode, Outcome, RoundRecord};
use assay_lp::reputation::{Eligibility, PARTICIPATION_DAYS};
use assay_types::time::format_utc;

use super::NONE;
use super::amount::{Tokens, clean, fixed_percent, fixed_short, share, short_name};
use super::html::{Page, escape, facts, note, table, tiles};
use super::round_chart::{RangeChart, bands_of, path_of};

/// Small charts beside the large one; the other miners are in the tables.
const SMALL_CHARTS: usize = 24;
/// Miners whose answers and tokens are listed one by one.
const MINERS_IN_DETAIL: usize = 256;
/// Answers without effect that are listed with their reasons.
const REASONS_SHOWN: usize = 500;

const EXACT_BELOW: &str = "Numbers here are cut toward zero to a few digits; those under each miner are exact.";

/// What stands beside the record on a round's page.
#[derive(Debug, Clone, Default)]
pub struct RoundPageOptions {
    /// How amounts are written.
    pub tokens: Tokens,
    /// The miner with the large chart; the winner, or the best ranked one, without it.
    pub focus: Option<String>,
    /// Live eligibility by miner.
    pub eligibility: BTreeMap<String, Eligibility>,
    /// Fixed-path simulation by miner.
    pub fixed_path: BTreeMap<String, FixedPathResult>,
}

/// The page of a round: self-contained HTML.
#[must_use]
pub fn round_page(record: &RoundRecord, options: &RoundPageOptions) -> String {
    let job = &record.job;
    let mut badges =
        vec![record.mode.name().to_owned(), record.simulation.clone(), record.round_type.name().to_owned()];
    if record.mode == Mode::Practice {
        badges.push("never touches reputation".to_owned());
    }
    let title = format!("Round {} of {}", record.round_number, clean(&job.job_id));
    let subtitle = format!(
        "{} … {} · blocks {} … {}",
        utc(record.start.timestamp),
        utc(record.end.timestamp),
        record.start.number,
        record.end.number
    );
    let badges: Vec<String> = badges.iter().map(|badge| clean(badge)).collect();
    let order = ranking(record);
    let mut page = Page::new(&title, &subtitle, &badges);
    page.section("Result", &result(record, &options.tokens));
    page.section("Ranges on the price", &charts(record, options, &order));
    page.section("Ranking", &ranks(&order));
    page.section("Value against holding", &values(record, options, &order));
    page.section("Score", &scores(&order));
    page.section("Rebalance costs", &costs(record, options, &order));
    page.section("Refused, missed and invalid answers", &without_effect(record));
    if !options.eligibility.is_empty() {
        page.section("Live eligibility", &eligibility(options, &order));
    }
    if !options.fixed_path.is_empty() {
        page.section("Beside it: fixed path", &fixed_path(options, &order));
    }
    page.section("Miners", &miners(options, &order));
    page.section("Constants of the round", &constants(record, &options.tokens));
    page.section("Hashes", &hashes(record));
    page.finish()
}

/// Seconds since 1970 as ISO-8601.
pub(super) fn utc(timestamp: u64) -> String {
    i64::try_from(timestamp).ok().and_then(|s| s.checked_mul(1_000)).map_or_else(|| timestamp.to_string(), format_utc)
}

/// By rank, the unranked behind by score.
fn ranking(record: &RoundRecord) -> Vec<&MinerRecord> {
    let mut order: Vec<&MinerRecord> = record.miners.iter().collect();
    order.sort_by_key(|miner| {
        let judgement = &miner.judgement;
        (judgement.rank.unwrap_or(u32::MAX), std::cmp::Reverse(judgement.score), &miner.miner)
    });
    order
}

/// What a miner did not answer validly.
pub(super) fn missed(miner: &MinerRecord) -> usize {
    miner.answers.iter().filter(|answer| !answer.outcome.is_answered()).count()
}

fn rank_text(miner: &MinerRecord) -> String {
    miner.judgement.rank.map_or_else(|| NONE.to_owned(), |rank| rank.to_string())
}

fn result(record: &RoundRecord, tokens: &Tokens) -> String {
    let winner = record.winner.as_ref().and_then(|key| record.miners.iter().find(|miner| &miner.miner == key));
    let ranked = record.miners.iter().filter(|miner| miner.judgement.rank.is_some()).count();
    let mut list = vec![
        match winner {
            Some(miner) => {
                ("Winner", short_name(&miner.miner), format!("score {}", fixed_short(miner.judgement.score)))
            }
            None => ("Winner", NONE.to_owned(), "no miner that is not built in is ranked".to_owned()),
        },
        ("Price at the end", tokens.price(record.end_sqrt_price_x96), {
            format!("from {}, {}", tokens.price(record.start_sqrt_price_x96), tokens.price_unit())
        }),
        ("Miners", record.miners.len().to_string(), format!("{ranked} ranked")),
        ("Checkpoints", record.checkpoints.len().to_string(), {
            format!("{} blocks", record.end.number.saturating_sub(record.start.number))
        }),
        (
            "Requests run again",
            record.requests.to_string(),
            format!("{} not explained to the unit", record.unexplained),
        ),
    ];
    if let Some(miner) = record.miners.first() {
        let (start, hold) = (miner.judgement.value_start, miner.judgement.value_hold);
        let text = tokens.short(1, (true, hold));
        list.insert(2, ("Value of holding", text, format!("from {}", tokens.short(1, (true, start)))));
    }
    tiles(&list) + &note(EXACT_BELOW)
}

/// Times on the axis: five moments from start to end, and the checkpoints as lines.
fn moments(record: &RoundRecord) -> Vec<(f64, String)> {
    let (blocks, seconds) = (
        record.end.number.saturating_sub(record.start.number) as f64,
        record.end.timestamp.saturating_sub(record.start.timestamp),
    );
    let label = |part: u64| {
        let text = utc(record.start.timestamp.saturating_add(seconds / 4 * part));
        text.get(11..19).map_or_else(
            || text.clone(),
            |time| if seconds % 60 == 0 && seconds >= 240 { time[..5].to_owned() } else { time.to_owned() },
        )
    };
    (0..=4).map(|part| (record.start.number as f64 + blocks * part as f64 / 4.0, label(part))).collect()
}

fn charts(record: &RoundRecord, options: &RoundPageOptions, order: &[&MinerRecord]) -> String {
    let tokens = &options.tokens;
    let chosen = options.focus.as_ref().or(record.winner.as_ref());
    let focus = order.iter().find(|miner| Some(&miner.miner) == chosen).or(order.first());
    let Some(focus) = focus else { return note("No miner took part.") };
    let paths = [path_of(record, tokens, |block| block as f64)];
    let marks: Vec<f64> = record.checkpoints.iter().map(|checkpoint| checkpoint.block as f64).collect();
    let moments = moments(record);
    let draw = |miner: &MinerRecord, large: bool| {
        let bands = bands_of(record, miner, tokens, |block| block as f64);
        let title = format!("Ranges of {} on the price", clean(&miner.miner));
        let ends = [moments[0].clone(), moments[4].clone()];
        let chart = RangeChart {
            title: &title,
            size: if large { (960.0, 340.0) } else { (380.0, 170.0) },
            left: if large { 74.0 } else { 66.0 },
            paths: &paths,
            bands: &bands,
            moments: if large { &moments } else { &ends },
            marks: &marks,
        };
        let measured = &miner.measured;
        let mut text = format!("in range {} of blocks", share(measured.blocks_in_range, measured.blocks));
        if bands.is_empty() {
            text += ", nothing placed";
        } else if chart.is_clipped() {
            text += ", a range goes beyond the chart";
        }
        (chart.svg(), text)
    };
    let (svg, text) = draw(focus, true);
    let mut html = format!(
        "<h3 class=\"name\">{} · rank {} · score {}</h3><p class=\"legend\"><span><i class=\"price\"></i>recorded price, {}</span>\
         <span><i class=\"band\"></i>range that stands</span><span><i class=\"mark\"></i>checkpoint</span></p>\
         <div class=\"scroll\">{svg}</div>{}",
        escape(&short_name(&focus.miner)),
        rank_text(focus),
        fixed_short(focus.judgement.score),
        escape(&tokens.price_unit()),
        note(&text)
    );
    let others: Vec<_> = order.iter().filter(|miner| miner.miner != focus.miner).collect();
    html.push_str("<div class=\"multiples\">");
    for miner in others.iter().take(SMALL_CHARTS) {
        let (svg, text) = draw(miner, false);
        html += &format!(
            "<div><h3 class=\"name\">{} · rank {} · score {}</h3>{svg}{}</div>",
            escape(&short_name(&miner.miner)),
            rank_text(miner),
            fixed_short(miner.judgement.score),
            note(&text)
        );
    }
    html.push_str("</div>");
    if others.len() > SMALL_CHARTS {
        html += &note(&format!("{} further miners are in the tables.", others.len() - SMALL_CHARTS));
    }
    html + &note("Times between the first and the last block are interpolated. Miners without a position have no band.")
}

fn ranks(order: &[&MinerRecord]) -> String {
    let rows: Vec<Vec<String>> = order
        .iter()
        .map(|miner| {
            let (judgement, measured) = (&miner.judgement, &miner.measured);
            let mut remarks: Vec<String> = judgement.remarks.iter().map(|remark| clean(remark)).collect();
            if miner.built_in {
                remarks.insert(0, "built in: never paid".to_owned());
            } else if !miner.authenticated {
                remarks.insert(0, "not authenticated".to_owned());
            }
            vec![
                short_name(&miner.miner),
                rank_text(miner),
                fixed_short(judgement.score),
                fixed_percent(judgement.gain),
                fixed_percent(judgement.gain_over_hold),
                share(measured.blocks_in_range, measured.blocks),
                measured.rebalances.to_string(),
                missed(miner).to_string(),
                remarks.join("; "),
            ]
        })
        .collect();
    let head =
        ["miner", "rank", "score", "gain", "against holding", "blocks in range", "rebalances", "missed", "remarks"];
    table(&head, &rows)
}

fn values(record: &RoundRecord, options: &RoundPageOptions, order: &[&MinerRecord]) -> String {
    let tokens = &options.tokens;
    let rows: Vec<Vec<String>> = order
        .iter()
        .map(|miner| {
            let judgement = &miner.judgement;
            vec![
                short_name(&miner.miner),
                tokens.cut(1, (true, judgement.value_hold)),
                tokens.cut(1, judgement.principal_change),
                tokens.cut(1, (true, judgement.fees)),
                NONE.to_owned(),
                tokens.cut(1, (true, judgement.rebalance_cost)),
                tokens.cut(1, judgement.value_end),
                tokens.cut(1, miner.measured.lvr),
            ]
        })
        .collect();
    let head = [
        "miner",
        "hold",
        "+ (principal − hold)",
        "+ fees",
        "+ rewards",
        "− rebalance cost",
        "= value",
        "beside it: LVR",
    ];
    table(&head, &rows)
        + &note(EXACT_BELOW)
        + &note(&format!(
            "All in {}, the amounts of the start held to the end and all tokens at the end valued at the end price. \
             Rewards: {}. LVR is the loss against a portfolio that rebalances at every price of the pool; below zero it is a gain.",
            tokens.name(1),
            clean(&record.rewards)
        ))
}

fn scores(order: &[&MinerRecord]) -> String {
    let rows: Vec<Vec<String>> = order
        .iter()
        .map(|miner| {
            let judgement = &miner.judgement;
            vec![
                short_name(&miner.miner),
                fixed_short(judgement.gain),
                fixed_short(judgement.loss0),
                fixed_short(judgement.loss1),
                fixed_short(judgement.penalty),
                fixed_short(judgement.score),
                judgement.counted_score.map_or_else(|| NONE.to_owned(), fixed_short),
                rank_text(miner),
            ]
        })
        .collect();
    let head = ["miner", "gain", "loss of token 0", "loss of token 1", "penalty", "score", "counted score", "rank"];
    table(&head, &rows)
        + &note(
            "Gain g and losses are relative to the start. Penalty is exp(−10 · larger loss) for g ≥ 0 and exp(10 · larger loss) below; \
             score = g · penalty, from −100 to 10. The counted score enters the reputation; a dash: refused at the first checkpoint, free.",
        )
}

fn costs(record: &RoundRecord, options: &RoundPageOptions, order: &[&MinerRecord]) -> String {
    let tokens = &options.tokens;
    let rows: Vec<Vec<String>> = order
        .iter()
        .map(|miner| {
            let measured = &miner.measured;
            vec![
                short_name(&miner.miner),
                measured.rebalances.to_string(),
                measured.executions.to_string(),
                tokens.exact(1, miner.judgement.rebalance_cost),
                tokens.exact(0, measured.swapped.amount0),
                tokens.exact(1, measured.swapped.amount1),
            ]
        })
        .collect();
    let gas = format!("gas in {}", tokens.name(1));
    let [swapped0, swapped1] = [0, 1].map(|token| format!("swapped {}", tokens.name(token)));
    let head = ["miner", "rebalances", "paid executions", &gas, &swapped0, &swapped1];
    let swaps = if record.job.allow_rebalance_swap {
        "Swaps of the inventory run in the miner's pool copy; their fee and impact are in the tokens it holds at the end."
    } else {
        "The job allows no swap of the inventory."
    };
    table(&head, &rows) + &note(&format!("The first deployment is an execution and no rebalance. {swaps}"))
}

fn without_effect(record: &RoundRecord) -> String {
    let mut rows = Vec::new();
    for miner in &record.miners {
        for answer in &miner.answers {
            if matches!(answer.outcome, Outcome::Refused | Outcome::Missed | Outcome::Invalid) {
                rows.push(vec![
                    short_name(&miner.miner),
                    answer.checkpoint.to_string(),
                    answer.outcome.name().to_owned(),
                    match (&answer.reason, answer.outcome) {
                        (Some(reason), _) => clean(reason),
                        (None, Outcome::Missed) => "none in time, or none revealed".to_owned(),
                        (None, _) => "no reason given".to_owned(),
                    },
                ]);
            }
        }
    }
    if rows.is_empty() {
        return note("None: every question had a valid answer.");
    }
    let asked: usize = record.miners.iter().map(|miner| miner.answers.len()).sum();
    let count = rows.len();
    rows.truncate(REASONS_SHOWN);
    let text = if count > REASONS_SHOWN {
        format!("The first {REASONS_SHOWN} of {count}.")
    } else {
        format!("{count} of {asked} answers. A refusal is free at the first checkpoint; later it keeps what stands.")
    };
    table(&["miner", "checkpoint", "outcome", "reason"], &rows) + &note(&text)
}

fn eligibility(options: &RoundPageOptions, order: &[&MinerRecord]) -> String {
    let rows: Vec<Vec<String>> = order
        .iter()
        .map(|miner| {
            let name = short_name(&miner.miner);
            match options.eligibility.get(&miner.miner) {
                None => vec![name, NONE.to_owned(), NONE.to_owned(), "not known".to_owned()],
                Some(found) => {
                    let missing: Vec<String> = found.missing.iter().map(|reason| clean(reason)).collect();
                    let yes = if found.is_eligible() { "yes" } else { "no" };
                    let days = format!("{} of {PARTICIPATION_DAYS} days", found.days);
                    vec![name, days, yes.to_owned(), missing.join("; ")]
                }
            }
        })
        .collect();
    table(&["miner", "participation", "eligible", "missing"], &rows)
        + &note(
            "A day counts when at least half of its offered rounds were answered; the seven complete UTC days before the round.",
        )
}

fn fixed_path(options: &RoundPageOptions, order: &[&MinerRecord]) -> String {
    let tokens = &options.tokens;
    let rows: Vec<Vec<String>> = order
        .iter()
        .filter_map(|miner| {
            let found = options.fixed_path.get(&miner.miner)?;
            let measured = &miner.measured;
            let own = measured.collected.checked_add(measured.owed);
            let own = |token: usize| own.map_or_else(|| NONE.to_owned(), |sum| tokens.exact(token, sum.pair()[token]));
            let [fixed0, fixed1] = found.fees.pair();
            Some(vec![
                short_name(&miner.miner),
                own(0),
                tokens.exact(0, fixed0),
                own(1),
                tokens.exact(1, fixed1),
                tokens.signed(0, found.unfunded_flow[0]),
                tokens.signed(1, found.unfunded_flow[1]),
                found.skipped.to_string(),
            ])
        })
        .collect();
    let [name0, name1] = [tokens.name(0), tokens.name(1)];
    let head = [
        "miner".to_owned(),
        format!("fees {name0}, re-executed"),
        "fixed path".to_owned(),
        format!("fees {name1}, re-executed"),
        "fixed path".to_owned(),
        format!("unfunded flow {name0}"),
        format!("unfunded flow {name1}"),
        "not followed".to_owned(),
    ];
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    table(&head, &rows)
        + &note(
            "Fixed path keeps the recorded prices and gives a position its share of each step's fee. The unfunded flow is what \
             the position took in (above zero) or gave out (below zero) and no trader brought or received. It is never scored.",
        )
}

fn miners(options: &RoundPageOptions, order: &[&MinerRecord]) -> String {
    let mut html = String::new();
    for miner in order.iter().take(MINERS_IN_DETAIL) {
        html += &format!(
            "<details><summary>{} · rank {} · score {}</summary>{}</details>",
            escape(&clean(&miner.miner)),
            rank_text(miner),
            fixed_short(miner.judgement.score),
            super::round_miner::detail(miner, &options.tokens)
        );
    }
    if order.len() > MINERS_IN_DETAIL {
        html += &note(&format!("{} further miners are in the record.", order.len() - MINERS_IN_DETAIL));
    }
    html
}

fn constants(record: &RoundRecord, tokens: &Tokens) -> String {
    let (job, pool, limits) = (&record.job, &record.job.pool, &record.job.constraints);
    let fee = match pool.fee {
        FeeRule::Pips(pips) => format!("{pips} millionths of the input"),
        FeeRule::Events => "that of each recorded swap".to_owned(),
    };
    let gas = format!("{} wei · {} units of gas", job.gas.price_wei, job.gas.per_rebalance);
    let one = job.gas.cost_token1(1).map_or_else(|| NONE.to_owned(), |cost| tokens.exact(1, cost));
    let checkpoints: Vec<String> = record.checkpoints.iter().map(|checkpoint| checkpoint.block.to_string()).collect();
    facts(&[
        ("pool", format!("{} · tick spacing {}", pool.kind.name(), pool.tick_spacing)),
        ("swap fee", fee),
        ("unstaked fee", format!("{} millionths of the fee", pool.unstaked_fee_pips())),
        ("gas of a rebalance", format!("{gas} = {one} {}", tokens.name(1))),
        ("inventory at the start", {
            let [amount0, amount1] = job.inventory.pair();
            let (first, second) = (tokens.exact(0, amount0), tokens.exact(1, amount1));
            format!("{first} {} and {second} {}", tokens.name(0), tokens.name(1))
        }),
        ("swaps of the inventory", if job.allow_rebalance_swap { "allowed" } else { "not allowed" }.to_owned()),
        ("largest loss (max_il)", format!("{} millionths", limits.max_il_ppm)),
        ("narrowest range", format!("{} ticks", limits.min_tick_width)),
        ("rebalances at most", limits.max_rebalances.to_string()),
        ("positions at most", limits.max_positions.to_string()),
        ("checkpoints at blocks", if checkpoints.is_empty() { NONE.to_owned() } else { checkpoints.join(", ") }),
        ("answers", format!("commit within {} s, reveal within {} s more", job.answer_seconds, job.reveal_seconds)),
        ("rewards", clean(&record.rewards)),
        ("square-root price at the start", record.start_sqrt_price_x96.to_string()),
        ("square-root price at the end", record.end_sqrt_price_x96.to_string()),
    ])
}

fn hashes(record: &RoundRecord) -> String {
    let verified = match record.verify() {
        Ok(()) => "every judgement, rank and the winner follow from the rest of the record".to_owned(),
        Err(error) => format!("DIFFERENT: {}", clean(&error.to_string())),
    };
    facts(&[
        ("record_hash", record.hash().to_string()),
        ("recomputed", verified),
        ("rule", clean(&record.rule)),
        ("round_id", clean(&record.round_id)),
        ("pool address", clean(&record.job.pair_address)),
        ("vault address", clean(&record.job.sn_liquidity_manager_address)),
        ("chain", record.job.chain_id.to_string()),
    ])
}
