//! Replay against live with injected causes: each is exactly one named difference.

use assay_engine::{PolicyStrategy, Statement, to_line};
use assay_features::FeatureStream;
use assay_sim::{PaperAccount, Rules};
use assay_store::database::{CommittedClose, FeedCandle, StoredSignal, Stream, StreamMode};
use assay_types::{Action, Candle, Price, SigningKey, Target, Timeframe};

use super::super::model::{Model, load_model};
use super::super::words::candle_text;
use super::support::{STEP, begin, candles, replay, trained};
use crate::live::{Cause, compare};
use crate::state::ServerState;
use crate::testing::Routes;

/// Closes of a stream.
const CLOSES: usize = 90;

/// What goes wrong with a live stream, and at which change of its target, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The candle that brings the fill is another one than the exchange's final one.
    Price(usize),
    /// What was decided is not filled.
    MissedFill(usize),
    /// The fill costs more.
    Fee(usize, u32),
}

/// The live account of a stream that goes wrong as `faults` say.
struct Faulty {
    model: Model,
    key: SigningKey,
    strategy: PolicyStrategy,
    account: PaperAccount,
    changes: usize,
}

impl Faulty {
    fn new(model: Model, key: SigningKey, history: &[Candle]) -> Self {
        let features = FeatureStream::new(&model.spec, Timeframe::M1).unwrap();
        let mut strategy = PolicyStrategy::new(features, model.policy.clone()).unwrap();
        history.iter().for_each(|candle| strategy.observe(candle).unwrap());
        let account = PaperAccount::new(&model.rules, Timeframe::M1).unwrap();
        Self { model, key, strategy, account, changes: 0 }
    }

    /// The candle that live sees, the action, and whether a fault came here.
    fn close(&mut self, candle: &Candle, faults: &[Fault]) -> (Candle, Action, Option<Fault>) {
        let (held, wanted) = (self.account.account().target(), self.account.target());
        let fault = faults.iter().copied().filter(|_| held != wanted).find(|fault| {
            let (Fault::Price(at) | Fault::MissedFill(at) | Fault::Fee(at, _)) = fault;
            *at == self.changes
        });
        self.changes += usize::from(held != wanted);
        let mut seen = *candle;
        let with = |rules: &Rules, account: &PaperAccount| {
            PaperAccount::resume(rules, Timeframe::M1, account.state()).unwrap()
        };
        match fault {
            Some(Fault::Price(_)) => {
                seen.close = Price(seen.close.0 + 10_i128.pow(Price::SCALE - 2));
                seen.high = seen.high.max(seen.close);
            }
            Some(Fault::MissedFill(_)) => self.account.decide(held),
            Some(Fault::Fee(_, fee_ppm)) => {
                self.account = with(&Rules { fee_ppm, ..self.model.rules.clone() }, &self.account);
            }
            None => {}
        }
        self.account.close(&seen).unwrap();
        self.account = with(&self.model.rules, &self.account);
        let target: Target = self.strategy.decide(&seen, self.account.inputs()).unwrap().target;
        self.account.decide(target);
        (seen, target.into(), fault)
    }
}

/// Stores what a stream says that goes wrong; with the numbers at which it did.
async fn said(state: &ServerState, run_id: &str, faults: &[Fault]) -> (Stream, Vec<(u64, Fault)>) {
    let stream = begin(state, run_id, replay(0)).await;
    let model = load_model(state, run_id).await.unwrap();
    let all = candles(0);
    let first = all.partition_point(|candle| candle.open_time_ms < model.test_ms.0);
    let mut live = Faulty::new(model, state.settings.home.signing_key().unwrap(), &all[..first]);
    let mut hits = Vec::new();
    for (candle, seq) in all[first..first + CLOSES].iter().zip(stream.first_seq..) {
        let (seen, action, fault) = live.close(candle, faults);
        hits.extend(fault.map(|fault| (seq, fault)));
        let close_ms = seen.open_time_ms + STEP;
        let (symbol, model_id) = ("BTC-USDT", stream.model_id.as_str());
        let statement = Statement { close_ms, price: seen.close, symbol, model_id, seq, action };
        let signal = StoredSignal {
            model_id: stream.model_id.clone(),
            seq,
            stream_id: stream.stream_id.clone(),
            mode: StreamMode::Paper,
            closed_at: close_ms,
            received_at: close_ms,
            due_at: close_ms,
            stored_at: close_ms,
            signal: to_line(&statement.signed(&live.key)),
            equity: live.account.equity().to_string(),
        };
        let candle = FeedCandle {
            open_time: seen.open_time_ms,
            candle: candle_text(&seen),
            received_at: close_ms,
            origin: "socket".to_owned(),
        };
        let close = CommittedClose {
            feed: stream.feed.clone(),
            candle: Some(candle),
            signals: vec![signal],
            halted: Vec::new(),
            speakers: [].into(),
            changes: None,
        };
        state.platform.commit_close(&close, close_ms).await.unwrap();
    }
    (stream, hits)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_injected_cause_is_one_named_difference() {
    use Fault::{Fee, MissedFill, Price};
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let cases: [&[Fault]; 8] = [
        &[],
        &[Price(1)],
        &[MissedFill(0)],
        &[MissedFill(1)],
        &[Fee(0, 2_000)],
        &[Fee(1, 0)],
        &[Fee(1, 1_001)],
        &[Fee(0, 2_500), MissedFill(1), Price(2), Fee(3, 5_000), MissedFill(4)],
    ];
    for faults in cases {
        let (stream, hits) = said(&routes.state, &runs[0], faults).await;
        assert_eq!(hits.len(), faults.len(), "the policy changes its target too seldom for {faults:?}: {hits:?}");
        let comparison = compare(&routes.state, &stream, routes.state.live.reading().unwrap()).await.unwrap();
        let expected: Vec<(u64, Cause)> = hits
            .iter()
            .map(|(seq, fault)| match fault {
                Price(_) => (*seq, Cause::Price),
                MissedFill(_) => (*seq, Cause::MissedFill),
                Fee(..) => (*seq, Cause::Fee),
            })
            .collect();
        let found: Vec<(u64, Cause)> =
            comparison.differences.iter().map(|difference| (difference.seq, difference.cause)).collect();
        assert_eq!(found, expected, "{faults:?}: {:?}", comparison.differences);
        assert_eq!(comparison.closes, CLOSES as u64);
        let stopping = routes.state.platform.set_stream_status(
            &stream.stream_id,
            assay_store::database::StreamStatus::Ended,
            None,
            1,
        );
        stopping.await.unwrap();
    }
}
