//! Every recorded answer of a deployed contract, compared to the last unit.

mod balancer;
mod concentrated;
mod curve;
mod pairs;

use crate::recorded::{Tally, say};
use assay_amm::{PoolKind, Proof};

/// The table of all 1,843: 1,825 amounts equal, 16 reverts refused for the contract's
/// reason, and two calls that nobody can check, named.
#[test]
fn all_recorded_answers() {
    let (v4, reverts) = concentrated::uniswap_v4();
    let (slipstream, timed_out) = concentrated::slipstream();
    let mut tallies = vec![pairs::pancake(), concentrated::uniswap_v3(), v4, slipstream];
    tallies.extend([pairs::solidly_volatile(), pairs::solidly_stable()]);
    tallies.extend(curve::tallies());
    tallies.extend([balancer::weighted(), balancer::stable()]);
    say(&format!("{:<40} {:>8} {:>6} {:>17}", "family", "answers", "equal", "worst difference"));
    tallies.iter().for_each(Tally::print);
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum::<usize>();
    let (answers, equal) = (sum(|tally| tally.answers), sum(|tally| tally.equal));
    say(&format!("{:<40} {answers:>8} {equal:>6}", "all amounts"));
    say(&format!("uniswap-v4: {reverts} reverts refused (NotEnoughLiquidity)"));
    let uncheckable = [pairs::camelot(), timed_out];
    say(&format!("uncheckable, no state recorded: {}", uncheckable[0]));
    say(&format!("uncheckable, the node timed out: {}", uncheckable[1]));
    let unproven: Vec<&str> =
        PoolKind::ALL.into_iter().filter(|kind| kind.proof() == Proof::Unproven).map(PoolKind::name).collect();
    say(&format!("unproven, held to an independent implementation only: {}", unproven.join(", ")));
    assert_eq!(unproven, ["curve-lending", "curve-ng", "curve-crypto-two"]);
    for tally in &tallies {
        assert_eq!(tally.differing, Vec::<String>::new(), "{}", tally.family);
    }
    assert_eq!((answers, equal, reverts, answers + reverts + uncheckable.len()), (1825, 1825, 16, 1843));
}
