//! The tokens of a pool over random lives: minting, burning, swapping, lending, staking and
//! collecting. What comes in covers what goes out at every moment, and when everybody has
//! left there is only dust.

use std::collections::BTreeMap;

use assay_amm::concentrated::{PositionKey, Tick, sqrt_price_at_tick};
use assay_amm::kind::uniswap_v3::ProtocolFee;
use assay_amm::{Context, Fee, Pool, U256};
use num_bigint::BigInt;
use proptest::prelude::*;

use super::pools::{Ask, GAUGE, Spec, any_ask, any_bits, any_spec, core, fine_spec, mint, stake};
use crate::cases;
use crate::oracle::{big, from};

const AT: Context = Context { timestamp: 0, fee: Fee::Pool };

/// Something that happens to a pool. Places choose among the positions.
#[derive(Debug, Clone)]
enum Step {
    Mint(usize, u128),
    /// Parts of 255 of a position's liquidity; none touches it.
    Burn(usize, u8),
    Collect(usize, [u128; 2]),
    Swap(Ask),
    /// A flash loan or a donation, with something on top of its fee.
    Lend([u128; 2]),
    CollectProtocol([u128; 2]),
    ProtocolFee([u16; 2]),
    /// Parts of 255 to the gauge, or back from it.
    Stake(usize, u8, bool),
    CollectGauge,
}

fn any_step(bits: u32) -> impl Strategy<Value = Step> {
    let pair = move || [any_bits(bits), any_bits(bits)];
    prop_oneof![
        2 => (any::<usize>(), any_bits(88)).prop_map(|(place, liquidity)| Step::Mint(place, liquidity)),
        3 => (any::<usize>(), any::<u8>()).prop_map(|(place, part)| Step::Burn(place, part)),
        1 => (any::<usize>(), pair()).prop_map(|(place, amounts)| Step::Collect(place, amounts)),
        6 => any_ask(bits).prop_map(Step::Swap),
        1 => pair().prop_map(Step::Lend),
        1 => pair().prop_map(Step::CollectProtocol),
        1 => any::<[u16; 2]>().prop_map(Step::ProtocolFee),
        2 => (any::<usize>(), any::<u8>(), any::<bool>()).prop_map(|(place, part, back)| Step::Stake(place, part, back)),
        1 => Just(Step::CollectGauge),
    ]
}

/// A pool with the tokens that moved.
struct Life {
    pool: Pool,
    spec: Spec,
    keys: Vec<PositionKey>,
    balance: [BigInt; 2],
    /// Roundings that each may leave one unit of each token behind.
    roundings: usize,
}

impl Life {
    fn new(spec: &Spec) -> Self {
        let keys = spec.spots.iter().map(|spot| spot.key).collect();
        let mut life = Self { pool: spec.empty(), spec: spec.clone(), keys, balance: [big(0), big(0)], roundings: 0 };
        for (place, spot) in spec.spots.iter().enumerate() {
            life.run(&Step::Mint(place, spot.liquidity), None);
            if spot.staked {
                life.run(&Step::Stake(place, 200, false), None);
            }
        }
        life
    }

    fn put(&mut self, token: usize, amount: U256) {
        self.balance[token] += from(amount);
    }

    fn take(&mut self, token: usize, amount: U256) {
        self.balance[token] -= from(amount);
    }

    /// Every change of a position rounds its principal and its fees, per token.
    fn changed(&mut self) {
        self.roundings += 2;
    }

    fn liquidity(&self, key: &PositionKey) -> u128 {
        core(&self.pool).positions.get(key).map_or(0, |position| position.liquidity)
    }

    fn burn(&mut self, key: PositionKey, liquidity: u128) {
        let fees = match &mut self.pool {
            Pool::UniswapV3(pool) => pool.burn(key, liquidity).err().map(|_| ()),
            Pool::Slipstream(pool) => pool.burn(key, liquidity).err().map(|_| ()),
            Pool::UniswapV4(pool) => match pool.modify_liquidity(key, -i128::try_from(liquidity).unwrap()) {
                Ok((amounts, fees)) => {
                    for token in 0..2 {
                        self.balance[token] -= from(amounts[token]) + fees[token];
                    }
                    None
                }
                Err(_) => Some(()),
            },
            other => panic!("{other:?}"),
        };
        if fees.is_none() {
            self.changed();
        }
    }

