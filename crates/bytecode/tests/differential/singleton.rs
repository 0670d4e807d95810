//! Uniswap V4 without hooks: swaps, liquidity, donations and the protocol's fee.

use assay_amm::concentrated::{Amount, Core, PositionKey};
use assay_amm::kind::UniswapV4;
use assay_amm::{AmmError, Context};
use assay_bytecode::{Evm, I256, Revert, Singleton, U256};

use crate::fuzz::{self, Chance};
use crate::terrain::Terrain;

/// Seeds of past failures.
const REGRESSIONS: &[u64] = &[139];

struct Bench {
    evm: Evm,
    theirs: Singleton,
    ours: UniswapV4,
    terrain: Terrain,
}

impl Bench {
    fn new(chance: &mut Chance) -> Self {
        let (fee, spacing) = match chance.below(8) {
            0 => (100, 1),
            1 => (500, 10),
            2..4 => (3000, 60),
            4 => (0, 200),
            5 => (1_000_000, 60),
            6 => (999_999, 32_767),
            _ => (chance.range(0, 1_000_000).unsigned_abs(), chance.range(1, 32_767)),
        };
        let mut evm = Evm::new();
        let theirs = Singleton::deploy(&mut evm, fee, spacing);
        let price = Terrain::first_price(chance);
        theirs.initialize(&mut evm, price).unwrap();
        let core = Core::new(spacing, price).unwrap();
        let terrain = Terrain::new(chance, spacing, core.tick);
        let ours = UniswapV4::new(core, fee, [0; 2]).unwrap();
        let mut bench = Self { evm, theirs, ours, terrain };
        for _ in 0..4 {
            bench.add(chance);
        }
        bench
    }

    fn key(&self, (tick_lower, tick_upper): (i32, i32)) -> PositionKey {
        PositionKey { owner: self.theirs.liquidity_router.into_word().into(), tick_lower, tick_upper }
    }

    fn swap(&mut self, chance: &mut Chance) {
        let balances = self.theirs.balances(&self.evm);
        let (zero_for_one, amount, limit) = self.terrain.swap(chance, &self.ours.core, balances);
        let (token_in, token_out) = if zero_for_one { (0, 1) } else { (1, 0) };
        let signed = match amount {
            Amount::In(value) => -I256::from_raw(value),
            Amount::Out(value) => I256::from_raw(value),
        };
        let quoted = self.ours.quote_limited(token_in, token_out, amount, limit, &Context::default());
        let ours = self.ours.swap_limited(token_in, token_out, amount, limit, &Context::default());
        assert_eq!(quoted.as_ref().ok(), ours.as_ref().ok(), "quote and swap differ");
        let theirs = self.theirs.swap(&mut self.evm, zero_for_one, signed, limit);
        let theirs = theirs.map(|moved| [-moved[token_in], moved[token_out]]);
        let crossed = ours.as_ref().is_ok_and(|swapped| swapped.crossed > 0);
        let ours = ours.map(|swapped| [swapped.amount_in, swapped.amount_out].map(I256::from_raw));
        let name = if crossed { "swap across ticks" } else { "swap" };
        compare(chance, name, ours, theirs);
    }

    fn add(&mut self, chance: &mut Chance) {
        let (range, liquidity) = (self.terrain.range(chance), self.terrain.liquidity(chance));
        self.modify(chance, "add", range, i128::try_from(liquidity).unwrap_or(i128::MAX));
    }

    fn remove(&mut self, chance: &mut Chance) {
        let range = self.terrain.range(chance);
        let held = self.ours.core.positions.get(&self.key(range)).map_or(0, |position| position.liquidity);
        let liquidity = if chance.one_in(4) { held } else { chance.part_of(held).saturating_to() };
        self.modify(chance, "remove", range, -i128::try_from(liquidity).unwrap_or(i128::MAX));
    }

    fn modify(&mut self, chance: &mut Chance, name: &'static str, range: (i32, i32), delta: i128) {
        let ours = self.ours.modify_liquidity(self.key(range), delta).map(|(principal, fees)| {
            [0, 1].map(|token| {
                let moved = I256::from_raw(principal[token]);
                I256::from_raw(U256::from(fees[token])) + if delta > 0 { -moved } else { moved }
            })
        });
        let theirs = self.theirs.modify(&mut self.evm, range.0, range.1, I256::try_from(delta).unwrap());
        compare(chance, name, ours, theirs);
    }

    fn donate(&mut self, chance: &mut Chance) {
        let balances = self.theirs.balances(&self.evm);
        let amounts = balances.map(|balance| chance.part_of(balance.saturating_to()).min(U256::MAX >> 130));
        let ours = self.ours.donate(amounts).map(|()| [I256::ZERO; 2]);
        let theirs = self.theirs.donate(&mut self.evm, amounts).map(|()| [0; 2]);
        compare(chance, "donate", ours, theirs);
    }

