//! From questions to observations, and from actions to answers: all that a trained policy
//! is beside its network.

use std::collections::VecDeque;

use assay_amm::{U256, integer};
use serde::{Deserialize, Serialize};

use super::action::Action;
use crate::amounts::Amounts;
use crate::fixed::{ONE, signed_ratio};
use crate::job::Job;
use crate::query::{MinerMetadata, RebalanceAnswer, RebalanceQuery};
use crate::strategy::view::View;
use crate::value::{token0_value, value_in_token1};

/// Numbers of one observation.
pub const INPUTS: usize = 21;
/// An observation; the book has the table.
pub type Observation = [f32; INPUTS];

/// Questions back at which moves of the price are observed.
const MOVES: [usize; 4] = [1, 4, 16, 64];
/// Questions over which volatilities are measured.
const WINDOWS: [usize; 3] = [4, 16, 64];
/// Prices that are remembered.
const REMEMBERED: usize = 65;
/// Blocks over which volatilities are stated.
const PER_BLOCKS: f64 = 100.0;
/// Ticks that count as one: about one percent.
const TICKS: f64 = 100.0;
/// Nothing observed is farther from zero.
const BOUND: f64 = 5.0;

/// What a policy knows of its job beside the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Rebalances in a round, the first deployment not counted.
    pub max_rebalances: u32,
    /// Narrowest range in ticks.
    pub min_tick_width: i32,
    /// Blocks of a round.
    pub round_blocks: u64,
}

impl Limits {
    /// Those of a job on a chain with `block_seconds` from block to block.
    #[must_use]
    pub fn of(job: &Job, block_seconds: u64) -> Self {
        let (max_rebalances, min_tick_width) = (job.constraints.max_rebalances, job.constraints.min_tick_width);
        Self {
            max_rebalances,
            min_tick_width,
            round_blocks: (job.round_duration_seconds / block_seconds.max(1)).max(1),
        }
    }
}

/// The memory of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observer {
    limits: Limits,
    /// Block and tick of the latest questions, rounds before included.
    seen: VecDeque<(u64, i32)>,
    round: Option<RoundMemory>,
}

/// What is remembered of a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RoundMemory {
    round_id: String,
    block: u64,
    tick: i32,
    #[serde(with = "integer::json")]
    sqrt_price_x96: U256,
    tokens: Amounts,
    /// Value beyond holding at the question before, as a share of the first value.
    over_hold: f64,
    /// Whether positions were asked for.
    asked: bool,
    /// The range and the part of the tokens that were asked for last.
    wanted: Option<(i32, i32, u32)>,
}

