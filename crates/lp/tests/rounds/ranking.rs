//! Who is ranked, who is a clone, and that playing dead never pays.

use assay_amm::U256;
use assay_lp::record::{Outcome, RoundRecord};
use assay_lp::{RebalanceQuery, Reply, hold_score};

use super::table::{FIRST_BLOCK, Maker, job, play, position, price, to_and_fro, wants};

fn ranks(record: &RoundRecord) -> Vec<(&str, Option<u32>)> {
    record.miners.iter().map(|miner| (miner.miner.as_str(), miner.judgement.rank)).collect()
}

#[test]
fn the_earliest_of_a_cluster_has_the_credit() {
    let job = job();
    let original = |_: u32, _: &RebalanceQuery| wants(&[position(-1_000, 1_000, 1_000_000_000, 1_000_000_000)]);
    let copy = |_: u32, _: &RebalanceQuery| wants(&[position(-1_000, 1_000, 985_000_000, 985_000_000)]);
    let other = |_: u32, _: &RebalanceQuery| wants(&[position(-2_000, 1_000, 985_000_000, 985_000_000)]);
    let record = play(&job, &to_and_fro(&job, 1), &[("1", &original), ("2", &copy), ("3", &other)]);
    let [first, second, third] = &record.miners[..] else { panic!() };
    assert_eq!(first.judgement.clone_of, None);
    assert_eq!(second.judgement.clone_of.as_deref(), Some("1"));
    assert_eq!((third.judgement.clone_of.as_deref(), second.judgement.rank), (None, None));
    // Copying gains nothing: what counts for the copy is never above zero.
    assert!(second.judgement.score > 0);
    assert_eq!(second.judgement.counted_score, Some(0));
    assert_eq!(first.judgement.counted_score, Some(first.judgement.score));
}

/// Equal at the end is not enough: a cluster is equal at every checkpoint.
#[test]
fn who_differs_once_is_no_clone() {
    let job = job();
    let original = |_: u32, _: &RebalanceQuery| wants(&[position(-1_000, 1_000, 1_000_000_000, 1_000_000_000)]);
    // Copies what it saw of the round before, one checkpoint late.
    let late = |checkpoint: u32, _: &RebalanceQuery| match checkpoint {
        0 => wants(&[]),
        _ => wants(&[position(-1_000, 1_000, 1_000_000_000, 1_000_000_000)]),
    };
    let record = play(&job, &to_and_fro(&job, 1), &[("1", &original), ("2", &late)]);
    assert_eq!(record.miners[1].judgement.clone_of, None);
    assert_eq!(ranks(&record), [("1", Some(1)), ("2", Some(2))], "being late costs fees");
}

#[test]
fn ties_go_to_the_better_past_and_then_to_the_earlier() {
    let job = job();
    // Positions far from the price earn nothing and lose nothing: equal scores, no clones.
    let far = |lower: i32| move |_: u32, _: &RebalanceQuery| wants(&[position(lower, lower + 100, 1_000_000_000, 0)]);
    let (a, b, c) = (far(10_000), far(11_000), far(12_000));
    let record = play(&job, &to_and_fro(&job, 1), &[("c", &a), ("b", &b), ("a", &c)]);
    let scores: Vec<i128> = record.miners.iter().map(|miner| miner.judgement.score).collect();
    assert!(scores.windows(2).all(|pair| pair[0] == pair[1]), "{scores:?}");
    assert_eq!(ranks(&record), [("c", Some(1)), ("b", Some(2)), ("a", Some(3))]);
    let mut again = record.clone();
    again.miners[2].combined_before = 1;
    assert!(again.verify().unwrap_err().to_string().contains("rank"));
}

/// In a falling market every honest answer loses; refusing late, missing answers or
/// withholding the reveal is never better.
#[test]
fn playing_dead_never_beats_an_honest_loser() {
    let job = job();
    let mut maker = Maker::new(&job, 50_000_000_000);
    for step in 0..40 {
        maker.sell(FIRST_BLOCK + 35 + 10 * step, true, 300_000_000);
    }
    let honest = |_: u32, _: &RebalanceQuery| wants(&[position(-600, 600, 1_000_000_000, 1_000_000_000)]);
    let wider = |_: u32, _: &RebalanceQuery| wants(&[position(-2_000, 2_000, 1_000_000_000, 1_000_000_000)]);
    let dead = |_: u32, _: &RebalanceQuery| None;
    let stops = |checkpoint: u32, query: &RebalanceQuery| if checkpoint < 2 { wider(0, query) } else { None };
    let withholds = |_: u32, _: &RebalanceQuery| Some(Reply::Invalid("the reveal was withheld".into()));
    let refuses_late = |checkpoint: u32, query: &RebalanceQuery| match checkpoint {
        0 => honest(0, query),
        _ => super::table::refuses(),
    };
    let players: [super::table::Player<'_>; 6] = [
        ("honest", &honest),
        ("wider", &wider),
        ("dead", &dead),
        ("stops", &stops),
        ("withholds", &withholds),
        ("zlate", &refuses_late),
    ];
    let record = play(&job, &maker.events, &players);
    let counted = |name: &str| {
        let miner = record.miners.iter().find(|miner| miner.miner == name).unwrap();
        miner.judgement.counted_score.unwrap()
    };
    let hold = hold_score(&job, record.start_sqrt_price_x96, record.end_sqrt_price_x96).unwrap();
    assert!(hold < 0 && counted("honest") < 0);
    for quitter in ["dead", "stops", "withholds", "zlate"] {
        assert!(counted(quitter) <= counted("honest"), "{quitter}");
        assert!(counted(quitter) <= counted("wider"), "{quitter}");
        assert!(counted(quitter) <= hold, "{quitter}");
    }
    // The late refuser repeats the honest miner: a clone keeps its losses.
    assert_eq!(counted("zlate"), counted("honest"));
}