    fn collect(&mut self, key: PositionKey, amounts: [u128; 2]) {
        let taken = match &mut self.pool {
            Pool::UniswapV3(pool) => pool.collect(&key, amounts),
            Pool::Slipstream(pool) => pool.collect(&key, amounts),
            _ => [0; 2],
        };
        for token in 0..2 {
            assert!(taken[token] <= amounts[token]);
            self.take(token, U256::from(taken[token]));
        }
    }

    fn collect_protocol(&mut self, amounts: [u128; 2]) {
        match &mut self.pool {
            Pool::UniswapV3(pool) => {
                let taken = pool.collect_protocol(amounts);
                for token in 0..2 {
                    self.take(token, U256::from(taken[token]));
                }
            }
            Pool::UniswapV4(pool) => {
                let taken = [0, 1].map(|token| pool.protocol_owed[token].min(U256::from(amounts[token])));
                for token in 0..2 {
                    pool.protocol_owed[token] -= taken[token];
                    self.balance[token] -= from(taken[token]);
                }
            }
            _ => {}
        }
    }

    /// Runs a step; what the contract would refuse changes nothing.
    fn run(&mut self, step: &Step, limits: Option<[U256; 2]>) {
        match step {
            Step::Mint(place, liquidity) => {
                let key = self.keys[place % self.keys.len()];
                if let Ok((amounts, fees)) = mint(&mut self.pool, key, *liquidity) {
                    for token in 0..2 {
                        self.put(token, amounts[token]);
                        self.take(token, U256::from(fees[token]));
                    }
                    self.changed();
                }
            }
            Step::Burn(place, part) => {
                let key = self.keys[place % self.keys.len()];
                self.burn(key, self.liquidity(&key) / 255 * u128::from(*part));
            }
            Step::Collect(place, amounts) => self.collect(self.keys[place % self.keys.len()], *amounts),
            Step::Swap(ask) => self.swap(ask, limits),
            Step::Lend(amounts) => self.lend(*amounts),
            Step::CollectProtocol(amounts) => self.collect_protocol(*amounts),
            Step::ProtocolFee(parts) => {
                let spec = Spec { parts: *parts, ..self.spec.clone() };
                match (&mut self.pool, spec.empty()) {
                    (Pool::UniswapV3(pool), Pool::UniswapV3(other)) => {
                        pool.set_protocol_fee(other.protocol_fee()).unwrap()
                    }
                    (Pool::UniswapV4(pool), Pool::UniswapV4(other)) => {
                        pool.set_protocol_fee(other.protocol_fee_pips()).unwrap();
                    }
                    (Pool::Slipstream(pool), Pool::Slipstream(other)) => {
                        pool.set_unstaked_fee(other.unstaked_fee_pips().unwrap()).unwrap();
                    }
                    (pool, _) => panic!("{pool:?}"),
                }
            }
            Step::Stake(place, part, back) => {
                let key = self.keys[place % self.keys.len()];
                let holder = if *back { PositionKey { owner: GAUGE, ..key } } else { key };
                let moved = i128::try_from(self.liquidity(&holder) / 255 * u128::from(*part)).unwrap();
                if stake(&mut self.pool, key, if *back { -moved } else { moved }) {
                    self.changed();
                }
            }
            Step::CollectGauge => {
                if let Pool::Slipstream(pool) = &mut self.pool {
                    let before = pool.gauge_fees;
                    pool.collect_gauge_fees();
                    for token in 0..2 {
                        self.balance[token] -= before[token] - pool.gauge_fees[token];
                    }
                }
            }
        }
    }

    fn swap(&mut self, ask: &Ask, limits: Option<[U256; 2]>) {
        let Some(mut limit) = ask.limit(core(&self.pool)) else { return };
        if let Some([low, high]) = limits {
            limit = if ask.zero_for_one { limit.max(low) } else { limit.min(high) };
        }
        let token_in = ask.token_in();
        let word = |pool: &Pool| core(pool).tick.div_euclid(core(pool).tick_spacing()) >> 8;
        let from_word = word(&self.pool);
        if let Ok(swapped) = self.pool.swap_limited(token_in, 1 - token_in, ask.amount, limit, &AT) {
            self.put(token_in, swapped.amount_in);
            self.take(1 - token_in, swapped.amount_out);
            // Every step (to a tick, to the end of a word of 256, the last) rounds what comes in,
            // what goes out, and the fee's division.
            let words = word(&self.pool).abs_diff(from_word) + 1;
            self.roundings += 3 * (swapped.crossed + words + 1) as usize;
        }
    }

