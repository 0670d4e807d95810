//! Random decisions: a rule of its own, and a shadow of another policy that trades as
//! often at other times.

use assay_types::Target;

use crate::random::Random;

const TARGETS: [Target; 3] = [Target::Long, Target::Flat, Target::Short];

#[derive(Debug, Clone)]
pub(super) struct RandomDecider {
    random: Random,
    hold: u64,
    current: Option<usize>,
}

impl RandomDecider {
    pub const fn new(hold: u64, seed: u64) -> Self {
        Self { random: Random::new(seed), hold, current: None }
    }

    pub fn decide(&mut self) -> Target {
        let next = match self.current {
            None => self.random.below(3) as usize,
            Some(current) if self.random.below(self.hold) == 0 => (current + 1 + self.random.below(2) as usize) % 3,
            Some(current) => current,
        };
        self.current = Some(next);
        TARGETS[next]
    }
}

/// A random policy with the same turnover as `targets`: the same targets in the same
/// order, held for lengths that are shuffled among the runs of the same target. It
/// trades as often and is long, flat and short for as many closes, at random times.
#[must_use]
pub fn random_like(targets: &[Target], seed: u64) -> Vec<Target> {
    let mut random = Random::new(seed);
    let runs: Vec<(Target, usize)> = targets.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    let mut lengths = TARGETS.map(|target| {
        let mut own: Vec<usize> = runs.iter().filter(|run| run.0 == target).map(|run| run.1).collect();
        random.shuffle(&mut own);
        own
    });
    let mut shadow = Vec::with_capacity(targets.len());
    for (target, _) in runs {
        let own = &mut lengths[TARGETS.iter().position(|&other| other == target).expect("every target is listed")];
        let length = own.pop().expect("one length for each run");
        shadow.extend(std::iter::repeat_n(target, length));
    }
    shadow
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_shadow_has_the_same_turnover_and_exposure(choices in prop::collection::vec(0..3_usize, 0..200), seed in any::<u64>()) {
            let targets: Vec<Target> = choices.iter().map(|&choice| TARGETS[choice]).collect();
            let shadow = random_like(&targets, seed);
            for target in TARGETS {
                let count = |all: &[Target]| all.iter().filter(|&&other| other == target).count();
                prop_assert_eq!(count(&shadow), count(&targets));
            }
            let runs = |all: &[Target]| all.chunk_by(|a, b| a == b).map(|run| run[0]).collect::<Vec<_>>();
            prop_assert_eq!(runs(&shadow), runs(&targets));
        }
    }

    #[test]
    fn a_seed_is_one_policy_and_the_mean_hold_is_kept() {
        let decide = |seed| {
            let mut decider = RandomDecider::new(10, seed);
            (0..20_000).map(|_| decider.decide()).collect::<Vec<_>>()
        };
        assert_eq!(decide(3), decide(3));
        assert_ne!(decide(3), decide(4));
        let runs = decide(3).chunk_by(|a, b| a == b).count();
        assert!((1_850..2_150).contains(&runs), "{runs}");
    }
}
