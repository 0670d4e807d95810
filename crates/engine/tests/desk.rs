//! The live desk beside the replay: the same candles, the same words.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail by panicking and read the clock")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use assay_engine::{
    Breach, Desk, Limits, Member, MemberState, PolicyStrategy, STALE_AFTER_MS, Said, Signer, Timing, UsedLimits, audit,
    day_of_close, to_line,
};
use assay_features::{FeatureSpec, FeatureStream, ScalerKind};
use assay_model::{Activation, Head, Mlp, Policy};
use assay_sim::{Rules, backtest};
use assay_testkit::generate_candles;
use assay_types::time::format_utc;
use assay_types::{
    Action, Candle, Candles, FillRule, Hash, InputScaling, Market, Money, ReceivedSignal, Signal, SignalHeader,
    SignalMode, SigningKey, Target, Timeframe,
};

const HISTORY: usize = 120;

fn candles(count: usize) -> Candles {
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
    generate_candles(5, 1_700_000_400_000 / 3_600_000 * 3_600_000, Timeframe::H1, count)
        .into_iter()
        .enumerate()
        // A real gap, as exchanges have.
        .filter(|(index, _)| !(150..153).contains(index))
        .for_each(|(_, candle)| candles.push(candle));
    candles
}

fn spec(columns: &[&str]) -> FeatureSpec {
    FeatureSpec { columns: columns.iter().map(|&name| name.to_owned()).collect(), scaler: ScalerKind::Robust }
}

fn specs() -> [FeatureSpec; 2] {
    [spec(&["rsi_14", "return_1", "macd_12_26_9_signal"]), spec(&["return_4", "return_1"])]
}

/// A policy of two hidden layers whose weights follow from `seed`.
fn policy(seed: u64, spec: &FeatureSpec) -> Policy {
    let count = spec.columns.len();
    let mut network = Mlp::new(&[count + 2, 16, 16, 3], Activation::Tanh).unwrap();
    let mut state = seed.wrapping_mul(2) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 0.9
    };
    for (layer, (inputs, outputs)) in [(count + 2, 16), (16, 16), (16, 3)].into_iter().enumerate() {
        let weight: Vec<f32> = (0..inputs * outputs).map(|_| next()).collect();
        network.set_layer(layer, &weight, &vec![0.0; outputs]).unwrap();
    }
    let scaling = InputScaling { offset: vec![0.0; count], factor: vec![30.0; count] };
    Policy::new(spec.columns.clone(), scaling, network, Head::Discrete).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn rules(fill_rule: FillRule) -> Rules {
    Rules { fill_rule, ..Rules::new("0.01".parse().unwrap()) }
}

fn member(seed: u64, spec: &FeatureSpec, rules: &Rules) -> Member {
    let policy = policy(seed, spec);
    Member {
        stream_id: format!("stream-{seed}"),
        model_id: policy.weights_hash().to_string(),
        policy,
        spec: spec.clone(),
        rules: rules.clone(),
        limits: Limits::default(),
        next_seq: 0,
        state: None,
        from_close_ms: i64::MIN,
    }
}

/// A desk with members `seeds`, alternating between two feature sets, after the history.
fn desk(candles: &Candles, seeds: std::ops::Range<u64>, rules: &Rules, threads: usize) -> Desk {
    let mut desk = Desk::new(candles.dataset(), key(), NonZeroUsize::new(threads).unwrap());
    for spec in specs() {
        desk.add_features(FeatureStream::new(&spec, Timeframe::H1).unwrap()).unwrap();
    }
    for index in 0..HISTORY {
        desk.observe(&candles.get(index)).unwrap();
    }
    for seed in seeds {
        desk.add(member(seed, &specs()[seed as usize % 2], rules)).unwrap();
    }
    desk
}

fn header(candles: &Candles, model_id: &str, rules: &Rules, mode: SignalMode) -> SignalHeader {
    let range = HISTORY..candles.len();
    SignalHeader {
        public_key: String::new(),
        model_id: model_id.to_owned(),
        config_hash: Hash([1; 32]),
        cash: rules.cash,
        fee_ppm: rules.fee_ppm,
        slippage_ticks: rules.slippage_ticks,
        tick: rules.tick,
        step: rules.step,
        fill_rule: rules.fill_rule,
        start: format_utc(candles.open_time_ms[range.start]),
        end: format_utc(candles.close_time_ms(range.end - 1)),
        data_hash: candles.slice(range).data_hash(),
        mode,
        slippage_bps: 0,
        borrow_bps_per_day: 0,
        first_seq: 0,
        signature: String::new(),
    }
}

