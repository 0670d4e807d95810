//! Uniswap V2 and Pancake V2: swaps both ways, with deposits and withdrawals between them.

use assay_amm::kind::UniswapV2;
use assay_amm::{AmmError, Context};
use assay_bytecode::{Evm, Pair, PairFork, Revert, U256};

use crate::fuzz::{self, Chance};

/// Seeds of past failures.
const REGRESSIONS: &[u64] = &[131];

/// The share of the input kept as fee, and of what.
fn fee(fork: PairFork) -> (u32, u32) {
    match fork {
        PairFork::Uniswap => (3, 1000),
        PairFork::Pancake => (2, 1000),
    }
}

struct Bench {
    evm: Evm,
    pair: Pair,
    ours: UniswapV2,
    shares: U256,
}

impl Bench {
    fn new(fork: PairFork, chance: &mut Chance) -> Self {
        let mut evm = Evm::new();
        let pair = Pair::deploy(&mut evm, fork);
        let reserves = [chance.native(112), chance.native(112)];
        pair.set_reserves(&mut evm, reserves);
        let (fee, whole) = fee(fork);
        Self { evm, pair, ours: UniswapV2::new(reserves, fee, whole).unwrap(), shares: U256::ZERO }
    }

    fn amounts(token: usize, amount: U256) -> [U256; 2] {
        if token == 0 { [amount, U256::ZERO] } else { [U256::ZERO, amount] }
    }

    /// The pair's answer to a swap that pays and asks for exactly this.
    fn theirs(&mut self, token_in: usize, amount_in: U256, amount_out: U256) -> Result<(), Revert> {
        let amounts_in = Self::amounts(token_in, amount_in);
        self.pair.swap(&mut self.evm, amounts_in, Self::amounts(1 - token_in, amount_out))
    }

    /// The answer undone, where only the answer matters.
    fn would(&mut self, token_in: usize, amount_in: U256, amount_out: U256) -> Result<(), Revert> {
        let reserves = self.ours.reserves();
        let answer = self.theirs(token_in, amount_in, amount_out);
        if answer.is_ok() {
            self.pair.set_reserves(&mut self.evm, reserves);
        }
        answer
    }

    fn exact_in(&mut self, chance: &mut Chance, token_in: usize, amount_in: U256) {
        let before = self.ours.clone();
        match self.ours.swap_exact_in(token_in, 1 - token_in, amount_in, &Context::default()) {
            Ok(quote) => {
                let greedy = quote.amount_out + U256::ONE;
                let ours = std::mem::replace(&mut self.ours, before.clone());
                let refused = self.would(token_in, amount_in, greedy).unwrap_err();
                assert_eq!(
                    refused.reason().rsplit(": ").next().unwrap(),
                    refusal_of_one_more(&before, token_in, greedy)
                );
                self.ours = ours;
                self.theirs(token_in, amount_in, quote.amount_out).unwrap();
                chance.done("swap");
            }
            Err(error) => {
                assert_eq!(self.ours, before, "a refused swap moved the state");
                let amount_out = bought(&before, token_in, amount_in);
                let refused = self.theirs(token_in, amount_in, amount_out).unwrap_err();
                assert!(matches(&error, &refused), "ours {error:?}, theirs {refused}");
                chance.refused("swap", &refused);
            }
        }
    }

    fn exact_out(&mut self, chance: &mut Chance, token_in: usize, amount_out: U256) {
        let before = self.ours.clone();
        match self.ours.swap_exact_out(token_in, 1 - token_in, amount_out, &Context::default()) {
            Ok(quote) => {
                // The router adds one to a quotient, so two less is never enough.
                if quote.amount_in > U256::from(2) {
                    let ours = std::mem::replace(&mut self.ours, before);
                    let refused = self.would(token_in, quote.amount_in - U256::from(2), amount_out).unwrap_err();
                    assert!(refused.reason().ends_with(": K"), "{refused}");
                    self.ours = ours;
                }
                self.theirs(token_in, quote.amount_in, amount_out).unwrap();
                chance.done("swap");
            }
            Err(error) => {
                assert_eq!(self.ours, before, "a refused swap moved the state");
                let amount_in = if let AmmError::ReserveOverflow { value, .. } = &error {
                    value - U256::from(before.reserves()[token_in])
                } else {
                    U256::from(before.reserves()[token_in] / 2 + 1)
                };
                let refused = self.theirs(token_in, amount_in, amount_out).unwrap_err();
                assert!(matches(&error, &refused), "ours {error:?}, theirs {refused}");
                chance.refused("swap", &refused);
            }
        }
    }