    fn lend(&mut self, amounts: [u128; 2]) {
        let amounts = amounts.map(U256::from);
        let paid = match &mut self.pool {
            Pool::UniswapV3(pool) => {
                let paid = pool.flash_fees(amounts).unwrap().map(|fee| fee + U256::from(7));
                pool.flash(amounts, paid).ok().map(|()| paid)
            }
            Pool::Slipstream(pool) => {
                let paid = amounts.map(|amount| amount / U256::from(2) + U256::from(7));
                pool.flash(amounts, paid, &AT).ok().map(|()| paid)
            }
            Pool::UniswapV4(pool) => pool.donate(amounts).ok().map(|()| amounts),
            other => panic!("{other:?}"),
        };
        if let Some(paid) = paid {
            for token in 0..2 {
                self.put(token, paid[token]);
            }
            self.roundings += 3;
        }
    }

    /// Ladder, liquidity and stakes are those of the positions; fee growth inside adds up.
    fn check(&self) -> Result<(), TestCaseError> {
        for token in 0..2 {
            prop_assert!(self.balance[token] >= big(0), "token {} is {}", token, self.balance[token]);
        }
        let core = core(&self.pool);
        let mut ladder = BTreeMap::<i32, (u128, i128, i128)>::new();
        let (mut liquidity, mut staked) = (0, 0);
        for (key, position) in &core.positions {
            let own = position.liquidity;
            let (signed, of_gauge) = (i128::try_from(own).unwrap(), key.owner == GAUGE);
            for (tick, net) in [(key.tick_lower, signed), (key.tick_upper, -signed)] {
                let entry = ladder.entry(tick).or_default();
                *entry = (entry.0 + own, entry.1 + net, entry.2 + if of_gauge { net } else { 0 });
            }
            if key.tick_lower <= core.tick && core.tick < key.tick_upper {
                liquidity += own;
                staked += if of_gauge { own } else { 0 };
            }
        }
        ladder.retain(|_, entry| entry.0 > 0);
        let of = |tick: Tick| (tick.index, (tick.liquidity_gross, tick.liquidity_net));
        let ours: Vec<_> = core.ticks.iter().map(of).collect();
        let theirs: Vec<_> = ladder.iter().map(|(tick, entry)| (*tick, (entry.0, entry.1))).collect();
        prop_assert_eq!(ours, theirs, "the ladder is that of the positions");
        prop_assert_eq!(core.liquidity, liquidity);
        let below: i128 = ladder.range(..=core.tick).map(|(_, entry)| entry.1).sum();
        prop_assert_eq!(i128::try_from(liquidity).unwrap(), below, "liquidity is the sum of the nets below");
        if let Pool::Slipstream(pool) = &self.pool {
            prop_assert_eq!(pool.staked_liquidity, staked);
            for (tick, entry) in &ladder {
                prop_assert_eq!(pool.staked_net.get(tick).copied().unwrap_or(0), entry.2, "tick {}", tick);
            }
        }
        let ticks: Vec<i32> = ladder.keys().copied().collect();
        for three in ticks.windows(3) {
            let parts = [core.fee_growth_inside(three[0], three[1]), core.fee_growth_inside(three[1], three[2])];
            let whole = core.fee_growth_inside(three[0], three[2]);
            for token in 0..2 {
                prop_assert_eq!(
                    parts[0][token].wrapping_add(parts[1][token]),
                    whole[token],
                    "growth inside {:?}",
                    three
                );
            }
        }
        Ok(())
    }

