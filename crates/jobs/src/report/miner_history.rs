//! One miner over many rounds as one page, made from their records alone.

use std::fmt::Write as _;

use assay_amm::U256;
use assay_lp::record::{MinerRecord, Mode, RoundRecord, Signed};

use super::NONE;
use super::amount::{Tokens, add, clean, fixed_exact, fixed_percent, fixed_short, share, short_name};
use super::chart::{Chart, Series, time_ticks};
use super::html::{Page, facts, legend, note, table, tiles};
use super::round::{missed, utc};
use super::round_chart::{Band, MAX_BANDS, RangeChart, bands_of, path_of};

/// Rounds that the table lists; the charts and sums have all.
const ROUNDS_SHOWN: usize = 500;

/// What stands beside the records on a miner's page.
#[derive(Debug, Clone, Default)]
pub struct MinerHistoryOptions {
    /// How amounts are written.
    pub tokens: Tokens,
}

/// A round with the miner in it.
struct Played<'a> {
    record: &'a RoundRecord,
    miner: &'a MinerRecord,
}

/// Running sums over the rounds; `None` when a sum is above 256 bits.
struct Sums {
    fees: Option<Signed>,
    change: Option<Signed>,
    over_hold: Option<Signed>,
    cost: Option<Signed>,
    gain: i128,
    hold_gain: i128,
    score: i128,
    blocks: u64,
    in_range: u64,
}

impl Sums {
    const fn new() -> Self {
        let zero = Some((true, U256::ZERO));
        let (fees, change, over_hold, cost) = (zero, zero, zero, zero);
        Self { fees, change, over_hold, cost, gain: 0, hold_gain: 0, score: 0, blocks: 0, in_range: 0 }
    }

    fn take(&mut self, played: &Played<'_>) {
        let (judgement, measured) = (&played.miner.judgement, &played.miner.measured);
        let sum = |sum: Option<Signed>, term: Signed| add(sum?, term);
        self.fees = sum(self.fees, (true, judgement.fees));
        self.change = sum(self.change, judgement.principal_change);
        let over_hold = add(judgement.value_end, (false, judgement.value_hold));
        self.over_hold = over_hold.and_then(|term| sum(self.over_hold, term));
        self.cost = sum(self.cost, (true, judgement.rebalance_cost));
        self.gain = self.gain.saturating_add(judgement.gain);
        self.hold_gain = self.hold_gain.saturating_add(hold_gain(played));
        self.score = self.score.saturating_add(judgement.score);
        self.blocks = self.blocks.saturating_add(measured.blocks);
        self.in_range = self.in_range.saturating_add(measured.blocks_in_range);
    }
}

/// The page of `miner` over the rounds of `records` that it took part in, in order of time:
/// self-contained HTML. Rounds of other jobs than the first of them are left out and counted.
#[must_use]
pub fn miner_history_page(records: &[RoundRecord], miner: &str, options: &MinerHistoryOptions) -> String {
    let (rounds, others) = rounds_of(records, miner);
    let name = short_name(miner);
    let (Some(first), Some(last)) = (rounds.first(), rounds.last()) else {
        let mut page = Page::new(&format!("{name} over no rounds"), "", &[]);
        page.section("Result", &note("The miner is in none of the rounds."));
        return page.finish();
    };
    let mut badges: Vec<String> = Vec::new();
    for mode in [Mode::Follow, Mode::Practice] {
        let count = rounds.iter().filter(|played| played.record.mode == mode).count();
        if count > 0 {
            badges.push(format!("{}: {count} rounds", mode.name()));
        }
    }
    let mut simulations: Vec<String> = rounds.iter().map(|played| clean(&played.record.simulation)).collect();
    simulations.sort();
    simulations.dedup();
    badges.extend(simulations);
    let title = format!("{name} over {} rounds of {}", rounds.len(), clean(&first.record.job.job_id));
    let (from, to) = (utc(first.record.start.timestamp), utc(last.record.end.timestamp));
    let mut page = Page::new(&title, &format!("{from} … {to}"), &badges);
    let tokens = &options.tokens;
    page.section("Result", &result(&rounds, tokens));
    page.section("Gain, round after round", &gains(&rounds, tokens));
    page.section("Score of each round", &scores(&rounds));
    page.section("Fees and loss against holding", &fees(&rounds, tokens));
    page.section("Ranges on the price", &ranges(&rounds, tokens));
    page.section("Blocks in range", &in_range(&rounds));
    page.section("Rounds", &table_of(&rounds, tokens));
    let mut pairs = vec![
        ("miner", clean(miner)),
        ("pool", format!("{} {}", first.record.job.pool.kind.name(), clean(&first.record.job.pair_address))),
        ("rewards", clean(&first.record.rewards)),
    ];
    if others > 0 {
        pairs.push(("rounds of other jobs, left out", others.to_string()));
    }
    page.section("About", &facts(&pairs));
    page.finish()
}