impl Observer {
    /// A memory without a question.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, seen: VecDeque::new(), round: None }
    }

    /// Takes the next question and says what is observed; `None` for a question that no round
    /// asks. A question of another round starts the memory of the round anew.
    pub fn observe(&mut self, query: &RebalanceQuery) -> Option<Observation> {
        let view = View::of(query, self.limits.min_tick_width)?;
        self.remember(query.block_number, view.tick);
        let mut round = match self.round.take() {
            Some(round) if round.round_id == query.round_id => round,
            _ => RoundMemory {
                round_id: query.round_id.clone(),
                block: query.block_number,
                tick: view.tick,
                sqrt_price_x96: query.sqrt_price_x96,
                tokens: view.tokens,
                over_hold: 0.0,
                asked: false,
                wanted: None,
            },
        };
        // A miner that was started within a round sees what it did before.
        round.asked |= query.rebalances_so_far > 0 || !query.current_positions.is_empty();
        let observation = self.look(&view, &mut round);
        self.round = Some(round);
        observation
    }

    /// Prices ascend by block; an earlier block starts another history.
    fn remember(&mut self, block: u64, tick: i32) {
        match self.seen.back() {
            Some((last, _)) if *last == block => return,
            Some((last, _)) if *last > block => self.seen.clear(),
            _ => {}
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back((block, tick));
    }

    fn look(&self, view: &View<'_>, round: &mut RoundMemory) -> Option<Observation> {
        let query = view.query;
        let value = value_in_token1(view.tokens, query.sqrt_price_x96)?;
        let hold = value_in_token1(round.tokens, query.sqrt_price_x96)?;
        let first = value_in_token1(round.tokens, round.sqrt_price_x96)?;
        let idle = value_in_token1(query.inventory_remaining, query.sqrt_price_x96)?;
        let over_hold = share(value, hold, first);
        let change =
            |token: usize| share(view.tokens.pair()[token], round.tokens.pair()[token], round.tokens.pair()[token]);
        let passed = query.block_number.saturating_sub(round.block);
        let rest = self.limits.max_rebalances.saturating_sub(query.rebalances_so_far);
        let (distance, width) = place(view);
        let mut numbers = [0.0; INPUTS];
        let fixed = [
            passed as f64 / self.limits.round_blocks as f64,
            f64::from(u8::from(!round.asked)),
            f64::from(rest) / f64::from(self.limits.max_rebalances.max(1)),
            distance,
            width,
            share(value, idle, value),
            2.0 * share(token0_value(view.tokens.amount0, query.sqrt_price_x96)?, U256::ZERO, value) - 1.0,
            10.0 * change(0),
            10.0 * change(1),
            1_000.0 * over_hold,
            1_000.0 * (over_hold - round.over_hold),
            100.0 * share(hold, first, first),
            f64::from(view.tick - round.tick) / TICKS,
            f64::from(view.tick.rem_euclid(view.spacing)) / f64::from(view.spacing) - 0.5,
        ];
        let moves = MOVES.map(|questions| self.moved(questions));
        let volatilities = WINDOWS.map(|questions| self.volatility(questions));
        let all = fixed.into_iter().chain(moves).chain(volatilities);
        numbers.iter_mut().zip(all).for_each(|(number, value)| *number = value.clamp(-BOUND, BOUND) as f32);
        round.over_hold = over_hold;
        Some(numbers)
    }

    /// The move of the price since some questions ago, in units of [`TICKS`] for the latest
    /// one and of more for longer ones.
    fn moved(&self, questions: usize) -> f64 {
        let earliest = self.seen.len().saturating_sub(questions + 1);
        match (self.seen.get(earliest), self.seen.back()) {
            (Some((_, then)), Some((_, now))) => f64::from(now - then) / (TICKS * (questions as f64).sqrt()),
            _ => 0.0,
        }
    }

    /// Root mean square change of the tick per hundred blocks.
    fn volatility(&self, questions: usize) -> f64 {
        let seen = self.seen.range(self.seen.len().saturating_sub(questions + 1)..);
        let blocks = match (seen.clone().next(), self.seen.back()) {
            (Some((first, _)), Some((last, _))) if last > first => (last - first) as f64,
            _ => return 0.0,
        };
        let changes = seen.clone().zip(seen.skip(1));
        let squares: f64 = changes.map(|((_, from), (_, to))| f64::from(to - from) * f64::from(to - from)).sum();
        (squares * PER_BLOCKS / blocks).sqrt() / TICKS
    }

    /// Turns an action into the answer to the question that was observed last. Where no
    /// rebalance is left, or what is wanted stands already, it keeps.
    pub fn answer(&mut self, query: &RebalanceQuery, action: Action, model_info: &str) -> RebalanceAnswer {
        let view = View::of(query, self.limits.min_tick_width);
        let (Some(view), Some(round)) = (view, &mut self.round) else {
            return RebalanceAnswer::refuse("the question has a price or a tick spacing out of range");
        };
        let spent = round.asked && query.rebalances_so_far >= self.limits.max_rebalances;
        let wanted = action.wanted(&view).filter(|_| !spent).filter(|wanted| {
            let part = if let Action::Range { part, .. } = action { part } else { 1 };
            let place = wanted.first().map(|position| (position.tick_lower, position.tick_upper, part));
            let stands = place.is_some() && place == round.wanted && !query.current_positions.is_empty();
            if !stands {
                round.wanted = place;
            }
            !stands
        });
        round.asked |= wanted.is_some();
        let positions = wanted.unwrap_or_else(|| query.current_positions.clone());
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let metadata = MinerMetadata { version, model_info: model_info.to_owned() };
        RebalanceAnswer { miner_metadata: Some(metadata), ..RebalanceAnswer::positions(positions) }
    }
}