    /// Deposits and withdrawals have no counterpart in the engine: its reserves follow.
    fn liquidity(&mut self, chance: &mut Chance) {
        let room = self.ours.reserves().map(|reserve| (1_u128 << 112) - 1 - reserve);
        let amounts = [0, 1].map(|i| chance.part_of(self.ours.reserves()[i].max(1000)).min(U256::from(room[i])));
        if chance.one_in(2) {
            match self.pair.mint(&mut self.evm, amounts) {
                Ok(shares) => self.shares += shares,
                Err(_) => self.pair.skim(&mut self.evm),
            }
        } else if !self.shares.is_zero() {
            let shares = chance.part_of(self.shares.saturating_to()).min(self.shares);
            if self.pair.burn(&mut self.evm, shares).is_ok() {
                self.shares -= shares;
            }
        }
        self.ours = self.ours.with_reserves(self.pair.state(&self.evm).reserves).unwrap();
    }

    fn reserves(&mut self, chance: &mut Chance) {
        let reserves = [chance.native(112), chance.native(112)];
        self.pair.set_reserves(&mut self.evm, reserves);
        self.ours = self.ours.with_reserves(reserves).unwrap();
    }

    fn step(&mut self, chance: &mut Chance) {
        self.evm.advance(chance.below(100));
        let token_in = usize::from(chance.one_in(2));
        match chance.below(20) {
            0..9 => {
                let amount = chance.part_of(self.ours.reserves()[token_in]);
                self.exact_in(chance, token_in, amount);
            }
            9..17 => {
                let amount = chance.part_of(self.ours.reserves()[1 - token_in]);
                self.exact_out(chance, token_in, amount);
            }
            17..19 => self.liquidity(chance),
            _ => self.reserves(chance),
        }
        assert_eq!(self.ours.reserves(), self.pair.state(&self.evm).reserves);
    }
}

/// What the pair says to one unit more than a swap may take.
fn refusal_of_one_more(before: &UniswapV2, token_in: usize, amount_out: U256) -> &'static str {
    if amount_out >= U256::from(before.reserves()[1 - token_in]) { "INSUFFICIENT_LIQUIDITY" } else { "K" }
}

/// What an input would buy if the pair could store it, by the router's formula.
fn bought(before: &UniswapV2, token_in: usize, amount_in: U256) -> U256 {
    let [reserve_in, reserve_out] = [token_in, 1 - token_in].map(|token| U256::from(before.reserves()[token]));
    let (fee, denominator) = before.fee(token_in);
    let paid = amount_in * U256::from(denominator - fee);
    let whole = reserve_in * U256::from(denominator) + paid;
    (paid * reserve_out).checked_div(whole).unwrap_or_default()
}

/// Whether our error and the contract's refusal have the same cause.
fn matches(ours: &AmmError, theirs: &Revert) -> bool {
    let reason = theirs.reason().rsplit(": ").next().unwrap_or_default();
    match ours {
        AmmError::ZeroAmount => reason.starts_with("INSUFFICIENT_"),
        AmmError::NoLiquidity(_) => matches!(reason, "INSUFFICIENT_LIQUIDITY" | "INSUFFICIENT_OUTPUT_AMOUNT"),
        AmmError::InsufficientReserve { .. } => reason == "INSUFFICIENT_LIQUIDITY",
        AmmError::ReserveOverflow { .. } => {
            matches!(reason, "OVERFLOW" | "ds-math-mul-overflow" | "INSUFFICIENT_OUTPUT_AMOUNT")
        }
        _ => false,
    }
}

fn fuzz(fork: PairFork, name: &str) {
    fuzz::run(name, REGRESSIONS, |chance, operations| {
        let mut bench = Bench::new(fork, chance);
        for _ in 0..operations {
            bench.step(chance);
        }
    });
}

#[test]
fn dust_that_buys_nothing_is_quoted_and_refused() {
    let mut evm = Evm::new();
    let pair = Pair::deploy(&mut evm, PairFork::Uniswap);
    pair.set_reserves(&mut evm, [1_000_000, 1_000]);
    let mut ours = UniswapV2::new([1_000_000, 1_000], 3, 1000).unwrap();
    let amount = U256::from(999);
    assert_eq!(ours.quote_exact_in(0, 1, amount, &Context::default()).unwrap().amount_out, U256::ZERO);
    assert_eq!(ours.swap_exact_in(0, 1, amount, &Context::default()), Err(AmmError::ZeroAmount));
    let refused = pair.swap(&mut evm, [amount, U256::ZERO], [U256::ZERO; 2]).unwrap_err();
    assert_eq!(refused.reason(), "UniswapV2: INSUFFICIENT_OUTPUT_AMOUNT");
}

#[test]
fn the_bytecode_is_the_deployed_one() {
    let hash = |fork: PairFork| format!("{:#x}", fork.init_code_hash());
    let uniswap = "0x96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f";
    assert_eq!(hash(PairFork::Uniswap), uniswap);
    assert!(hash(PairFork::Pancake).starts_with("0xc5950761"), "{}", hash(PairFork::Pancake));
}

#[test]
fn uniswap_v2_equals_its_contract() {
    fuzz(PairFork::Uniswap, "uniswap-v2");
}

#[test]
fn pancake_v2_equals_its_contract() {
    fuzz(PairFork::Pancake, "pancake-v2");
}
