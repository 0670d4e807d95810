//! The pages of a round that the real engine ran: what they say is what the record says.

use std::collections::BTreeMap;

use assay_amm::concentrated::{Amount, Core, PositionKey, sqrt_price_at_tick};
use assay_amm::event::{Event, LiquidityEvent, Located, Place, SwapEvent};
use assay_amm::kind::UniswapV3;
use assay_amm::{Context, PoolKind, U256};
use assay_lp::fixed_path::of_round;
use assay_lp::record::RoundRecord;
use assay_lp::replay::{Plan, Tape, replay_round};
use assay_lp::reputation::Eligibility;
use assay_lp::{
    Amounts, BlockTime, BlockTimes, Constraints, DesiredPosition, Entrant, FeeRule, GasRule, Job, Market, PoolRule,
    RebalanceAnswer, Reply, RoundType,
};

use super::amount::{Tokens, add, fixed_exact};
use super::html::escape;
use super::round_chart::{bands_of, path_of, price_at_tick};
use super::{MinerHistoryOptions, RoundPageOptions, miner_history_page, round_page};

const HOSTILE: &str = "<script>alert('x')</script>";
const REASON: &str = "\"><img src=x onerror=alert(1)> & \u{202e}reversed";

fn rule() -> PoolRule {
    PoolRule { kind: PoolKind::UniswapV3, tick_spacing: 10, fee: FeeRule::Pips(3_000), unstaked_fee_pips: None }
}

/// Two rounds' worth of swaps, one in every third block from block 2 on.
fn events() -> Vec<Located> {
    let core = Core::new(10, U256::ONE << 96).unwrap();
    let mut pool = UniswapV3::new(core, 3_000, false).unwrap();
    let liquidity = 10_u128.pow(22);
    let key = PositionKey { owner: U256::from(7), tick_lower: -20_000, tick_upper: 20_000 };
    let amounts = pool.mint(key, liquidity).unwrap();
    let (tick_lower, tick_upper) = (key.tick_lower, key.tick_upper);
    let mint = LiquidityEvent { owner: Some(key.owner), tick_lower, tick_upper, liquidity, amounts };
    let at = |block| Place { block, tx_index: 0, log_index: 0 };
    let mut events = vec![Located { place: at(1), line: 1, event: Event::Mint(mint) }];
    for index in 0..130_u64 {
        let zero_for_one = index % 5 == 0;
        let amount = Amount::In(U256::from(10_u128.pow(18) * (1 + u128::from(index * 7 % 11))));
        let token_in = usize::from(!zero_for_one);
        let limit = Core::furthest_limit(zero_for_one);
        let context = Context::at(0);
        let swapped = pool.swap_if(token_in, 1 - token_in, amount, limit, &context, |_| true).unwrap();
        let event = Event::Swap(SwapEvent {
            zero_for_one,
            amount_in: swapped.amount_in,
            amount_out: swapped.amount_out,
            sqrt_price_x96: swapped.sqrt_price_x96,
            liquidity: swapped.liquidity,
            tick: swapped.tick(),
            fee_pips: None,
            mode: None,
        });
        events.push(Located { place: at(2 + 3 * index), line: 2 + index, event });
    }
    events
}

fn job() -> Job {
    Job {
        job_id: "synthetic".into(),
        sn_liquidity_manager_address: format!("0x{}", "1".repeat(40)),
        pair_address: format!("0x{}", "2".repeat(40)),
        target: "PoL".into(),
        chain_id: 1,
        genesis: 1_700_000_010,
        round_duration_seconds: 400,
        evaluation_interval_blocks: 40,
        live_interval_blocks: 150,
        answer_seconds: 20,
        reveal_seconds: 10,
        is_active: true,
        inventory: Amounts { amount0: U256::from(10_u128.pow(19)), amount1: U256::from(10_u128.pow(19)) },
        pool: rule(),
        constraints: Constraints { min_tick_width: 10, ..Constraints::default() },
        allow_rebalance_swap: false,
        gas: GasRule {
            price_wei: U256::from(5),
            per_rebalance: 1_000_000_007,
            token1_per_wei_x96: U256::from(3) << 96,
        },
        live_minimum_rounds: 0,
        live_needs_confidence: false,
    }
}

const MINERS: [&str; 6] = ["hold", "mover", "copier", HOSTILE, "refuser", "silent"];