/// Signals and equity hash of the replay driver: `PolicyStrategy` in a back-test.
fn replayed(candles: &Candles, seed: u64, rules: &Rules) -> (Vec<String>, Hash) {
    let spec = &specs()[seed as usize % 2];
    let stream = FeatureStream::new(spec, Timeframe::H1).unwrap();
    let policy = policy(seed, spec);
    let model_id = policy.weights_hash().to_string();
    let mut strategy = PolicyStrategy::new(stream, policy).unwrap();
    (0..HISTORY).for_each(|index| strategy.observe(&candles.get(index)).unwrap());
    let result = backtest(candles, rules, HISTORY..candles.len(), |view| {
        strategy.decide(&candles.get(view.index()), view.account_inputs()).unwrap().target
    })
    .unwrap();
    let account = result.account.inputs(result.last_equity());
    let last = strategy.decide(&candles.get(candles.len() - 1), account).unwrap().target;
    let key = key();
    let mut signer = Signer::new(header(candles, &model_id, rules, SignalMode::Replay), "BTC-USD", &key);
    let targets = result.targets.iter().copied().chain([last]);
    let lines = (HISTORY..).zip(targets).map(|(index, target)| to_line(&signer.signal(candles, index, target.into())));
    (lines.collect(), result.equity_hash())
}

fn said_by(all: &[Vec<Said>], seed: u64) -> impl Iterator<Item = &Said> {
    let id = format!("stream-{seed}");
    all.iter().map(move |said| said.iter().find(|said| said.stream_id == id).unwrap())
}

#[test]
fn the_desk_says_what_the_replay_says() {
    let candles = candles(320);
    for fill_rule in [FillRule::Close, FillRule::NextOpen] {
        let rules = rules(fill_rule);
        let mut desk = desk(&candles, 0..70, &rules, 3);
        let all: Vec<_> =
            (HISTORY..candles.len()).map(|index| desk.close(&candles.get(index), Timing::InTime).unwrap()).collect();
        let mut traded = 0;
        for seed in 0..70 {
            let (lines, equity_hash) = replayed(&candles, seed, &rules);
            let said: Vec<&Said> = said_by(&all, seed).collect();
            assert_eq!(said.iter().map(|said| said.line.as_str()).collect::<Vec<_>>(), lines, "policy {seed}");
            let start = (candles.open_time_ms[HISTORY], rules.cash);
            let closes = (HISTORY..candles.len()).map(|index| candles.close_time_ms(index));
            let rows = std::iter::once(start).chain(closes.zip(said.iter().map(|said| said.equity)));
            assert_eq!(assay_sim::equity_hash(rows), equity_hash, "policy {seed}");
            let mut signer_lines = lines.clone();
            let key = key();
            let signer = Signer::new(header(&candles, &said[0].model_id, &rules, SignalMode::Replay), "BTC-USD", &key);
            signer_lines.insert(0, to_line(signer.header()));
            let audit = audit(&signer_lines.join("\n"), &candles, None).unwrap();
            assert!(audit.is_clean() && audit.equity_hash == equity_hash);
            traded += usize::from(said.windows(2).any(|pair| pair[0].action != pair[1].action));
        }
        assert!(traded > 20, "policies that never trade prove little: {traded}");
    }
}

#[test]
fn a_restart_from_any_close_says_the_same() {
    let candles = candles(260);
    let rules = rules(FillRule::NextOpen);
    let mut undisturbed = desk(&candles, 0..6, &rules, 1);
    let all: Vec<_> =
        (HISTORY..candles.len()).map(|index| undisturbed.close(&candles.get(index), Timing::InTime).unwrap()).collect();
    for (checkpoint, kill) in [(0, 40), (1, 1), (33, 34), (60, 97)] {
        let mut first = desk(&candles, 0..6, &rules, 1);
        for index in HISTORY..HISTORY + checkpoint {
            first.close(&candles.get(index), Timing::InTime).unwrap();
        }
        let states: Vec<(String, String)> =
            first.states().map(|(id, state)| (id.to_owned(), serde_json::to_string(&state).unwrap())).collect();
        let features = first.feature_states().unwrap();
        drop(first);
        // What a restart has: the checkpoint, the candles since and what was said at them.
        let mut second = Desk::new(candles.dataset(), key(), NonZeroUsize::MIN);
        for state in &features {
            let mut stream = FeatureStream::resume(state).unwrap();
            for index in HISTORY + checkpoint..HISTORY + kill {
                stream.update(&candles.get(index)).unwrap();
            }
            second.add_features(stream).unwrap();
        }
        for seed in 0..6_u64 {
            let mut member = member(seed, &specs()[seed as usize % 2], &rules);
            let stored = states.iter().find(|(id, _)| *id == member.stream_id).unwrap();
            let mut state = Some(serde_json::from_str(&stored.1).unwrap());
            for index in HISTORY + checkpoint..HISTORY + kill {
                let action = all[index - HISTORY][seed as usize].action;
                state =
                    Some(MemberState::after(state, &rules, &candles.dataset(), &candles.get(index), action).unwrap());
            }
            member.state = state;
            member.next_seq = kill as u64;
            second.add(member).unwrap();
        }
        for index in HISTORY + kill..candles.len() {
            let said = second.close(&candles.get(index), Timing::InTime).unwrap();
            assert_eq!(said, all[index - HISTORY], "checkpoint {checkpoint}, kill {kill}, close {index}");
        }
    }
}

