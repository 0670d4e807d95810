//! The generations of StableSwap contracts: one invariant, many roundings.

use crate::kind::Proof;

/// Which contract's rounding a pool follows.
///
/// Found by reading the sources of the deployed pools and templates in
/// `curvefi/curve-contract`, `curvefi/curve-factory` and `curvefi/stableswap-ng`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// 3pool, ren, sbtc, hbtc: A without decimals; a quote takes its fee from the converted
    /// output.
    ThreePool,
    /// Compound, USDT, y, BUSD, sUSD: as above without the unit of safety, and with
    /// balances written back from the invariant.
    Compound,
    /// PAX: quotes as 3pool, swaps as Compound.
    Pax,
    /// Aave and sAAVE: A with two decimals, a fee that grows off the peg.
    Aave,
    /// The lending template of later Aave pools: as Aave, dividing as the other templates do.
    AaveTemplate,
    /// aETH and rETH: quotes without the unit of safety, swaps with it.
    StakedRate,
    /// The yearn template: fee before conversion, balances written back from the invariant.
    Yearn,
    /// stETH: as the template, with one added to every divisor of the invariant.
    StakedEther,
    /// The base, meta and lending templates from 2020 on (A with two decimals), Iron Bank,
    /// and the factory's pools of three and four.
    Template,
    /// The factory's pools of two, which divide by all balances and then by nⁿ.
    FactoryPair,
    /// StableSwap-NG: as the factory's pairs for any number of coins, with a fee that grows
    /// off the peg.
    NextGeneration,
}

/// How the product term of the invariant is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// By n · x for every coin.
    EachCoin,
    /// By n · x + 1 for every coin.
    EachCoinPlusOne,
    /// By every x, then by nⁿ.
    AllThenPower,
}

/// What tells one generation from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Units of A in one (`A_PRECISION`).
    pub a_unit: u64,
    pub product: Product,
    /// A quote gives one unit less than the invariant allows.
    pub unit_off_quote: bool,
    /// A swap gives one unit less than the invariant allows.
    pub unit_off_swap: bool,
    /// A quote takes the fee from the output in token units instead of common units.
    pub fee_after_conversion: bool,
    /// A swap writes both balances back from the invariant instead of moving them by amounts.
    pub balances_from_invariant: bool,
    /// 255 rounds without rest revert instead of ending.
    pub strict: bool,
    /// A quote reads A without its decimals (the view contract of NG).
    pub coarse_a_quote: bool,
}

impl Generation {
    /// Every generation.
    pub const ALL: [Self; 11] = [
        Self::ThreePool,
        Self::Compound,
        Self::Pax,
        Self::Aave,
        Self::AaveTemplate,
        Self::StakedRate,
        Self::Yearn,
        Self::StakedEther,
        Self::Template,
        Self::FactoryPair,
        Self::NextGeneration,
    ];

    /// The name in state files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ThreePool => "three-pool",
            Self::Compound => "compound",
            Self::Pax => "pax",
            Self::Aave => "aave",
            Self::AaveTemplate => "aave-template",
            Self::StakedRate => "staked-rate",
            Self::Yearn => "yearn",
            Self::StakedEther => "staked-ether",
            Self::Template => "template",
            Self::FactoryPair => "factory-pair",
            Self::NextGeneration => "next-generation",
        }
    }

    /// Whether recorded answers of such a contract exist: of 3pool, and of a meta pool that
    /// follows the template.
    #[must_use]
    pub fn proof(self) -> Proof {
        if matches!(self, Self::ThreePool | Self::Template) { Proof::Contract } else { Proof::Unproven }
    }

    /// Units of A in one (`A_PRECISION`): what [`super::Amplification`] counts in.
    #[must_use]
    pub fn a_unit(self) -> u64 {
        self.rules().a_unit
    }

    /// Whether the fee grows when the pool is off its peg (`offpeg_fee_multiplier`).
    #[must_use]
    pub fn has_dynamic_fee(self) -> bool {
        matches!(self, Self::Aave | Self::AaveTemplate | Self::NextGeneration)
    }

    #[inline]
    pub(super) const fn rules(self) -> Rules {
        let template = Rules {
            a_unit: 100,
            product: Product::EachCoin,
            unit_off_quote: true,
            unit_off_swap: true,
            fee_after_conversion: false,
            balances_from_invariant: false,
            strict: true,
            coarse_a_quote: false,
        };
        match self {
            Self::ThreePool => Rules { a_unit: 1, fee_after_conversion: true, strict: false, ..template },
            Self::Compound => Rules {
                a_unit: 1,
                product: Product::EachCoinPlusOne,
                unit_off_quote: false,
                unit_off_swap: false,
                fee_after_conversion: true,
                balances_from_invariant: true,
                strict: false,
                ..template
            },
            Self::Pax => Rules {
                a_unit: 1,
                unit_off_swap: false,
                fee_after_conversion: true,
                balances_from_invariant: true,
                strict: false,
                ..template
            },
            Self::Aave => Rules {
                product: Product::EachCoinPlusOne,
                unit_off_quote: false,
                unit_off_swap: false,
                fee_after_conversion: true,
                ..template
            },
            Self::AaveTemplate => {
                Rules { unit_off_quote: false, unit_off_swap: false, fee_after_conversion: true, ..template }
            }
            Self::StakedRate => Rules { unit_off_quote: false, balances_from_invariant: true, ..template },
            Self::Yearn => Rules { balances_from_invariant: true, ..template },
            Self::StakedEther => Rules { product: Product::EachCoinPlusOne, ..template },
            Self::Template => template,
            Self::FactoryPair => Rules { product: Product::AllThenPower, ..template },
            Self::NextGeneration => Rules { product: Product::AllThenPower, coarse_a_quote: true, ..template },
        }
    }
}
