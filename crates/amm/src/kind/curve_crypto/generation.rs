//! The generations of CryptoSwap contracts.

use ruint::aliases::U256;

use crate::kind::Proof;

/// Which contract a pool follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CryptoGeneration {
    /// Three coins, the first tricrypto of May 2021: A with two decimals, D never worked
    /// out anew in quotes.
    FirstTricrypto,
    /// Three coins, from July 2021 (tricrypto2): A with four decimals.
    Tricrypto,
    /// Two coins: the direct pools of 2021 and 2022 and the factory's.
    Pair,
    /// Two coins, the contract of June 2022 (EUROC), whose derivative divides a sum where
    /// the others divide its last term.
    EurocPair,
}

/// What tells one generation from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Units of A in one (`A_MULTIPLIER`).
    pub a_unit: u64,
    /// Smallest and largest A · nⁿ, in those units.
    pub a_range: [u64; 2],
    pub gamma_range: [u64; 2],
    /// The derivative divides `1 + 2·K0` as a whole.
    pub divides_sum: bool,
    /// Quotes work D out anew once a ramp of A or gamma has ever begun.
    pub fresh_d: bool,
}

impl CryptoGeneration {
    /// Every generation.
    pub const ALL: [Self; 4] = [Self::FirstTricrypto, Self::Tricrypto, Self::Pair, Self::EurocPair];

    /// The name in state files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstTricrypto => "first-tricrypto",
            Self::Tricrypto => "tricrypto",
            Self::Pair => "pair",
            Self::EurocPair => "euroc-pair",
        }
    }

    /// Whether recorded answers of such a contract exist: of the first tricrypto.
    #[must_use]
    pub fn proof(self) -> Proof {
        if self == Self::FirstTricrypto { Proof::Contract } else { Proof::Unproven }
    }

    /// Two or three.
    #[must_use]
    pub fn token_count(self) -> usize {
        match self {
            Self::FirstTricrypto | Self::Tricrypto => 3,
            Self::Pair | Self::EurocPair => 2,
        }
    }

    pub(super) const fn rules(self) -> Rules {
        let pair = Rules {
            a_unit: 10_000,
            a_range: [4_000, 4_000_000_000],
            gamma_range: [10_000_000_000, 20_000_000_000_000_000],
            divides_sum: false,
            fresh_d: true,
        };
        match self {
            Self::FirstTricrypto => Rules {
                a_unit: 100,
                a_range: [2_700, 27_000_000],
                gamma_range: [10_000_000_000, 10_000_000_000_000_000],
                fresh_d: false,
                ..pair
            },
            Self::Tricrypto => {
                Rules { a_range: [2_700, 270_000_000], gamma_range: [10_000_000_000, 50_000_000_000_000_000], ..pair }
            }
            Self::Pair => pair,
            Self::EurocPair => Rules { divides_sum: true, ..pair },
        }
    }
}

impl Rules {
    /// Whether the contract's maths accept A · nⁿ and gamma.
    pub(super) fn accept(&self, ann: U256, gamma: U256) -> bool {
        let within = |value: U256, range: [u64; 2]| value >= U256::from(range[0]) && value <= U256::from(range[1]);
        within(ann, self.a_range) && within(gamma, self.gamma_range)
    }
}