fn position(lower: i32, upper: i32) -> DesiredPosition {
    let allocation = U256::from(10_u128.pow(18));
    DesiredPosition {
        tick_lower: lower,
        tick_upper: upper,
        allocation0: allocation,
        allocation1: allocation,
        confidence: None,
    }
}

fn answer(positions: Vec<DesiredPosition>) -> Reply {
    let desired_positions = Some(positions);
    Reply::Answer(RebalanceAnswer { accepted: true, refusal_reason: None, desired_positions, miner_metadata: None })
}

fn refusal() -> Reply {
    let refusal_reason = Some(REASON.to_owned());
    Reply::Answer(RebalanceAnswer { accepted: false, refusal_reason, desired_positions: None, miner_metadata: None })
}

/// Two rounds after each other.
fn records() -> Vec<RoundRecord> {
    let (job, events) = (job(), events());
    let anchor = BlockTime { number: 1, timestamp: 1_700_000_000 };
    let times = BlockTimes::Regular { anchor, seconds: 2, head: 2_000 };
    let mut market = Market::created(rule(), U256::ONE << 96).unwrap();
    let mut tape = Tape::new(&events);
    let entrants = || {
        let entrant = |(index, miner): (usize, &&str)| Entrant {
            miner: (*miner).to_owned(),
            registered_at: 1_600_000_000 + index as u64,
            built_in: index == 0,
            authenticated: index != 3,
            combined_before: 5,
        };
        MINERS.iter().enumerate().map(entrant).collect()
    };
    let round = |number| {
        let plan = Plan::of(&job, RoundType::Evaluation, number, &times).unwrap();
        let ask = |checkpoint: &assay_lp::Checkpoint, queries: &[Option<_>]| {
            let reply = |miner: usize| match (miner, checkpoint.index) {
                (0, _) => answer(vec![]),
                (1 | 2, 2) => answer(vec![position(0, 200)]),
                (1 | 2, _) => answer(vec![position(-100, 100), position(50, 60)]),
                (3, 0) => answer(vec![position(-300, 300)]),
                (3, _) => Reply::Invalid(REASON.to_owned()),
                (4, _) => refusal(),
                _ => Reply::Missed("no answer before the deadline".to_owned()),
            };
            (0..queries.len()).map(|miner| queries[miner].as_ref().map(|_| reply(miner))).collect()
        };
        replay_round(&job, &plan, &mut market, &mut tape, entrants(), ask).unwrap()
    };
    let records: Vec<RoundRecord> = (0..2).map(round).collect();
    records.iter().for_each(|record| record.verify().unwrap());
    records
}

fn tokens() -> Tokens {
    Tokens { symbols: Some(["ABC".into(), "<b>X</b>".into()]), decimals: Some([18, 12]) }
}

fn options() -> RoundPageOptions {
    RoundPageOptions { tokens: tokens(), ..RoundPageOptions::default() }
}

const ELEMENTS: &str = "html head meta title style body main header section h1 h2 h3 p span i div dl dt dd \
                        table thead tbody tr th td details summary svg line text rect polyline polygon";
const ATTRIBUTES: &str = "lang charset name content class viewBox role aria-label x y x1 x2 y1 y2 width height points \
                          text-anchor";