    fn set_protocol_fee(&mut self, chance: &mut Chance) {
        let pips = [0, 1].map(|_| if chance.one_in(3) { 0 } else { chance.range(1, 1100).unsigned_abs() });
        let ours = self.ours.set_protocol_fee(pips).map(|()| [I256::ZERO; 2]);
        let theirs = self.theirs.set_protocol_fee(&mut self.evm, pips).map(|()| [0; 2]);
        compare(chance, "set protocol fee", ours, theirs);
    }

    fn step(&mut self, chance: &mut Chance) {
        self.evm.advance(chance.below(100));
        let before = self.ours.clone();
        let refused = chance.refusals();
        match chance.below(32) {
            0..19 => self.swap(chance),
            19..24 => self.add(chance),
            24..29 => self.remove(chance),
            29 => self.donate(chance),
            _ => self.set_protocol_fee(chance),
        }
        assert!(chance.refusals() == refused || self.ours == before, "a refused operation moved the state");
        self.same_state();
    }

    fn same_state(&mut self) {
        let theirs = self.theirs.state(&mut self.evm);
        let ours = &self.ours;
        assert_eq!(ours.core.sqrt_price_x96, theirs.sqrt_price_x96);
        assert_eq!(ours.core.tick, theirs.tick);
        assert_eq!(ours.core.liquidity, theirs.liquidity);
        assert_eq!(ours.core.fee_growth_x128, theirs.fee_growth_global_x128);
        assert_eq!(ours.protocol_owed, theirs.protocol_fees);
        assert_eq!(ours.protocol_fee_pips(), theirs.protocol_fee_pips);
        assert_eq!(ours.lp_fee_pips(), theirs.lp_fee_pips);
        for tick in self.terrain.ticks() {
            let theirs = self.theirs.tick(&self.evm, tick);
            let ours = self.ours.core.ticks.get(tick);
            assert_eq!(ours.is_some(), theirs.initialized, "tick {tick}");
            let Some(ours) = ours else { continue };
            assert_eq!(ours.liquidity_gross, theirs.liquidity_gross, "tick {tick}");
            assert_eq!(ours.liquidity_net, theirs.liquidity_net, "tick {tick}");
            assert_eq!(ours.fee_growth_outside_x128, theirs.fee_growth_outside_x128, "tick {tick}");
        }
        for range in &self.terrain.ranges {
            let theirs = self.theirs.position(&self.evm, range.0, range.1);
            let ours = self.ours.core.positions.get(&self.key(*range)).copied().unwrap_or_default();
            assert_eq!(ours.liquidity, theirs.liquidity, "position {range:?}");
            assert_eq!(ours.fee_growth_inside_x128, theirs.fee_growth_inside_last_x128, "position {range:?}");
        }
    }
}

/// Both did the same, or both refused for the same cause.
fn compare(
    chance: &mut Chance,
    operation: &'static str,
    ours: Result<[I256; 2], AmmError>,
    theirs: Result<[i128; 2], Revert>,
) {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs.map(|amount| I256::try_from(amount).unwrap()), "amounts");
            chance.done(operation);
        }
        (Err(ours), Err(theirs)) => {
            assert!(matches(&ours, &theirs), "ours {ours:?}, theirs {theirs}");
            chance.refused(operation, &theirs);
        }
        (ours, theirs) => panic!("ours {ours:?}, theirs {theirs:?}"),
    }
}

/// Whether our error and the contract's refusal have the same cause.
fn matches(ours: &AmmError, theirs: &Revert) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| theirs.is_named(name));
    match ours {
        AmmError::ZeroAmount => any(&["SwapAmountCannotBeZero()"]),
        AmmError::PriceLimit { .. } => {
            any(&["PriceLimitAlreadyExceeded(uint160,uint160)", "PriceLimitOutOfBounds(uint160)"])
        }
        AmmError::Tick { .. } => any(&[
            "TicksMisordered(int24,int24)",
            "TickLowerOutOfBounds(int24)",
            "TickUpperOutOfBounds(int24)",
            "TickMisaligned(int24,int24)",
            // A tick off the spacing is found out last, after everything else that may be wrong.
            "TickLiquidityOverflow(int24)",
            "CannotUpdateEmptyPosition()",
            "SafeCastOverflow()",
        ]),
        AmmError::Liquidity { .. } => {
            // Beyond 127 bits the tick's signed net overflows before its gross is checked.
            any(&["TickLiquidityOverflow(int24)", "CannotUpdateEmptyPosition()", "SafeCastOverflow()"])
                || *theirs == Revert::Panic(U256::from(0x11))
        }
        AmmError::NoLiquidity(_) => any(&["NoLiquidityToReceiveFees()"]),
        AmmError::FeeRange { .. } => any(&["ProtocolFeeTooLarge(uint24)", "InvalidFeeForExactOut()"]),
        AmmError::Overflow { .. } => any(&["SafeCastOverflow()", "PriceOverflow()"]) || *theirs == Revert::Silent,
        _ => false,
    }
}

#[test]
fn uniswap_v4_equals_its_contract() {
    fuzz::run("uniswap-v4", REGRESSIONS, |chance, operations| {
        let mut bench = Bench::new(chance);
        for _ in 0..operations {
            bench.step(chance);
        }
    });
}