#[test]
fn late_candles_hold_and_audit_the_same() {
    let candles = candles(240);
    let rules = rules(FillRule::Close);
    let mut desk = desk(&candles, 0..4, &rules, 1);
    let is_late = |index: usize| index.is_multiple_of(7);
    let all: Vec<_> = (HISTORY..candles.len())
        .map(|index| {
            let timing = if is_late(index) { Timing::Late } else { Timing::InTime };
            desk.close(&candles.get(index), timing).unwrap()
        })
        .collect();
    let key = key();
    for seed in 0..4 {
        let said: Vec<&Said> = said_by(&all, seed).collect();
        let signer = Signer::new(header(&candles, &said[0].model_id, &rules, SignalMode::Live), "BTC-USD", &key);
        let mut lines = vec![to_line(signer.header())];
        for (said, index) in said.iter().zip(HISTORY..) {
            assert_eq!(said.action == Action::Hold, is_late(index));
            let signal: Signal = serde_json::from_str(&said.line).unwrap();
            let delay = if is_late(index) { STALE_AFTER_MS + 1 } else { 40 };
            let received_at = format_utc(candles.close_time_ms(index) + delay);
            lines.push(to_line(&ReceivedSignal { signal, received_at }));
        }
        let audit = audit(&lines.join("\n"), &candles, None).unwrap();
        assert!(audit.is_clean() && audit.stale > 10);
        assert_eq!(audit.final_equity, said.last().unwrap().equity);
    }
}

#[test]
fn a_breach_flattens_and_halts_that_stream_alone() {
    let candles = candles(320);
    let rules = rules(FillRule::Close);
    let limited = |limits: Limits| {
        let mut desk = desk(&candles, 0..40, &rules, 2);
        let ids: Vec<String> = desk.stream_ids().map(str::to_owned).collect();
        ids.iter().for_each(|id| desk.set_limits(id, &limits));
        let mut halted = Vec::new();
        for index in HISTORY..candles.len() {
            let before = desk.len();
            let said = desk.close(&candles.get(index), Timing::InTime).unwrap();
            let broke: Vec<Said> = said.iter().filter(|said| said.breach.is_some()).cloned().collect();
            assert!(broke.iter().all(|said| said.action == Action::Flat0));
            assert_eq!((said.len(), desk.len()), (before, before - broke.len()));
            halted.extend(broke);
        }
        halted
    };
    let money = |text: &str| Some(text.parse::<Money>().unwrap());
    let lost = limited(Limits { daily_loss: money("150"), ..Limits::default() });
    assert!(!lost.is_empty());
    for said in &lost {
        let Some(Breach::DailyLoss { loss, limit }) = &said.breach else { panic!("{said:?}") };
        assert!(loss > limit);
    }
    let exposed = limited(Limits { max_exposure: money("9000"), ..Limits::default() });
    assert!(exposed.iter().all(|said| matches!(said.breach, Some(Breach::Exposure { .. }))) && !exposed.is_empty());
    let hasty = limited(Limits { signals_per_hour: Some(0), ..Limits::default() });
    assert!(hasty.iter().all(|said| matches!(said.breach, Some(Breach::SignalsPerHour { changes: 1, limit: 0 }))));
    assert!(hasty.len() > 20);
    assert!(limited(Limits::default()).is_empty());
}

