//! When rounds begin, and at which blocks miners are asked.

use assay_lp::replay::Plan;
use assay_lp::{BlockTime, BlockTimes, RoundType};

use super::table::{FIRST_BLOCK, job, times};

#[test]
fn rounds_follow_each_other_without_a_gap() {
    let job = job();
    let plans: Vec<Plan> =
        (0..3).map(|number| Plan::of(&job, RoundType::Evaluation, number, &times()).unwrap()).collect();
    assert_eq!(plans[0].start, BlockTime { number: FIRST_BLOCK, timestamp: 10_000 });
    assert!(plans.windows(2).all(|pair| pair[0].end == pair[1].start));
    let blocks: Vec<(u64, u64)> = plans[0].checkpoints.iter().map(|(at, effect)| (at.block, *effect)).collect();
    assert_eq!(blocks, [(1_000, 1_035), (1_100, 1_135), (1_200, 1_235), (1_300, 1_335), (1_400, 1_435)]);
    let live = Plan::of(&job, RoundType::Live, 0, &times()).unwrap();
    assert_eq!(live.checkpoints.len(), 3);
}

/// Blocks of uneven length, one of them so late that a whole window passes.
#[test]
fn the_first_block_at_or_after_starts_a_round() {
    let mut job = job();
    (job.round_duration_seconds, job.answer_seconds, job.reveal_seconds) = (100, 10, 5);
    job.evaluation_interval_blocks = 2;
    let seconds = [9_990, 9_999, 10_003, 10_004, 10_030, 10_084, 10_090, 10_101, 10_305, 10_306, 10_401];
    let block = |(index, timestamp): (usize, &u64)| BlockTime { number: 50 + index as u64, timestamp: *timestamp };
    let times = BlockTimes::Recorded(seconds.iter().enumerate().map(block).collect());
    let first = Plan::of(&job, RoundType::Evaluation, 0, &times).unwrap();
    assert_eq!((first.start.number, first.end.number), (52, 57));
    // Block 54 is two after the start; block 56 comes too late to answer in this round.
    let at: Vec<(u64, u64)> = first.checkpoints.iter().map(|(at, effect)| (at.block, *effect)).collect();
    assert_eq!(at, [(52, 54), (54, 55)]);
    assert_eq!(Plan::of(&job, RoundType::Evaluation, 2, &times), None, "no block falls into its window");
    let fourth = Plan::of(&job, RoundType::Evaluation, 3, &times).unwrap();
    assert_eq!((fourth.start.number, fourth.end.number), (58, 60));
    assert_eq!(Plan::of(&job, RoundType::Evaluation, 4, &times), None, "it has no end yet");
}