/// Where the price stands in what is held: its distance from the middle in half widths, and
/// the width in units of a hundred [`TICKS`]; zeros when nothing is held.
fn place(view: &View<'_>) -> (f64, f64) {
    let held = &view.query.current_positions;
    let lower = held.iter().map(|position| position.tick_lower).min();
    let upper = held.iter().map(|position| position.tick_upper).max();
    let (Some(lower), Some(upper)) = (lower, upper) else { return (0.0, 0.0) };
    let half = f64::from(upper.saturating_sub(lower)) / 2.0;
    let distance = f64::from(view.tick) - f64::from(lower) - half;
    (if half > 0.0 { distance / half } else { 0.0 }, 2.0 * half / (100.0 * TICKS))
}

/// `(value − from) / whole` as a float; zero for an empty whole.
pub(super) fn share(value: U256, from: U256, whole: U256) -> f64 {
    signed_ratio(value >= from, value.abs_diff(from), whole).map_or(0.0, |ratio| ratio as f64 / ONE as f64)
}

#[cfg(test)]
mod tests {
    use assay_amm::concentrated::{MAX_TICK, MIN_TICK, sqrt_price_at_tick};
    use proptest::prelude::{Just, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;
    use crate::decision::{Decision, decide};
    use crate::environment::ACTIONS;
    use crate::query::{DesiredPosition, RoundType};

    fn job(spacing: i32, max_rebalances: u32, min_tick_width: i32) -> Job {
        let address = format!("0x{}", "a".repeat(40));
        let text = serde_json::json!({
            "job_id": "test", "sn_liquidity_manager_address": address, "pair_address": address, "genesis": 0,
            "inventory": {"amount0": "1", "amount1": "1"},
            "pool": {"kind": "slipstream", "tick_spacing": spacing, "fee": "events"}
        });
        let mut job: Job = serde_json::from_str(&text.to_string()).expect("a job");
        (job.constraints.max_rebalances, job.constraints.min_tick_width) = (max_rebalances, min_tick_width);
        job
    }

    proptest! {
        /// Whatever is chosen over any walk of prices, every answer can be held, and what is
        /// observed is finite.
        #[test]
        fn every_answer_is_valid(
            spacing in prop_oneof![Just(1), Just(10), Just(60), Just(200), Just(16_383)],
            max_rebalances in 0_u32..4,
            min_width in 1_i32..3_000,
            first in MIN_TICK..MAX_TICK,
            moves in prop::collection::vec((-3_000_i32..3_000, any::<prop::sample::Index>()), 12),
            tokens in [0_u128..1_u128 << 100, 0_u128..1_u128 << 100],
        ) {
            let job = job(spacing, max_rebalances, min_width);
            let mut observer = Observer::new(Limits::of(&job, 2));
            let (mut tick, mut rebalances, mut executions) = (first, 0, 0);
            let (mut standing, mut last) = (Vec::new(), None::<Vec<DesiredPosition>>);
            let total = Amounts::from(tokens.map(U256::from));
            let mut inventory = total;
            for (index, (change, action)) in moves.iter().enumerate() {
                let shown = RebalanceQuery {
                    job_id: job.job_id.clone(),
                    sn_liquidity_manager_address: String::new(),
                    pair_address: String::new(),
                    chain_id: 1,
                    round_id: "round".to_owned(),
                    round_type: RoundType::Evaluation,
                    block_number: 100 * index as u64,
                    current_price: 1.0,
                    sqrt_price_x96: sqrt_price_at_tick(tick).expect("in range"),
                    current_positions: standing.clone(),
                    inventory_remaining: inventory,
                    rebalances_so_far: rebalances,
                    tick_spacing: spacing,
                };
                let observation = observer.observe(&shown).expect("a question");
                prop_assert!(observation.iter().all(|number| number.is_finite()));
                let desired = observer.answer(&shown, *action.get(&ACTIONS), "").desired_positions.expect("positions");
                match decide(&job, &shown, last.as_deref(), executions > 0, &desired) {
                    Ok(Decision::Rebalance) => {
                        rebalances += u32::from(executions > 0);
                        executions += 1;
                        let placed = crate::placement::total_allocation(&desired).expect("small");
                        inventory = total.checked_sub(placed).expect("within the tokens");
                        standing.clone_from(&desired);
                        last = Some(desired);
                    }
                    other => prop_assert_eq!(other, Ok(Decision::Keep)),
                }
                prop_assert!(rebalances <= max_rebalances);
                tick = (tick + change).clamp(MIN_TICK, MAX_TICK - 1);
            }
        }
    }
}