fn rounds_of<'a>(records: &'a [RoundRecord], miner: &str) -> (Vec<Played<'a>>, usize) {
    let mut rounds: Vec<Played<'a>> = records
        .iter()
        .filter_map(|record| {
            let found = record.miners.iter().find(|other| other.miner == miner)?;
            Some(Played { record, miner: found })
        })
        .collect();
    rounds.sort_by_key(|played| (played.record.start.timestamp, played.record.round_number));
    let all = rounds.len();
    if let Some(job) = rounds.first().map(|first| &first.record.job) {
        rounds.retain(|played| {
            played.record.job.job_id == job.job_id && played.record.job.pair_address == job.pair_address
        });
    }
    let others = all - rounds.len();
    (rounds, others)
}

/// The relative gain of holding in a round, 1e-18.
fn hold_gain(played: &Played<'_>) -> i128 {
    let judgement = &played.miner.judgement;
    assay_lp::fixed::relative_change(judgement.value_start, judgement.value_hold).unwrap_or(0)
}

fn dash(tokens: &Tokens, amount: Option<Signed>) -> String {
    amount.map_or_else(|| NONE.to_owned(), |amount| tokens.short(1, amount))
}

fn result(rounds: &[Played<'_>], tokens: &Tokens) -> String {
    let mut sums = Sums::new();
    rounds.iter().for_each(|played| sums.take(played));
    let wins = rounds.iter().filter(|played| played.miner.judgement.rank == Some(1)).count();
    let ranked = rounds.iter().filter(|played| played.miner.judgement.rank.is_some()).count();
    let missed: usize = rounds.iter().map(|played| missed(played.miner)).sum();
    let asked: usize = rounds.iter().map(|played| played.miner.answers.len()).sum();
    let count = rounds.len() as i128;
    let better = rounds.iter().filter(|played| played.miner.judgement.gain_over_hold > 0).count();
    tiles(&[
        ("Sum of gains", fixed_percent(sums.gain), format!("holding: {}", fixed_percent(sums.hold_gain))),
        ("Against holding", dash(tokens, sums.over_hold), format!("better in {better} of {} rounds", rounds.len())),
        ("Fees", dash(tokens, sums.fees), format!("gas {}", dash(tokens, sums.cost))),
        ("Principal − hold", dash(tokens, sums.change), "fees and gas left out".to_owned()),
        (
            "Mean score",
            fixed_short(assay_lp::fixed::div_floor(sums.score, count)),
            format!("{wins} × first, {ranked} × ranked"),
        ),
        ("Blocks in range", share(sums.in_range, sums.blocks), format!("{} of {}", sums.in_range, sums.blocks)),
        ("Missed or invalid", missed.to_string(), format!("of {asked} answers")),
    ]) + &note(
        "Every round starts with the same inventory, so gains are added up and not compounded. Numbers here are cut to a few \
         digits; those of the table are exact.",
    )
}

/// Sums before the first round and after each; times are the rounds' ends.
fn running(rounds: &[Played<'_>]) -> (Vec<i64>, Vec<Sums>) {
    let ms = |timestamp: u64| i64::try_from(timestamp).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000);
    let mut times = vec![rounds.first().map_or(0, |played| ms(played.record.start.timestamp))];
    let mut all = vec![Sums::new()];
    let mut now = Sums::new();
    for played in rounds {
        now.take(played);
        times.push(ms(played.record.end.timestamp));
        all.push(Sums { ..now });
    }
    (times, all)
}

fn percent_of(value: i128) -> f64 {
    value as f64 / 1e16
}

fn plain(value: f64) -> String {
    let text = match value.abs() {
        size if size == 0.0 || (0.01..1e6).contains(&size) => format!("{value:.3}"),
        size if (1e-7..0.01).contains(&size) => format!("{value:.8}"),
        _ => return format!("{value:.1e}").replace('-', "−"),
    };
    text.trim_end_matches('0').trim_end_matches('.').replace('-', "−")
}

fn gains(rounds: &[Played<'_>], tokens: &Tokens) -> String {
    let (times, sums) = running(rounds);
    let own: Vec<f64> = sums.iter().map(|sum| percent_of(sum.gain)).collect();
    let hold: Vec<f64> = sums.iter().map(|sum| percent_of(sum.hold_gain)).collect();
    let beyond: Vec<f64> = sums.iter().map(|sum| sum.over_hold.map_or(f64::NAN, |v| tokens.float(1, v))).collect();
    let chart = Chart {
        title: "Sum of relative gains",
        height: 280.0,
        times_ms: &times,
        series: &[
            Series { name: "holding", class: "b", values: &hold },
            Series { name: "miner", class: "a", values: &own },
        ],
        label: |value| format!("{} %", plain(value)),
        filled: false,
    };
    let beside = Chart {
        title: "Value beyond holding, summed",
        height: 180.0,
        times_ms: &times,
        series: &[Series { name: "beyond holding", class: "a", values: &beyond }],
        label: plain,
        filled: true,
    };
    legend(&[("a", "miner, summed over the rounds"), ("b", "holding the same inventory")])
        + &chart.svg()
        + &format!("<h3>Value beyond holding, {}</h3>", super::html::escape(&tokens.name(1)))
        + &beside.svg()
}

/// One bar a round.
fn scores(rounds: &[Played<'_>]) -> String {
    const WIDTH: f64 = 960.0;
    const HEIGHT: f64 = 180.0;
    const LEFT: f64 = 64.0;
    let values: Vec<f64> = rounds.iter().map(|played| played.miner.judgement.score as f64 / 1e18).collect();
    let (low, high) = values.iter().fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
    let (low, high) = if high > low { (low, high) } else { (-1.0, 1.0) };
    let ticks = super::chart::nice_ticks(low, high, 4);
    let (low, high) = (low.min(ticks[0]), high.max(ticks[ticks.len() - 1]));
    let y = |value: f64| 10.0 + (high - value) / (high - low) * (HEIGHT - 20.0);
    let slot = (WIDTH - LEFT - 12.0) / values.len() as f64;
    let mut svg = format!(
        "<div class=\"scroll\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Score of each round\">"
    );
    for tick in &ticks {
        let at = y(*tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - 12.0,
            LEFT - 8.0,
            at + 4.0,
            plain(*tick)
        );
    }
    for (index, (value, played)) in values.iter().zip(rounds).enumerate() {
        let (zero, end) = (y(0.0), y(*value));
        let class = if *value < 0.0 { "bar c" } else { "bar" };
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{:.2}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{:.1}\"><title>round {}: {}</title></rect>",
            LEFT + slot * index as f64 + slot * 0.1,
            zero.min(end),
            slot * 0.8,
            (zero - end).abs().max(0.5),
            played.record.round_number,
            fixed_exact(played.miner.judgement.score)
        );
    }
    svg.push_str("</svg></div>");
    svg + &note("One bar a round, in order of time. A free refusal is a bar at zero.")
}

fn fees(rounds: &[Played<'_>], tokens: &Tokens) -> String {
    let (times, sums) = running(rounds);
    let line = |pick: fn(&Sums) -> Option<Signed>| -> Vec<f64> {
        sums.iter().map(|sum| pick(sum).map_or(f64::NAN, |value| tokens.float(1, value))).collect()
    };
    let (fees, change) = (line(|sum| sum.fees), line(|sum| sum.change));
    let chart = Chart {
        title: "Fees and loss against holding, summed",
        height: 240.0,
        times_ms: &times,
        series: &[
            Series { name: "principal − hold", class: "c", values: &change },
            Series { name: "fees", class: "a", values: &fees },
        ],
        label: plain,
        filled: false,
    };
    legend(&[("a", "fees"), ("c", "principal − hold")])
        + &chart.svg()
        + &note(&format!("Summed over the rounds, in {} at the end price of each.", tokens.name(1)))
}

fn ranges(rounds: &[Played<'_>], tokens: &Tokens) -> String {
    let mut paths = Vec::with_capacity(rounds.len());
    let mut bands: Vec<Band> = Vec::new();
    for Played { record, miner } in rounds {
        // Blocks of a round are placed between its two known times.
        let (first, blocks) =
            (record.start.number, record.end.number.saturating_sub(record.start.number).max(1) as f64);
        let seconds = record.end.timestamp.saturating_sub(record.start.timestamp) as f64;
        let at = |block: u64| record.start.timestamp as f64 + block.saturating_sub(first) as f64 / blocks * seconds;
        paths.push(path_of(record, tokens, at));
        bands.extend(bands_of(record, miner, tokens, at));
    }
    let ms = |at: Option<&(f64, f64)>| at.map_or(0, |(seconds, _)| (*seconds * 1_000.0) as i64);
    let (first, last) = (ms(paths[0].first()), ms(paths[paths.len() - 1].last()));
    let moments: Vec<(f64, String)> =
        time_ticks(first, last).into_iter().map(|(ms, label)| (ms as f64 / 1_000.0, label)).collect();
    let chart = RangeChart {
        title: "Ranges on the price over all rounds",
        size: (960.0, 340.0),
        left: 74.0,
        paths: &thinned(&paths),
        bands: &bands,
        moments: &moments,
        marks: &[],
    };
    let mut text =
        String::from("Each round's recorded path; its ranges from the block they take effect until the next change.");
    if chart.is_clipped() {
        text += " A range goes beyond the chart.";
    }
    if bands.len() > MAX_BANDS {
        let _ = write!(text, " The first {MAX_BANDS} of {} ranges are drawn.", bands.len());
    }
    format!(
        "<p class=\"legend\"><span><i class=\"price\"></i>recorded price, {}</span><span><i class=\"band\"></i>range that stands</span></p>\
         <div class=\"scroll\">{}</div>{}",
        super::html::escape(&tokens.price_unit()),
        chart.svg(),
        note(&text)
    )
}

/// Fewer points of each path where there are many rounds; first, last, lowest and highest stay.
fn thinned(paths: &[Vec<(f64, f64)>]) -> Vec<Vec<(f64, f64)>> {
    let keep = (8_000 / paths.len().max(1)).max(4);
    let thin = |path: &Vec<(f64, f64)>| {
        if path.len() <= keep {
            return path.clone();
        }
        let extreme = |order: fn(&f64, &f64) -> std::cmp::Ordering| {
            (0..path.len()).max_by(|a, b| order(&path[*a].1, &path[*b].1)).unwrap_or(0)
        };
        let last = path.len() - 1;
        let mut places: Vec<usize> = (0..keep).map(|index| index * last / (keep - 1)).collect();
        places.extend([extreme(f64::total_cmp), extreme(|a, b| b.total_cmp(a))]);
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| path[place]).collect()
    };
    paths.iter().map(thin).collect()
}

fn in_range(rounds: &[Played<'_>]) -> String {
    let (times, _) = running(rounds);
    let share = |played: &Played<'_>| {
        let measured = &played.miner.measured;
        if measured.blocks == 0 { f64::NAN } else { measured.blocks_in_range as f64 / measured.blocks as f64 * 100.0 }
    };
    let values: Vec<f64> = rounds.iter().map(share).collect();
    let chart = Chart {
        title: "Share of blocks in range",
        height: 160.0,
        times_ms: &times[1..],
        series: &[Series { name: "in range", class: "a", values: &values }],
        label: |value| format!("{value:.0} %"),
        filled: true,
    };
    if rounds.len() > 1 { chart.svg() } else { note("One round: see the table.") }
}

fn table_of(rounds: &[Played<'_>], tokens: &Tokens) -> String {
    let skipped = rounds.len().saturating_sub(ROUNDS_SHOWN);
    let rows: Vec<Vec<String>> = rounds[skipped..]
        .iter()
        .map(|Played { record, miner }| {
            let (judgement, measured) = (&miner.judgement, &miner.measured);
            let remarks: Vec<String> = judgement.remarks.iter().map(|remark| clean(remark)).collect();
            vec![
                record.round_number.to_string(),
                utc(record.start.timestamp),
                judgement.rank.map_or_else(|| NONE.to_owned(), |rank| rank.to_string()),
                fixed_exact(judgement.score),
                judgement.counted_score.map_or_else(|| NONE.to_owned(), fixed_exact),
                fixed_percent(judgement.gain),
                fixed_percent(judgement.gain_over_hold),
                tokens.exact(1, judgement.fees),
                tokens.signed(1, judgement.principal_change),
                tokens.exact(1, judgement.rebalance_cost),
                share(measured.blocks_in_range, measured.blocks),
                measured.rebalances.to_string(),
                missed(miner).to_string(),
                remarks.join("; "),
            ]
        })
        .collect();
    let head = [
        "round",
        "start",
        "rank",
        "score",
        "counted score",
        "gain",
        "against holding",
        "fees",
        "principal − hold",
        "gas",
        "in range",
        "rebalances",
        "missed",
        "remarks",
    ];
    let text =
        if skipped > 0 { format!("The last {ROUNDS_SHOWN} of {} rounds. ", rounds.len()) } else { String::new() };
    table(&head, &rows) + &note(&format!("{text}Fees, principal − hold and gas in {}.", tokens.name(1)))
}