    /// Everybody takes out everything.
    fn leave(&mut self) -> Result<(), TestCaseError> {
        for place in 0..self.keys.len() {
            let key = self.keys[place];
            let staked = i128::try_from(self.liquidity(&PositionKey { owner: GAUGE, ..key })).unwrap();
            if staked > 0 {
                prop_assert!(stake(&mut self.pool, key, -staked));
                self.changed();
            }
            // V4 refuses to move more than 127 bits at once: then in smaller parts.
            let mut part = self.liquidity(&key);
            while part > 0 {
                let liquidity = self.liquidity(&key);
                self.burn(key, part.min(liquidity));
                let left = self.liquidity(&key);
                part = if left == liquidity { part / 2 } else { left };
            }
            self.collect(key, [u128::MAX; 2]);
            self.check()?;
        }
        self.collect_protocol([u128::MAX; 2]);
        self.run(&Step::CollectGauge, None);
        self.check()?;
        prop_assert_eq!(core(&self.pool).liquidity, 0);
        prop_assert!(core(&self.pool).ticks.is_empty(), "nobody is left");
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// On any pool, extremes included.
    #[test]
    fn a_pool_always_covers_what_it_owes(spec in any_spec(), steps in prop::collection::vec(any_step(110), 1..24)) {
        let mut life = Life::new(&spec);
        life.check()?;
        for step in &steps {
            life.run(step, None);
            life.check()?;
        }
        life.leave()?;
    }

    /// Where one unit of price moves less than a unit of token, what remains is bounded by
    /// the number of roundings, the unit the protocol leaves and the unit the gauge leaves.
    /// Fees that nobody was there for do not exist: a step without liquidity takes none.
    #[test]
    fn what_remains_is_dust(spec in fine_spec(), steps in prop::collection::vec(any_step(90), 1..24)) {
        let limits = [-70_000, 70_000].map(|tick| sqrt_price_at_tick(tick).unwrap());
        let mut life = Life::new(&spec);
        for step in &steps {
            life.run(step, Some(limits));
            life.check()?;
        }
        life.leave()?;
        for token in 0..2 {
            let dust = &life.balance[token];
            prop_assert!(*dust <= big(life.roundings) + 2, "{} of token {} in {} roundings", dust, token, life.roundings);
        }
    }

    /// A ladder alone quotes as the positions it stands for.
    #[test]
    fn a_ladder_stands_for_its_positions(spec in any_spec(), asks in prop::collection::vec(any_ask(120), 1..6)) {
        let mut pool = spec.build();
        for ask in asks {
            let own = core(&pool);
            let ticks: Vec<Tick> = own.ticks.iter().collect();
            let recorded = assay_amm::concentrated::Core::recorded(
                own.tick_spacing(), own.sqrt_price_x96, own.tick, own.liquidity, &ticks,
            );
            let recorded = recorded.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(recorded.is_complete());
            let mut copy = spec.empty();
            match (&mut copy, &pool) {
                (Pool::UniswapV3(copy), _) => copy.core = recorded,
                (Pool::UniswapV4(copy), _) => copy.core = recorded,
                (Pool::Slipstream(copy), _) => copy.core = recorded,
                (other, _) => panic!("{other:?}"),
            }
            let Some(limit) = ask.limit(own) else { continue };
            let (token_in, token_out) = (ask.token_in(), 1 - ask.token_in());
            let of_ladder = copy.quote_limited(token_in, token_out, ask.amount, limit, &AT);
            prop_assert_eq!(of_ladder, pool.quote_limited(token_in, token_out, ask.amount, limit, &AT));
            let _ = pool.swap_limited(token_in, token_out, ask.amount, limit, &AT);
        }
    }
}

/// The dust of a case computed by hand: one mint rounds up, one burn rounds down.
#[test]
fn one_position_leaves_at_most_a_unit() {
    let key = PositionKey { owner: U256::ONE, tick_lower: -60, tick_upper: 60 };
    let core = assay_amm::concentrated::Core::new(60, sqrt_price_at_tick(0).unwrap()).unwrap();
    let mut pool = assay_amm::kind::UniswapV3::new(core, 3000, false).unwrap();
    pool.set_protocol_fee(ProtocolFee::Divisor([0, 0])).unwrap();
    let paid = pool.mint(key, 1_000_001).unwrap();
    let back = pool.burn(key, 1_000_001).unwrap();
    assert_eq!(paid.map(|amount| amount - U256::ONE), back, "2,995.35… rounds up once and down once");
    assert_eq!(paid, [U256::from(2996); 2]);
}
