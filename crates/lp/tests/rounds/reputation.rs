//! Averages, days and the right to go live.

use std::collections::BTreeMap;

use assay_lp::RoundType;
use assay_lp::fixed::ONE;
use assay_lp::reputation::{Day, Eligibility, Reputation, day_of};

use super::table::job;

#[test]
fn averages_start_at_zero_and_move_by_tenths() {
    let mut standing = Reputation::default();
    standing = standing.after(RoundType::Evaluation, ONE, 0);
    assert_eq!((standing.evaluation_ema, standing.combined()), (ONE / 10, 6 * ONE / 100));
    standing = standing.after(RoundType::Live, ONE, 0);
    assert_eq!((standing.live_ema, standing.combined()), (3 * ONE / 10, 18 * ONE / 100));
    standing = standing.after(RoundType::Evaluation, -ONE, 0);
    assert_eq!(standing.evaluation_ema, -ONE / 100);
    // Divisions go down, below zero too.
    let tiny = Reputation::default().after(RoundType::Evaluation, -1, 0);
    assert_eq!((tiny.evaluation_ema, tiny.combined()), (-1, -1));
}

fn good() -> Reputation {
    Reputation::default().after(RoundType::Evaluation, ONE, 0)
}

fn days(today: u64, counted: impl Fn(u64) -> Day) -> BTreeMap<u64, Day> {
    (1..=10).map(|back| (today - back, counted(back))).collect()
}

#[test]
fn seven_complete_days_with_half_of_the_rounds() {
    let start = 20_000 * 86_400 + 5;
    let full = Day { offered: 96, answered: 48 };
    let of = |days: &BTreeMap<u64, Day>| Eligibility::of(&job(), &good(), days, start, true);
    assert!(of(&days(day_of(start), |_| full)).is_eligible());
    let lazy = of(&days(day_of(start), |back| if back <= 2 { Day { offered: 96, answered: 47 } } else { full }));
    assert_eq!(lazy.days, 5);
    assert_eq!(lazy.missing, ["5 of 7 days with at least half of the rounds answered"]);
    // Today does not count, and neither does the eighth day back.
    let mut shifted = days(day_of(start), |_| full);
    shifted.remove(&(day_of(start) - 7));
    shifted.insert(day_of(start), full);
    assert_eq!(of(&shifted).days, 6);
}

#[test]
fn scores_signatures_and_options_count_too() {
    let start = 20_000 * 86_400;
    let days = days(day_of(start), |_| Day { offered: 1, answered: 1 });
    let zero = Eligibility::of(&job(), &Reputation::default(), &days, start, true);
    assert_eq!(zero.missing, ["the combined score is not above zero"]);
    let unsigned = Eligibility::of(&job(), &good(), &days, start, false);
    assert_eq!(unsigned.missing, ["its answers are not signed and sealed"]);
    let mut strict = job();
    strict.live_minimum_rounds = 100;
    strict.live_needs_confidence = true;
    let early = Eligibility::of(&strict, &good(), &days, start, true);
    assert_eq!(early.missing.len(), 2, "{:?}", early.missing);
    // A hundred rounds of luck around a small mean are no proof; a steady hundred is.
    let mut lucky = Reputation::default();
    let mut steady = Reputation::default();
    for round in 0..100 {
        lucky = lucky.after(RoundType::Evaluation, if round % 2 == 0 { ONE } else { -9 * ONE / 10 }, 0);
        steady = steady.after(RoundType::Evaluation, ONE / 100 + i128::from(round % 3), 0);
    }
    assert!(!lucky.beats_hold() && steady.beats_hold());
    assert!(Eligibility::of(&strict, &steady, &days, start, true).is_eligible());
}
