//! What a validator says each miner is worth (R8).

use std::collections::BTreeMap;

use assay_amm::U512;

/// All weights sum to this.
pub const TOTAL_WEIGHT: u16 = 65_535;

/// Who gets the weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// Weight by miner, zero left out.
    pub by_miner: BTreeMap<String, u16>,
    /// What slot 0 gets: everything when nobody is eligible, otherwise nothing.
    pub burnt: u16,
}

/// Weights from the top eligible miner of each job and its combined score (1e-18): scores
/// of a miner are summed over jobs, those at or below zero left out, and the largest
/// remainders (then the lower key) get what flooring leaves.
#[must_use]
pub fn weights(top: &[(String, i128)]) -> Weights {
    let mut sums = BTreeMap::<&str, U512>::new();
    for (miner, score) in top.iter().filter(|(_, score)| *score > 0) {
        *sums.entry(miner).or_default() += U512::from(score.unsigned_abs());
    }
    let total: U512 = sums.values().fold(U512::ZERO, |total, sum| total + *sum);
    if total.is_zero() {
        return Weights { by_miner: BTreeMap::new(), burnt: TOTAL_WEIGHT };
    }
    let mut shares: Vec<(&str, u16, U512)> = sums
        .iter()
        .map(|(miner, sum)| {
            let scaled = *sum * U512::from(TOTAL_WEIGHT);
            (*miner, u16::try_from(scaled / total).expect("a part of 65,535"), scaled % total)
        })
        .collect();
    let given: u32 = shares.iter().map(|(_, weight, _)| u32::from(*weight)).sum();
    shares.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(b.0)));
    for share in shares.iter_mut().take((u32::from(TOTAL_WEIGHT) - given) as usize) {
        share.1 += 1;
    }
    let by_miner = shares.into_iter().filter(|share| share.1 > 0).map(|(miner, weight, _)| (miner.to_owned(), weight));
    Weights { by_miner: by_miner.collect(), burnt: 0 }
}

/// One weight per miner from several validators: for each miner the largest weight that
/// validators with more than half of the stake give it, at least; normalised to the total
/// by [`weights`].
#[must_use]
pub fn stake_weighted_median(validators: &[(u128, BTreeMap<String, u16>)]) -> Weights {
    let miners: std::collections::BTreeSet<&String> =
        validators.iter().flat_map(|(_, weights)| weights.keys()).collect();
    let total: u128 = validators.iter().fold(0, |sum, (stake, _)| sum.saturating_add(*stake));
    let median = |miner: &String| {
        let mut given: Vec<(u16, u128)> =
            validators.iter().map(|(stake, weights)| (weights.get(miner).copied().unwrap_or(0), *stake)).collect();
        given.sort_unstable_by(|a, b| b.cmp(a));
        let mut reached = 0_u128;
        for (weight, stake) in given {
            reached = reached.saturating_add(stake);
            if reached > total / 2 {
                return weight;
            }
        }
        0
    };
    let medians: Vec<(String, i128)> = miners.into_iter().map(|miner| (miner.clone(), median(miner).into())).collect();
    weights(&medians)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, i128)]) -> Weights {
        weights(&pairs.iter().map(|(miner, score)| ((*miner).to_owned(), *score)).collect::<Vec<_>>())
    }

    #[test]
    fn remainders_go_to_the_largest_then_the_lower_key() {
        let thirds = of(&[("c", 1), ("a", 1), ("b", 1)]);
        assert_eq!(thirds.by_miner.values().map(|weight| u32::from(*weight)).sum::<u32>(), 65_535);
        assert_eq!(thirds.by_miner["a"], 21_845);
        let sevenths = of(&[("a", 1), ("b", 2), ("c", 4)]);
        // 9362.14, 18724.28 and 37448.57: one unit is left, the largest remainder is c's.
        assert_eq!(sevenths.by_miner.values().copied().collect::<Vec<_>>(), [9_362, 18_724, 37_449]);
        let halves = of(&[("b", 5), ("a", 5)]);
        assert_eq!((halves.by_miner["a"], halves.by_miner["b"]), (32_768, 32_767));
    }

    #[test]
    fn losers_get_nothing_and_nobody_means_slot_zero() {
        let mixed = of(&[("a", -5), ("b", 3), ("a", 3)]);
        assert_eq!(mixed.by_miner["a"] + mixed.by_miner["b"], 65_535);
        assert_eq!(of(&[("a", 0), ("b", -1)]), Weights { by_miner: BTreeMap::new(), burnt: 65_535 });
    }

    #[test]
    fn a_minority_of_stake_moves_no_median() {
        let one = |stake: u128, pairs: &[(&str, u16)]| {
            (stake, pairs.iter().map(|(miner, weight)| ((*miner).to_owned(), *weight)).collect::<BTreeMap<_, _>>())
        };
        let honest = [one(30, &[("a", 65_535)]), one(30, &[("a", 65_535)]), one(40, &[("evil", 65_535)])];
        assert_eq!(stake_weighted_median(&honest).by_miner.keys().collect::<Vec<_>>(), ["a"]);
    }
}