/// No page may load, link or run anything: elements and attributes are those of the lists,
/// every opened element is closed in order, and nothing of a stranger is left unescaped.
fn check_safe(page: &str) {
    for forbidden in ["url(", "@import", "\u{202e}", "NaN", "inf\""] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let mut open: Vec<&str> = Vec::new();
    let body = &page[page.find("<html").unwrap()..];
    for tag in body.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("`<{tag}` is not closed"));
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
            continue;
        }
        let outside: Vec<&str> = tag.trim_end_matches('/').split('"').step_by(2).collect();
        let (name, first) = outside[0].split_once(' ').unwrap_or((outside[0], ""));
        assert!(ELEMENTS.split(' ').any(|element| element == name), "<{tag}>");
        for attribute in std::iter::once(first).chain(outside[1..].iter().copied()).filter(|text| !text.is_empty()) {
            let attribute = attribute.trim_start().trim_end_matches('=');
            assert!(ATTRIBUTES.split(' ').any(|known| known == attribute), "{attribute} in <{tag}>");
        }
        if !tag.ends_with('/') && name != "meta" {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_page_says_what_the_record_says() {
    let record = &records()[0];
    let (page, tokens) = (round_page(record, &options()), tokens());
    check_safe(&page);
    assert!(page.contains(&record.hash().to_string()));
    assert!(page.contains("practice") && page.contains("re-executed") && page.contains("never touches reputation"));
    assert!(page.contains("every judgement, rank and the winner follow"));
    for miner in &record.miners {
        let (judgement, measured) = (&miner.judgement, &miner.measured);
        let at = page.find(&format!("<summary>{}", escape(&miner.miner))).unwrap();
        let detail = &page[at..at + page[at..].find("</details>").unwrap()];
        let says = |name: &str, value: String| {
            let line = format!("<dt>{name}</dt><dd>{}", escape(&value));
            assert!(detail.contains(&line), "{}: {line}", miner.miner);
        };
        says("score", fixed_exact(judgement.score));
        says("gain", fixed_exact(judgement.gain));
        says("gain against holding", fixed_exact(judgement.gain_over_hold));
        says("hold", tokens.exact(1, judgement.value_hold));
        says("principal − hold", tokens.signed(1, judgement.principal_change));
        says("value of the fees", tokens.exact(1, judgement.fees));
        says("rebalance cost", tokens.exact(1, judgement.rebalance_cost));
        says("value at the end", tokens.signed(1, judgement.value_end));
        says("LVR", tokens.signed(1, measured.lvr));
        says("inventory at the end", tokens.exact(0, measured.inventory.amount0));
        says("blocks in range", format!("{} of {}", measured.blocks_in_range, measured.blocks));
        let sum = add((true, judgement.value_hold), judgement.principal_change).unwrap();
        let sum = add(add(sum, (true, judgement.fees)).unwrap(), (false, judgement.rebalance_cost)).unwrap();
        assert_eq!(sum, judgement.value_end, "{}: the terms are the value", miner.miner);
    }
    let mover = &record.miners[1];
    assert!(mover.measured.rebalances == 2 && !mover.judgement.fees.is_zero() && mover.measured.blocks_in_range > 0);
}

#[test]
fn reasons_clones_and_remarks_are_shown_and_harmless() {
    let record = &records()[0];
    let page = round_page(record, &options());
    check_safe(&page);
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    let shown = "&quot;&gt;&lt;img src=x onerror=alert(1)&gt; &amp; \u{fffd}reversed";
    assert!(page.contains(shown));
    assert!(page.contains("&lt;b&gt;X&lt;/b&gt;"));
    assert!(page.contains("the same positions as mover") && page.contains("<dt>clone of</dt><dd>mover"));
    assert!(page.contains("refused at the first checkpoint: free"));
    assert!(page.contains("<td>missed</td><td class=\"text\">none in time, or none revealed</td>"));
}

/// A number that does not follow from the rest is called out.
#[test]
fn a_changed_record_is_called_different() {
    let mut record = records().remove(0);
    record.miners[1].judgement.score += 1;
    let page = round_page(&record, &options());
    assert!(page.contains("DIFFERENT") && !page.contains("every judgement, rank and the winner follow"));
}

#[test]
fn bands_stand_from_their_block_until_the_next_change() {
    let record = &records()[0];
    let tokens = tokens();
    let mover = &record.miners[1];
    let blocks: Vec<u64> = mover.answers.iter().filter_map(|answer| answer.effective_block).collect();
    assert_eq!(blocks.len(), 3, "{:?}", mover.answers);
    let bands = bands_of(record, mover, &tokens, |block| block as f64);
    let times: Vec<(f64, f64)> = bands.iter().map(|band| (band.from, band.to)).collect();
    let [first, second, third] = [blocks[0], blocks[1], blocks[2]].map(|block| block as f64);
    let end = record.end.number as f64;
    assert_eq!(times, [(first, second), (first, second), (second, third), (third, end), (third, end)]);
    assert_eq!((bands[0].low, bands[0].high), (price_at_tick(-100, &tokens), price_at_tick(100, &tokens)));
    // One whole token 0 in whole token 1: six digits more than in smallest units.
    let lower = sqrt_price_at_tick(-100).unwrap();
    assert!((bands[0].low / (assay_lp::price_float(lower) * 1e6) - 1.0).abs() < 1e-12);
    let path = path_of(record, &tokens, |block| block as f64);
    assert_eq!(path.last().unwrap().0, end);
    assert!(bands_of(record, &record.miners[0], &tokens, |block| block as f64).is_empty());
}

#[test]
fn what_stands_beside_the_record_is_shown_only_when_given() {
    let record = &records()[0];
    let mut options = options();
    let page = round_page(record, &options);
    assert!(!page.contains("of 7 days") && !page.contains("unfunded flow"));
    let missing = vec!["5 of 7 days with at least half of the rounds answered".to_owned(), REASON.to_owned()];
    options.eligibility = BTreeMap::from([("mover".to_owned(), Eligibility { days: 5, missing })]);
    let events = events();
    let mut market = Market::created(rule(), U256::ONE << 96).unwrap();
    let fixed = of_round(record, &mut market, &mut Tape::new(&events)).unwrap();
    options.fixed_path = fixed.into_iter().collect();
    options.focus = Some("copier".to_owned());
    let page = round_page(record, &options);
    check_safe(&page);
    assert!(page.contains("<td>5 of 7 days</td><td>no</td>") && page.contains("not known"));
    let result = &options.fixed_path["mover"];
    assert_eq!(result.skipped, 0);
    for token in 0..2 {
        let text = options.tokens.exact(token, result.fees.pair()[token]);
        assert!(page.contains(&format!("<td>{text}</td>")), "{text}");
        let text = options.tokens.signed(token, result.unfunded_flow[token]);
        assert!(page.contains(&format!(">{text}</td>")), "{text}");
        // The miner is a small part of the pool's liquidity: both modes nearly agree.
        let measured = &record.miners[1].measured;
        let re_executed = measured.collected.pair()[token] + measured.owed.pair()[token];
        let difference = re_executed.abs_diff(result.fees.pair()[token]);
        assert!(re_executed > U256::ZERO && difference * U256::from(10) < re_executed, "{re_executed} {}", result.fees);
    }
    assert!(page.find("copier · rank").unwrap() < page.find("mover · rank").unwrap());
}

#[test]
fn a_history_adds_up_its_rounds() {
    let records = records();
    let options = MinerHistoryOptions { tokens: tokens() };
    let mut other = records[0].clone();
    other.job.job_id = "another".into();
    other.start.timestamp += 1_000_000;
    let shuffled = [records[1].clone(), other, records[0].clone()];
    let page = miner_history_page(&shuffled, "mover", &options);
    check_safe(&page);
    assert!(page.contains("mover over 2 rounds of synthetic") && page.contains("practice: 2 rounds"));
    assert!(page.contains("<dt>rounds of other jobs, left out</dt><dd>1</dd>"));
    let judgements: Vec<_> = records.iter().map(|record| &record.miners[1].judgement).collect();
    let fees = judgements.iter().fold(U256::ZERO, |sum, judgement| sum + judgement.fees);
    assert!(page.contains(&escape(&options.tokens.short(1, (true, fees)))));
    let rows: Vec<usize> =
        judgements.iter().map(|j| page.find(&format!(">{}</td>", fixed_exact(j.score))).unwrap()).collect();
    assert!(rows[0] < rows[1], "in order of time");
    assert!(page.matches("class=\"band\"").count() > 6);
    let hostile = miner_history_page(&records, HOSTILE, &options);
    check_safe(&hostile);
    assert!(miner_history_page(&records, "nobody", &options).contains("in none of the rounds"));
}

/// Records come from files: whatever they hold, a page is made.
#[test]
fn strange_records_give_a_page() {
    let mut empty = records().remove(0);
    empty.miners.clear();
    empty.path.clear();
    empty.checkpoints.clear();
    empty.winner = None;
    check_safe(&round_page(&empty, &options()));
    let mut broken = records().remove(0);
    (broken.end.number, broken.end.timestamp) = (0, u64::MAX);
    (broken.start.number, broken.start.timestamp) = (u64::MAX, 0);
    (broken.simulation, broken.rewards) = (HOSTILE.to_owned(), REASON.to_owned());
    broken.end_sqrt_price_x96 = U256::MAX;
    let measured = &mut broken.miners[1].measured;
    (measured.blocks, measured.collected, measured.owed) = (0, [U256::MAX; 2].into(), [U256::MAX; 2].into());
    broken.miners[1].judgement.value_end = (false, U256::MAX);
    broken.miners[1].judgement.gain = i128::MIN;
    let decimals = Some([255, 0]);
    let odd = Tokens { symbols: Some([HOSTILE.to_owned(), String::new()]), decimals };
    for tokens in [Tokens::default(), odd] {
        let options = RoundPageOptions { tokens: tokens.clone(), ..RoundPageOptions::default() };
        let page = round_page(&broken, &options);
        assert!(!page.contains("<script"));
        let history = miner_history_page(&[broken.clone(), broken.clone()], "mover", &MinerHistoryOptions { tokens });
        assert!(!history.contains("<script"));
    }
}
