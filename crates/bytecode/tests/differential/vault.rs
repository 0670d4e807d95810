//! Balancer V2: weighted, stable, meta-stable and composable stable pools behind the Vault.

use assay_amm::kind::balancer::fixed_point::PowVersion;
use assay_amm::kind::balancer::pool_token::{PoolTokenState, TokenRate};
use assay_amm::kind::balancer::stable_math::InvariantVersion;
use assay_amm::kind::balancer_stable::{Amplification, PoolToken};
use assay_amm::kind::balancer_weighted::scaling_factor;
use assay_amm::kind::{BalancerStable, BalancerWeighted};
use assay_amm::{AmmError, Context, Pool, Quote};
use assay_bytecode::{Evm, Revert, Snapshot, U256, VaultPool, VaultPoolKind as Kind, VaultPoolSettings as Settings};

use crate::fuzz::{self, Chance};

/// Seeds of past failures.
const REGRESSIONS: &[u64] = &[];

const ONE: u64 = 1_000_000_000_000_000_000;
const DAY: u64 = 86_400;

struct Bench {
    evm: Evm,
    theirs: VaultPool,
    kind: Kind,
    settings: Settings,
    amplification: Amplification,
    ours: Pool,
    /// The pool after its first deposit.
    fresh: Snapshot,
}

fn settings(kind: Kind, chance: &mut Chance) -> Settings {
    let most = match kind {
        Kind::FirstWeighted | Kind::Weighted => 8,
        Kind::MetaStable => 2,
        _ => 5,
    };
    let count = 2 + chance.index(most - 1);
    let most_amplified = chance.pick(&[5, 100, 4999]);
    let rated = kind == Kind::MetaStable || composable(kind);
    Settings {
        decimals: (0..count).map(|_| chance.pick(&[18, 18, 6, 8, 0])).collect(),
        weights: weights(chance, count),
        amplification: 1 + chance.below(most_amplified),
        rates: if rated { (0..count).map(|_| rate(chance)).collect() } else { Vec::new() },
        exempt: (0..count).map(|_| chance.one_in(3)).collect(),
        // From a ten-thousandth of a percent to ten percent.
        fee: U256::from(match chance.below(4) {
            0 => 1_000_000_000_000,
            1 => 100_000_000_000_000_000,
            _ => 1_000_000_000_000 + chance.below(100_000_000_000_000_000 - 1_000_000_000_000),
        }),
    }
}

fn composable(kind: Kind) -> bool {
    matches!(kind, Kind::FirstComposableStable | Kind::SecondComposableStable | Kind::ComposableStable)
}

fn rate(chance: &mut Chance) -> U256 {
    U256::from(if chance.one_in(3) { ONE } else { ONE / 2 + chance.below(ONE * 2) })
}

/// Weights of at least one percent that sum to one, round ones half of the time.
fn weights(chance: &mut Chance, count: usize) -> Vec<U256> {
    let unit = if chance.one_in(2) { ONE / 20 } else { 1 };
    let mut rest = ONE;
    let mut weights = Vec::new();
    for left in (1..count as u64).rev() {
        let low = (ONE / 100).next_multiple_of(unit);
        let room = rest - low * (left + 1);
        let weight = low + chance.below(room / unit + 1) * unit;
        weights.push(U256::from(weight));
        rest -= weight;
    }
    weights.push(U256::from(rest));
    weights
}

impl Bench {
    fn new(kind: Kind, chance: &mut Chance) -> Self {
        let half = ONE / 2;
        loop {
            let mut evm = Evm::new();
            let settings = settings(kind, chance);
            let protocol = [0, 1].map(|_| U256::from(if chance.one_in(3) { 0 } else { chance.below(half + 1) }));
            let theirs = VaultPool::deploy(&mut evm, kind, &settings, protocol).unwrap();
            let size = 10 + chance.index(30);
            let spread = if chance.one_in(4) { 16 } else { 3 };
            let amounts = settings.decimals.iter().map(|_| (chance.wide(spread) * chance.wide(4)) << size);
            let amounts: Vec<_> = amounts.collect();
            let scaled = scale(&mut evm, &theirs, &amounts);
            // Some first deposits are too small or too skewed for the pool.
            if theirs.initialize(&mut evm, &scaled).is_err() {
                continue;
            }
            let amplification = Amplification::steady(settings.amplification * 1000);
            let ours = read(&mut evm, &theirs, kind, &settings, amplification);
            let fresh = evm.snapshot();
            return Self { evm, theirs, kind, settings, amplification, ours, fresh };
        }
    }

