//! Uniswap V3 and Pancake V3: every operation that moves a pool's state.

use assay_amm::concentrated::{Amount, Core, PositionKey};
use assay_amm::kind::UniswapV3;
use assay_amm::kind::uniswap_v3::ProtocolFee;
use assay_amm::{AmmError, Context};
use assay_bytecode::{Concentrated, ConcentratedFork, Evm, I256, Revert, U256};

use crate::fuzz::{self, Chance};
use crate::terrain::Terrain;

/// Seeds of past failures.
const REGRESSIONS: &[u64] = &[];

struct Bench {
    evm: Evm,
    theirs: Concentrated,
    ours: UniswapV3,
    fork: ConcentratedFork,
    terrain: Terrain,
}

impl Bench {
    fn new(fork: ConcentratedFork, chance: &mut Chance) -> Self {
        let (fee, spacing) = match chance.below(8) {
            0 => (100, 1),
            1 => (500, 10),
            2..4 => (3000, 60),
            4 => (10_000, 200),
            5 => (0, 1),
            6 => (999_999, 16_383),
            // Odd, since the factory has spacings of its own for 500, 3,000 and 10,000.
            _ => (chance.range(0, 499_999).unsigned_abs() * 2 + 1, chance.range(1, 16_383)),
        };
        let mut evm = Evm::new();
        let theirs = Concentrated::deploy(&mut evm, fork, fee, spacing);
        let price = Terrain::first_price(chance);
        theirs.initialize(&mut evm, price).unwrap();
        let core = Core::new(spacing, price).unwrap();
        let terrain = Terrain::new(chance, spacing, core.tick);
        let mut ours = UniswapV3::new(core, fee, fork == ConcentratedFork::Pancake).unwrap();
        if fork == ConcentratedFork::Pancake {
            // Its pools begin with a protocol fee that depends on their fee.
            let packed = theirs.state(&evm).fee_protocol;
            let parts = [packed & 0xffff, packed >> 16].map(|part| u16::try_from(part).unwrap());
            ours.set_protocol_fee(ProtocolFee::PerTenThousand(parts)).unwrap();
        }
        let mut bench = Self { evm, theirs, ours, fork, terrain };
        for _ in 0..4 {
            bench.mint(chance);
        }
        bench
    }

    fn key(&self, (tick_lower, tick_upper): (i32, i32)) -> PositionKey {
        PositionKey { owner: self.theirs.trader.address.into_word().into(), tick_lower, tick_upper }
    }

    fn swap(&mut self, chance: &mut Chance) {
        let balances = self.theirs.balances(&self.evm);
        let (zero_for_one, amount, limit) = self.terrain.swap(chance, &self.ours.core, balances);
        let (token_in, token_out) = if zero_for_one { (0, 1) } else { (1, 0) };
        let signed = match amount {
            Amount::In(value) => I256::from_raw(value),
            Amount::Out(value) => -I256::from_raw(value),
        };
        let quoted = self.ours.quote_limited(token_in, token_out, amount, limit, &Context::default());
        let ours = self.ours.swap_limited(token_in, token_out, amount, limit, &Context::default());
        assert_eq!(quoted.as_ref().ok(), ours.as_ref().ok(), "quote and swap differ");
        let theirs = self.theirs.swap(&mut self.evm, zero_for_one, signed, limit);
        let theirs = theirs.map(|moved| [moved[token_in].into_raw(), (-moved[token_out]).into_raw()]);
        let name = if ours.as_ref().is_ok_and(|swapped| swapped.crossed > 0) { "swap across ticks" } else { "swap" };
        compare(chance, name, ours.map(|swapped| [swapped.amount_in, swapped.amount_out]), theirs);
    }

    fn mint(&mut self, chance: &mut Chance) {
        let (range, liquidity) = (self.terrain.range(chance), self.terrain.liquidity(chance));
        let ours = self.ours.mint(self.key(range), liquidity);
        compare(chance, "mint", ours, self.theirs.mint(&mut self.evm, range.0, range.1, liquidity));
    }