/// What earlier streams of the model used up of the day and the hour is not given out again.
#[test]
fn a_following_stream_has_what_is_left_of_the_limits() {
    let candles = candles(320);
    let rules = rules(FillRule::Close);
    let money = |amount: i128| Money(amount * 100_000_000);
    let first_close = candles.get(HISTORY).open_time_ms + Timeframe::H1.ms();
    let day = day_of_close(first_close);
    // The first close at which each of 40 streams halts, on the day that it began.
    let halts = |limits: &Limits, used: Option<&UsedLimits>| {
        let mut desk = desk(&candles, 0..0, &rules, 1);
        for seed in 0..40 {
            let mut member = member(seed, &specs()[seed as usize % 2], &rules);
            member.limits = limits.clone();
            let dataset = candles.dataset();
            member.state = used.map(|used| MemberState::following(&rules, &dataset, used).unwrap());
            desk.add(member).unwrap();
        }
        let mut halts = Vec::new();
        for index in HISTORY..candles.len() {
            let close_ms = candles.get(index).open_time_ms + Timeframe::H1.ms();
            let said = desk.close(&candles.get(index), Timing::InTime).unwrap();
            let halted = said.into_iter().filter(|said| said.breach.is_some()).map(|said| (close_ms, said.stream_id));
            halts.extend(halted);
        }
        halts
    };
    let on_first_day = |halts: &[(i64, String)]| {
        halts.iter().filter(|(close_ms, _)| day_of_close(*close_ms) == day).cloned().collect::<Vec<_>>()
    };
    let loss = |amount: i128| Limits { daily_loss: Some(money(amount)), ..Limits::default() };
    let used =
        |last_close_ms: i64, lost: i128, changes: Vec<i64>| UsedLimits { last_close_ms, lost: money(lost), changes };
    let same_day = used(first_close - 1, 140, Vec::new());
    assert_eq!(day_of_close(same_day.last_close_ms), day);
    let followed = on_first_day(&halts(&loss(150), Some(&same_day)));
    assert!(!followed.is_empty());
    assert_eq!(followed, on_first_day(&halts(&loss(10), None)));
    assert!(followed.len() > on_first_day(&halts(&loss(150), None)).len());
    // Yesterday's losses, and gains, change nothing.
    for used in [used(first_close - 86_400_000, 140, Vec::new()), used(first_close - 1, -9_000, Vec::new())] {
        assert_eq!(halts(&loss(150), Some(&used)), halts(&loss(150), None));
    }
    let one = Limits { signals_per_hour: Some(1), ..Limits::default() };
    assert!(on_first_day(&halts(&one, None)).is_empty());
    let hasty = used(first_close - 1, 0, vec![first_close - 1]);
    assert!(halts(&one, Some(&hasty)).iter().any(|(close_ms, _)| *close_ms == first_close));
    let earlier = used(first_close - 1, 0, vec![first_close - 3_600_000]);
    assert_eq!(halts(&one, Some(&earlier)), halts(&one, None));
}

/// A limit that is broken at a late close halts at the next one that is in time, when it is followed.
#[test]
fn a_breach_waits_for_a_close_that_is_followed() {
    let (candles, rules) = (candles(220), rules(FillRule::Close));
    let mut desk = desk(&candles, 0..1, &rules, 1);
    let mut late = 0;
    for index in HISTORY..candles.len() {
        // Its wish is known only in time, so the position is opened without limits first.
        let is_late = (HISTORY + 40..HISTORY + 45).contains(&index);
        let limits = if index < HISTORY + 40 {
            Limits::default()
        } else {
            Limits { max_exposure: Some(Money(1)), ..Limits::default() }
        };
        desk.set_limits("stream-0", &limits);
        let said = desk.close(&candles.get(index), if is_late { Timing::Late } else { Timing::InTime }).unwrap();
        let Some(said) = said.first() else { break };
        if is_late {
            assert_eq!((said.action, &said.breach), (Action::Hold, &None));
            late += 1;
        } else if said.breach.is_some() {
            assert!(index >= HISTORY + 45 && said.action == Action::Flat0, "halted at {index}");
        }
    }
    assert!(late == 5 && desk.is_empty());
}

/// A stream says nothing of candles that closed before it began, and others do.
#[test]
fn a_stream_speaks_from_its_first_close_on() {
    let candles = candles(200);
    let rules = rules(FillRule::Close);
    let mut desk = desk(&candles, 0..1, &rules, 1);
    let from_close_ms = candles.get(HISTORY + 10).open_time_ms + Timeframe::H1.ms();
    desk.add(Member { from_close_ms, ..member(1, &specs()[1], &rules) }).unwrap();
    let said: Vec<usize> =
        (HISTORY..HISTORY + 20).map(|at| desk.close(&candles.get(at), Timing::InTime).unwrap().len()).collect();
    assert_eq!(said, [vec![1; 10], vec![2; 10]].concat());
}