    fn swap(&mut self, chance: &mut Chance) {
        let count = self.theirs.tokens.len();
        let token_in = chance.index(count);
        let token_out = (token_in + 1 + chance.index(count - 1)) % count;
        if self.kind == Kind::FirstComposableStable && [token_in, token_out].contains(&self.theirs.own.unwrap()) {
            // The first version mints the protocol's part of joins by a formula that the engine has not.
            return;
        }
        let exact_in = chance.one_in(2);
        let balances = self.theirs.balances(&mut self.evm);
        let own = self.theirs.own;
        // Nearly all pool tokens that ever can be lie in the Vault: what circulates is the measure.
        let held = self.theirs.own_held(&mut self.evm);
        let size = |token: usize| if own == Some(token) { held.saturating_to() } else { balances[token] };
        let size = if exact_in { size(token_in) } else { size(token_out) };
        let amount = chance.part_of(size) >> chance.below(3);
        let before = self.ours.clone();
        let context = Context::at(self.evm.timestamp());
        let (quoted, ours) = if exact_in {
            let quoted = self.ours.quote_exact_in(token_in, token_out, amount, &context);
            (quoted, self.ours.swap_exact_in(token_in, token_out, amount, &context))
        } else {
            let quoted = self.ours.quote_exact_out(token_in, token_out, amount, &context);
            (quoted, self.ours.swap_exact_out(token_in, token_out, amount, &context))
        };
        assert_eq!(quoted, ours, "quote and swap differ");
        let theirs = self.theirs.swap(&mut self.evm, exact_in, token_in, token_out, amount);
        let name = match (own, exact_in) {
            (Some(own), true) if own == token_in || own == token_out => "exact in against the pool token",
            (Some(own), false) if own == token_in || own == token_out => "exact out against the pool token",
            (_, true) => "exact in",
            (_, false) => "exact out",
        };
        let other = |quote: &Quote| if exact_in { quote.amount_out } else { quote.amount_in };
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(
                    other(&ours),
                    theirs,
                    "amounts of {token_in} to {token_out}, {amount}, exact in: {exact_in}"
                );
                chance.done(name);
            }
            (Err(ours), Err(theirs)) => {
                assert!(matches(&ours, &theirs), "ours {ours:?}, theirs {theirs}");
                chance.refused(name, &theirs);
            }
            // The owner has fewer pool tokens than there are: the protocol has some.
            (Ok(_), Err(theirs)) if own == Some(token_in) && theirs.reason() == "BAL#416" => self.ours = before,
            (ours, theirs) => panic!(
                "{token_in} to {token_out}, {amount}, exact in: {exact_in}: ours {ours:?}, theirs {theirs:?}; {:?}",
                self.ours
            ),
        }
    }

    /// What has no counterpart in the engine: its state is read anew.
    fn disturb(&mut self, chance: &mut Chance) {
        match chance.below(4) {
            0 => {
                let amounts: Vec<_> = self.settings.decimals.iter().map(|_| chance.wide(30)).collect();
                // A refused deposit changes nothing.
                let _ = self.theirs.deposit(&mut self.evm, &amounts);
            }
            1 if !self.settings.rates.is_empty() => {
                let token = chance.index(self.theirs.tokens.len());
                if self.theirs.own != Some(token) {
                    self.theirs.set_rate(&mut self.evm, token, rate(chance)).unwrap();
                }
            }
            2 if !matches!(self.kind, Kind::FirstWeighted | Kind::Weighted) => self.ramp(chance),
            _ => {
                self.evm.restore(&self.fresh);
                self.amplification = Amplification::steady(self.settings.amplification * 1000);
            }
        }
        self.ours = read(&mut self.evm, &self.theirs, self.kind, &self.settings, self.amplification);
    }

    fn ramp(&mut self, chance: &mut Chance) {
        let now = self.evm.timestamp();
        let start = self.amplification.at(now).unwrap();
        let end = (start / 1000 * (1 + chance.below(2)) / (1 + chance.below(2))).clamp(1, 5000);
        let end_time = now + DAY + chance.below(3 * DAY);
        if self.theirs.move_amplification(&mut self.evm, end, end_time).is_ok() {
            self.amplification = Amplification { start, end: end * 1000, start_time: now, end_time };
        }
    }

    fn step(&mut self, chance: &mut Chance) {
        let pause = if chance.one_in(8) { DAY } else { 100 };
        self.evm.advance(chance.below(pause));
        let before = self.ours.clone();
        let refused = chance.refusals();
        if chance.one_in(10) {
            self.disturb(chance);
        } else {
            self.swap(chance);
            assert!(chance.refusals() == refused || self.ours == before, "a refused swap moved the state");
        }
        let theirs = read(&mut self.evm, &self.theirs, self.kind, &self.settings, self.amplification);
        assert_eq!(self.ours, theirs, "state");
    }
}

/// Amounts of 18 decimals, or at least one unit, in the units of the pool's tokens.
fn scale(evm: &mut Evm, pool: &VaultPool, amounts: &[U256]) -> Vec<U256> {
    let mut decimals = pool.decimals(evm);
    if let Some(own) = pool.own {
        decimals.remove(own);
    }
    let units = decimals.iter().map(|decimals| U256::from(10).pow(U256::from(*decimals)));
    let most = U256::MAX >> 145;
    amounts.iter().zip(units).map(|(amount, unit)| (*amount * unit / U256::from(1000)).min(most)).collect()
}