    fn burn(&mut self, chance: &mut Chance) {
        let range = self.terrain.range(chance);
        let held = self.ours.core.positions.get(&self.key(range)).map_or(0, |position| position.liquidity);
        let liquidity = if chance.one_in(4) { held } else { chance.part_of(held).saturating_to() };
        let ours = self.ours.burn(self.key(range), liquidity);
        compare(chance, "burn", ours, self.theirs.burn(&mut self.evm, range.0, range.1, liquidity));
    }

    fn collect(&mut self, chance: &mut Chance) {
        let range = self.terrain.range(chance);
        let owed = self.ours.core.positions.get(&self.key(range)).map_or([0; 2], |position| position.owed);
        // The tokens of a debt that has wrapped at 128 bits are never in the pool.
        let balances = self.theirs.balances(&self.evm);
        let amounts = [0, 1].map(|token| chance.part_of(owed[token]).min(balances[token]).saturating_to());
        let ours = self.ours.collect(&self.key(range), amounts).map(U256::from);
        compare(chance, "collect", Ok(ours), self.theirs.collect(&mut self.evm, range.0, range.1, amounts));
    }

    fn flash(&mut self, chance: &mut Chance) {
        let balances = self.theirs.balances(&self.evm);
        let amounts = balances.map(|balance| chance.part_of(balance.saturating_to()).min(balance));
        let fees = self.ours.flash_fees(amounts).unwrap();
        // Now and then one unit less than the fee comes back.
        let short = chance.one_in(8);
        let extra =
            fees.map(|fee| if short && !fee.is_zero() { U256::MAX } else { chance.part_of(fee.saturating_to()) });
        let paid = [0, 1].map(|token| fees[token].wrapping_add(extra[token]));
        let ours = self.ours.flash(amounts, paid).map(|()| [U256::ZERO; 2]);
        let theirs = self.theirs.flash(&mut self.evm, amounts, extra);
        compare(chance, "flash", ours, theirs.map(|()| [U256::ZERO; 2]));
    }

    fn set_protocol_fee(&mut self, chance: &mut Chance) {
        let (low, high) = if self.fork == ConcentratedFork::Uniswap { (3, 11) } else { (999, 4001) };
        let parts = [0, 1].map(|_| match chance.below(8) {
            0..2 => 0,
            2 => low,
            3 => high,
            _ => chance.range(low + 1, high - 1),
        });
        let parts = parts.map(i32::unsigned_abs);
        let narrow = parts.map(|part| u16::try_from(part).unwrap());
        let fee = match self.fork {
            ConcentratedFork::Uniswap => ProtocolFee::Divisor(narrow.map(|part| u8::try_from(part).unwrap())),
            ConcentratedFork::Pancake => ProtocolFee::PerTenThousand(narrow),
        };
        let ours = self.ours.set_protocol_fee(fee).map(|()| [U256::ZERO; 2]);
        let theirs = self.theirs.set_fee_protocol(&mut self.evm, parts);
        compare(chance, "set protocol fee", ours, theirs.map(|()| [U256::ZERO; 2]));
    }

    fn collect_protocol(&mut self, chance: &mut Chance) {
        let balances = self.theirs.balances(&self.evm);
        let owed = self.ours.protocol_owed;
        let amounts = [0, 1].map(|token| chance.part_of(owed[token]).min(balances[token]).saturating_to());
        let ours = self.ours.collect_protocol(amounts).map(U256::from);
        compare(chance, "collect protocol", Ok(ours), self.theirs.collect_protocol(&mut self.evm, amounts));
    }

    fn step(&mut self, chance: &mut Chance) {
        self.evm.advance(chance.below(100));
        let before = self.ours.clone();
        let refused = chance.refusals();
        match chance.below(32) {
            0..18 => self.swap(chance),
            18..23 => self.mint(chance),
            23..27 => self.burn(chance),
            27..29 => self.collect(chance),
            29 => self.flash(chance),
            30 => self.set_protocol_fee(chance),
            _ => self.collect_protocol(chance),
        }
        assert!(chance.refusals() == refused || self.ours == before, "a refused operation moved the state");
        self.same_state();
    }