#[test]
fn a_stream_that_is_to_close_opens_nothing_flattens_in_time_and_leaves() {
    let (candles, rules) = (candles(HISTORY + 60), rules(FillRule::Close));
    let (mut desk, mut calm) = (desk(&candles, 0..4, &rules, 1), desk(&candles, 0..4, &rules, 1));
    let of = |said: Vec<Said>| said.into_iter().map(|said| (said.stream_id.clone(), said)).collect::<BTreeMap<_, _>>();
    for index in HISTORY..HISTORY + 30 {
        let timing = if index == HISTORY + 20 { Timing::Late } else { Timing::InTime };
        if index == HISTORY + 20 {
            desk.set_closing("stream-1", Some("enough"));
        }
        let before = desk.len();
        let said = of(desk.close(&candles.get(index), timing).unwrap());
        let mut usual = of(calm.close(&candles.get(index), timing).unwrap());
        match index - HISTORY {
            // Nobody follows what comes late, so it is not over with that.
            20 => assert!(said["stream-1"].action == Action::Hold && desk.len() == before),
            21 => {
                let last = usual.insert("stream-1".to_owned(), said["stream-1"].clone()).unwrap();
                assert_eq!((said["stream-1"].action, said["stream-1"].seq), (Action::Flat0, last.seq));
                assert_eq!(said["stream-1"].breach, Some(Breach::Flattened("enough".to_owned())));
                assert_eq!(desk.len(), before - 1);
            }
            22.. => _ = usual.remove("stream-1"),
            _ => {}
        }
        assert_eq!(said, usual, "the others are as ever");
    }
    // What was taken back does not happen.
    desk.set_closing("stream-2", Some("enough"));
    desk.set_closing("stream-2", None);
    assert!(desk.close(&candles.get(HISTORY + 30), Timing::InTime).unwrap().iter().all(|said| said.breach.is_none()));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]

    /// Whatever the market does: nobody is told to hold what the limits forbid.
    #[test]
    fn nothing_is_said_beyond_the_limits(
        seed in 0_u64..1_000, exposure in 5_000_i128..15_000, loss in 10_i128..600, per_hour in 0_u32..3, market in 0_u64..1_000,
    ) {
        let limits = Limits {
            max_exposure: Some(Money(exposure * 100_000_000)),
            daily_loss: Some(Money(loss * 100_000_000)),
            signals_per_hour: Some(per_hour),
        };
        let rows: Vec<Candle> = generate_candles(market, 0, Timeframe::M15, 400);
        let dataset = "synthetic/BTC-USD/15m".parse().unwrap();
        let spec = &specs()[1];
        let mut desk = Desk::new(dataset, key(), NonZeroUsize::MIN);
        desk.add_features(FeatureStream::new(spec, Timeframe::M15).unwrap()).unwrap();
        rows[..40].iter().for_each(|candle| desk.observe(candle).unwrap());
        let mut member = member(seed, spec, &rules(FillRule::Close));
        member.limits = limits.clone();
        desk.add(member).unwrap();
        let (mut before, mut changes, mut day_equity, mut last) = (Target::Flat, Vec::<i64>::new(), None, None);
        for candle in &rows[40..] {
            let Some(said) = desk.close(candle, Timing::InTime).unwrap().pop() else { break };
            let close_ms = candle.open_time_ms + Timeframe::M15.ms();
            if (close_ms - 1) / 86_400_000 != (close_ms - 1 - Timeframe::M15.ms()) / 86_400_000 || last.is_none() {
                day_equity = last.or(Some(said.equity));
            }
            last = Some(said.equity);
            let target = said.action.target().unwrap_or(before);
            if target != Target::Flat {
                proptest::prop_assert!(day_equity.unwrap().0 - said.equity.0 <= loss * 100_000_000);
                if target != before {
                    changes.retain(|at| *at > close_ms - 3_600_000);
                    changes.push(close_ms);
                    proptest::prop_assert!(said.equity.0 <= exposure * 100_000_000);
                }
            }
            before = target;
            if said.breach.is_some() {
                proptest::prop_assert_eq!(said.action, Action::Flat0);
                proptest::prop_assert!(desk.is_empty());
            }
        }
    }
}