/// The pool as the contracts say it is.
fn read(evm: &mut Evm, theirs: &VaultPool, kind: Kind, settings: &Settings, amplification: Amplification) -> Pool {
    let balances = theirs.balances(evm);
    let fee = settings.fee;
    match kind {
        Kind::FirstWeighted | Kind::Weighted => {
            let version = if kind == Kind::Weighted { PowVersion::Shortcuts } else { PowVersion::LogExp };
            let decimals = theirs.decimals(evm);
            let pool = BalancerWeighted::new(balances, settings.weights.clone(), &decimals, fee, version);
            Pool::BalancerWeighted(pool.unwrap())
        }
        Kind::FirstStable | Kind::Stable | Kind::MetaStable => {
            let factors = match kind {
                Kind::MetaStable => theirs.scaling_factors(evm),
                _ => theirs.decimals(evm).into_iter().map(|decimals| scaling_factor(decimals).unwrap()).collect(),
            };
            let version =
                if kind == Kind::Stable { InvariantVersion::Truncating } else { InvariantVersion::RoundingUp };
            Pool::BalancerStable(BalancerStable::new(balances, factors, amplification, fee, version).unwrap())
        }
        Kind::FirstComposableStable | Kind::SecondComposableStable | Kind::ComposableStable => {
            let factors = theirs.scaling_factors(evm);
            let data = theirs.pool_token(evm).unwrap();
            let rates =
                data.rates.iter().map(|rate| TokenRate { current: rate.rate, old: rate.old, exempt: rate.exempt });
            let state = PoolTokenState {
                total_supply: data.total_supply,
                last_amplification: data.last_amplification,
                last_invariant: data.last_invariant,
                protocol_swap_fee: data.protocol_swap_fee,
                protocol_yield_fee: data.protocol_yield_fee,
                rates: rates.collect(),
            };
            let own = PoolToken { index: theirs.own.unwrap(), state: Some(state) };
            let version = InvariantVersion::Truncating;
            let pool = BalancerStable::composable(balances, factors, amplification, fee, version, own);
            Pool::BalancerStable(pool.unwrap())
        }
    }
}

/// Whether our error and the contract's refusal have the same cause.
fn matches(ours: &AmmError, theirs: &Revert) -> bool {
    let code = theirs.reason().trim_start_matches("BAL#");
    match ours {
        // Unknown amount in the first swap.
        AmmError::ZeroAmount => code == "510",
        // The largest part of a balance to pay in and to take out.
        AmmError::Limit { .. } => matches!(code, "304" | "305" | "006" | "007" | "008" | "009"),
        // Sums, differences and products beyond 256 bits, division by zero.
        AmmError::Overflow { .. } | AmmError::Underflow { .. } | AmmError::State(_) | AmmError::NoLiquidity(_) => {
            matches!(code, "000" | "001" | "003" | "004" | "006" | "007" | "008")
        }
        AmmError::InsufficientReserve { .. } => matches!(code, "001" | "305" | "528" | "515"),
        AmmError::ReserveOverflow { .. } => matches!(code, "526"),
        AmmError::NoConvergence { .. } => matches!(code, "321" | "322"),
        _ => false,
    }
}

fn fuzz(kind: Kind, name: &str) {
    fuzz::run(name, REGRESSIONS, |chance, operations| {
        let mut bench = Bench::new(kind, chance);
        for _ in 0..operations {
            bench.step(chance);
        }
    });
}

#[test]
fn first_balancer_weighted_equals_its_contract() {
    fuzz(Kind::FirstWeighted, "balancer-weighted (first)");
}

#[test]
fn balancer_weighted_equals_its_contract() {
    fuzz(Kind::Weighted, "balancer-weighted");
}

#[test]
fn first_balancer_stable_equals_its_contract() {
    fuzz(Kind::FirstStable, "balancer-stable (first)");
}

#[test]
fn balancer_stable_equals_its_contract() {
    fuzz(Kind::Stable, "balancer-stable");
}

#[test]
fn balancer_meta_stable_equals_its_contract() {
    fuzz(Kind::MetaStable, "balancer-stable (meta)");
}

#[test]
fn balancer_composable_stable_equals_its_contract() {
    fuzz(Kind::ComposableStable, "balancer-composable-stable");
}

#[test]
fn first_balancer_composable_stable_equals_its_contract() {
    fuzz(Kind::FirstComposableStable, "balancer-composable-stable (first)");
}

#[test]
fn second_balancer_composable_stable_equals_its_contract() {
    fuzz(Kind::SecondComposableStable, "balancer-composable-stable (second)");
}