#[test]
fn too_large_a_loss_against_holding_has_no_positive_score() {
    let mut job = job();
    job.constraints.max_il_ppm = 1_000;
    let mut maker = Maker::new(&job, 50_000_000_000);
    maker.move_to(FIRST_BLOCK + 200, 900);
    let narrow = |_: u32, _: &RebalanceQuery| wants(&[position(-100, 100, 1_000_000_000, 1_000_000_000)]);
    let record = play(&job, &maker.events, &[("a", &narrow)]);
    let (measured, judgement) = (&record.miners[0].measured, &record.miners[0].judgement);
    assert!(measured.max_il_ppm > 20_000, "{}", measured.max_il_ppm);
    assert!(judgement.gain > 0 && judgement.score == 0, "{judgement:?}");
    assert!(judgement.remarks[0].starts_with("max_il"), "{:?}", judgement.remarks);
}

#[test]
fn a_changed_record_is_named() {
    let job = job();
    let range = |_: u32, _: &RebalanceQuery| wants(&[position(-1_000, 1_000, 1_000_000_000, 1_000_000_000)]);
    let idle = |_: u32, _: &RebalanceQuery| wants(&[]);
    let record = play(&job, &to_and_fro(&job, 1), &[("a", &range), ("b", &idle)]);
    type Change = fn(&mut RoundRecord);
    let changes: [(Change, &str); 6] = [
        (|record| record.miners[0].judgement.score += 1, "score"),
        (|record| record.miners[0].measured.inventory.amount1 += U256::ONE, "a: "),
        (|record| record.miners[1].judgement.rank = Some(1), "rank"),
        (|record| record.end_sqrt_price_x96 = price(3), "a: "),
        (|record| record.winner = Some("b".into()), "winner"),
        (|record| record.miners[1].answers[0].outcome = Outcome::Missed, "b: "),
    ];
    let hash = record.hash();
    for (change, named) in changes {
        let mut changed = record.clone();
        change(&mut changed);
        assert_ne!(changed.hash(), hash);
        let error = changed.verify().unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
}

/// Who runs into a large loss cannot erase it by falling silent, even as the worst of all.
#[test]
fn silence_does_not_erase_a_loss() {
    let job = job();
    let mut maker = Maker::new(&job, 50_000_000_000);
    maker.move_to(FIRST_BLOCK + 150, -1_500);
    let narrow = |_: u32, _: &RebalanceQuery| wants(&[position(-600, 600, 1_000_000_000, 1_000_000_000)]);
    let silent = |checkpoint: u32, query: &RebalanceQuery| if checkpoint < 3 { narrow(0, query) } else { None };
    let holds = |_: u32, _: &RebalanceQuery| wants(&[]);
    let record = play(&job, &maker.events, &[("holds", &holds), ("silent", &silent)]);
    let judgement = &record.miners[1].judgement;
    assert_eq!(judgement.rank, None);
    assert!(judgement.score < record.miners[0].judgement.score, "{judgement:?}");
    assert_eq!(judgement.counted_score, Some(judgement.score));
}

/// A trifle beside the copied position, or an allocation that the range cannot use, is no
/// other strategy; and who is not ranked itself has nobody for a clone.
#[test]
fn a_disguised_copy_is_a_copy() {
    let job = job();
    let main = position(-1_000, 1_000, 900_000_000, 900_000_000);
    let above = position(5_000, 6_000, 100_000_000, 0);
    let original = |_: u32, _: &RebalanceQuery| wants(&[main.clone(), above.clone()]);
    let trifle = |_: u32, _: &RebalanceQuery| {
        wants(&[main.clone(), position(5_000, 6_000, 99_999_999, 0), position(7_000, 8_000, 1, 1)])
    };
    let unused = |_: u32, _: &RebalanceQuery| {
        let mut above = above.clone();
        above.allocation1 = U256::from(50_000_000);
        wants(&[main.clone(), above])
    };
    let players: [super::table::Player<'_>; 3] = [("1", &original), ("2", &trifle), ("3", &unused)];
    let record = play(&job, &to_and_fro(&job, 1), &players);
    assert_eq!(record.miners[1].judgement.clone_of.as_deref(), Some("1"));
    assert_eq!(record.miners[2].judgement.clone_of.as_deref(), Some("1"));
    let silent = |checkpoint: u32, query: &RebalanceQuery| if checkpoint < 2 { original(0, query) } else { None };
    let record = play(&job, &to_and_fro(&job, 1), &[("1", &silent), ("2", &original)]);
    assert_eq!(ranks(&record), [("1", None), ("2", Some(1))], "a silent leader takes nobody's credit");
}