    fn same_state(&mut self) {
        let theirs = self.theirs.state(&self.evm);
        let ours = &self.ours;
        assert_eq!(ours.core.sqrt_price_x96, theirs.sqrt_price_x96);
        assert_eq!(ours.core.tick, theirs.tick);
        assert_eq!(ours.core.liquidity, theirs.liquidity);
        assert_eq!(ours.core.fee_growth_x128, theirs.fee_growth_global_x128);
        assert_eq!(ours.protocol_owed, theirs.protocol_fees);
        let packed = match ours.protocol_fee() {
            ProtocolFee::Divisor(parts) => u32::from(parts[0]) + (u32::from(parts[1]) << 4),
            ProtocolFee::PerTenThousand(parts) => u32::from(parts[0]) + (u32::from(parts[1]) << 16),
        };
        assert_eq!(packed, theirs.fee_protocol);
        for tick in self.terrain.ticks() {
            let theirs = self.theirs.tick(&self.evm, tick);
            let ours = self.ours.core.ticks.get(tick);
            assert_eq!(ours.is_some(), theirs.initialized, "tick {tick}");
            let Some(ours) = ours else { continue };
            assert_eq!(ours.liquidity_gross, theirs.liquidity_gross, "tick {tick}");
            assert_eq!(ours.liquidity_net, theirs.liquidity_net, "tick {tick}");
            assert_eq!(ours.fee_growth_outside_x128, theirs.fee_growth_outside_x128, "tick {tick}");
        }
        for range in self.terrain.ranges.clone() {
            let theirs = self.theirs.position(&self.evm, range.0, range.1);
            let ours = self.ours.core.positions.get(&self.key(range)).copied().unwrap_or_default();
            assert_eq!(ours.liquidity, theirs.liquidity, "position {range:?}");
            assert_eq!(ours.fee_growth_inside_x128, theirs.fee_growth_inside_last_x128, "position {range:?}");
            assert_eq!(ours.owed, theirs.tokens_owed, "position {range:?}");
        }
    }
}

/// Both did the same, or both refused for the same cause.
fn compare(
    chance: &mut Chance,
    operation: &'static str,
    ours: Result<[U256; 2], AmmError>,
    theirs: Result<[U256; 2], Revert>,
) {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs, "amounts");
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
    let silent = *theirs == Revert::Silent;
    let reason = theirs.reason();
    match ours {
        AmmError::ZeroAmount => silent || reason == "AS",
        AmmError::PriceLimit { .. } => reason == "SPL",
        // A tick off the spacing is found out last, after everything else that may be wrong.
        AmmError::Tick { .. } => silent || matches!(reason, "TLU" | "TLM" | "TUM" | "LO" | "LS" | "NP"),
        AmmError::Liquidity { .. } => matches!(reason, "LO" | "LS" | "LA" | "NP"),
        AmmError::NoLiquidity(_) => reason == "L",
        AmmError::Limit { .. } => matches!(reason, "F0" | "F1"),
        AmmError::Overflow { .. } | AmmError::State(_) => silent,
        _ => false,
    }
}

fn fuzz(fork: ConcentratedFork, name: &str) {
    fuzz::run(name, REGRESSIONS, |chance, operations| {
        let mut bench = Bench::new(fork, chance);
        for _ in 0..operations {
            bench.step(chance);
        }
    });
}

#[test]
fn the_bytecode_is_the_deployed_one() {
    let hash = "0xe34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54";
    assert_eq!(format!("{:#x}", ConcentratedFork::Uniswap.init_code_hash()), hash);
}

#[test]
fn uniswap_v3_equals_its_contract() {
    fuzz(ConcentratedFork::Uniswap, "uniswap-v3");
}

#[test]
fn pancake_v3_equals_its_contract() {
    fuzz(ConcentratedFork::Pancake, "pancake-v3");
}
