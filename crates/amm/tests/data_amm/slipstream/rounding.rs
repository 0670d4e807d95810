//! Why the staked files differ from the contract, as rules that every difference must obey.

use num_bigint::BigInt;

use super::matrix::Staking;
use super::{Deviation, build, fields, run};
use crate::oracle::{self, Prices, big, power};

/// The bounds of what separates a staked file from the contract. The file's authors took the
/// numbers of the unstaked file and divided the fee of the whole swap once; the contract
/// rounds at every step, and its position manager mints a slightly different liquidity.
pub struct Rounding {
    pub staking: Staking,
    /// Units the gauge can gain per step: the fee is rounded up, then its staked part, then
    /// the levy on the rest.
    pub gauge_per_step: (i32, i32),
    /// Units the unstaked liquidity can gain per step: its part of the fee's rounding.
    pub growth_per_step: (i32, i32),
}

impl Rounding {
    /// Fails unless the deviation follows from the rounding, and is within the tolerance.
    pub fn explain(&self, prices: &Prices, deviation: &Deviation) {
        let Deviation { setup, swap, pools, outcome, field, recorded, ours } = *deviation;
        let name = format!("{} {} {field}", setup.name, swap.name);
        let off = recorded - ours;
        let steps = big(outcome.steps);
        let of = |ratio: (i32, i32)| -> BigInt { oracle::div_up(&(&steps * ratio.0), &big(ratio.1)) + 1 };
        match field {
            // The file keeps the single mint's and the nominal liquidity's value.
            "amount0Before" | "amount1Before" | "poolPriceAfterX96" => {
                let nominal = build(setup, prices, Staking::Nothing);
                let (nominal_outcome, _) = run(setup, &nominal, swap, prices).unwrap();
                assert_eq!(*recorded, fields(&nominal, swap, &nominal_outcome)[field], "{name}");
                assert!(off.magnitude() <= &1u8.into(), "{name}: {off}");
            }
            "gaugeFeesToken0" | "gaugeFeesToken1" => {
                assert!(off <= big(1) && off >= -of(self.gauge_per_step), "{name}: {off} in {steps} steps");
                assert!(off.magnitude() <= &57u8.into(), "{name}: {off}");
            }
            // An input too small to move the price is all fee; the file writes no growth for it.
            "feeGrowthGlobal0X128Delta" | "feeGrowthGlobal1X128Delta" if *recorded == big(0) => {
                assert_eq!((&outcome.price, &outcome.fees), (&pools.oracle.price, &big(1000)), "{name}");
            }
            "feeGrowthGlobal0X128Delta" | "feeGrowthGlobal1X128Delta" => {
                let positions = setup.positions(prices, self.staking);
                let unstaked =
                    positions.iter().filter(|position| !position.2).map(|position| &position.1).min().unwrap();
                let nominal: BigInt = big(setup.nominal()) / 2;
                let difference: BigInt = unstaked - &nominal;
                // A liquidity that is off by a part earns growth off by the same part.
                let shifted = ours * BigInt::from(difference.magnitude().clone()) / &nominal + 1;
                let unit: BigInt = (power(128) / unstaked) + 1;
                let low: BigInt = -(of(self.growth_per_step) * &unit) - &shifted;
                let high = (&steps * 2 + 1) * &unit + &shifted;
                assert!(low <= off && off <= high, "{name}: {off} in {steps} steps, not in {low} … {high}");
                assert!(off.magnitude() <= &8_171_200_476_872_495_323_171_u128.into(), "{name}: {off}");
            }
            other => panic!("{name}: {other} must be exact: recorded {recorded}, ours {ours}"),
        }
    }
}

/// The rule that explains a field's differences, for the table.
pub fn rule(field: &str) -> &'static str {
    match field {
        "amount0Before" | "amount1Before" => "the file mints once: two mints round up twice",
        "poolPriceAfterX96" => "the file has the nominal liquidity, not what the position manager mints",
        "gaugeFeesToken0" | "gaugeFeesToken1" => "the file rounds once a swap, the contract up at every step",
        _ => "the file rounds once a swap, the contract down at every step and over the minted liquidity",
    }
}
