//! Features of candles as they close: the same values as the table's, bit for bit.

use assay_types::{Candle, Hash, Timeframe};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::archive::Archive;
use crate::bars::Bar;
use crate::engine::Engine;
use crate::error::FeatureError;
use crate::spec::FeatureSpec;

/// Feature states that have taken some candles and take the next one.
#[derive(Clone)]
pub struct FeatureStream {
    spec: FeatureSpec,
    timeframe: Timeframe,
    engine: Engine,
    sources: Vec<usize>,
    warm_up: usize,
    seen: u64,
    last_ms: Option<i64>,
    all: Vec<f64>,
    row: Vec<f64>,
}

/// A stream at rest: what a run stores so that a live stream continues it (R3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamState {
    /// What the stream computes.
    pub spec: FeatureSpec,
    /// Sorted `name@version` of the indicators and the scaler.
    pub versions: Vec<String>,
    /// Length of its candles.
    pub timeframe: Timeframe,
    /// Candles taken.
    pub seen: u64,
    /// Open time of the last candle taken, milliseconds since 1970 UTC; `None` before
    /// the first.
    pub last_ms: Option<i64>,
    /// The indicators' states: 64-bit words, big-endian, in hexadecimal digits.
    pub words: String,
    /// SHA-256 of the canonical JSON of the other fields.
    pub hash: Hash,
}

impl StreamState {
    /// What `hash` has to be.
    #[must_use]
    pub fn expected_hash(&self) -> Hash {
        let Self { spec, versions, timeframe, seen, last_ms, words, hash: _ } = self;
        Hash::of_json(&json!({
            "spec": spec, "versions": versions, "timeframe": timeframe,
            "seen": seen, "last_ms": last_ms, "words": words,
        }))
    }
}

impl FeatureStream {
    /// A stream before any candle.
    ///
    /// # Errors
    /// As [`FeatureSpec::check`].
    pub fn new(spec: &FeatureSpec, timeframe: Timeframe) -> Result<Self, FeatureError> {
        let engine = Engine::new(spec.plan()?.features.into_iter(), timeframe);
        Self::after(spec, timeframe, engine, &[])
    }

    /// The stream around an `engine` that has taken candles opening at `times`.
    pub(crate) fn after(
        spec: &FeatureSpec,
        timeframe: Timeframe,
        engine: Engine,
        times: &[i64],
    ) -> Result<Self, FeatureError> {
        let sources = spec.plan()?.sources;
        Ok(Self {
            timeframe,
            warm_up: spec.warm_up()?,
            seen: times.len() as u64,
            last_ms: times.last().copied(),
            all: vec![f64::NAN; engine.columns()],
            row: vec![f64::NAN; sources.len()],
            spec: spec.clone(),
            sources,
            engine,
        })
    }

    /// Takes the next closed candle; its row, in the order of the specification, with
    /// NaN where a column has no value yet.
    ///
    /// # Errors
    /// [`FeatureError::OutOfOrder`] when the candle does not come after the last one;
    /// the stream is then unchanged.
    pub fn update(&mut self, candle: &Candle) -> Result<&[f64], FeatureError> {
        if let Some(last_ms) = self.last_ms.filter(|&last_ms| candle.open_time_ms <= last_ms) {
            return Err(FeatureError::OutOfOrder { last_ms, next_ms: candle.open_time_ms });
        }
        self.engine.update(&Bar::from(candle), &mut self.all);
        for (value, &source) in self.row.iter_mut().zip(&self.sources) {
            *value = self.all[source];
        }
        self.seen += 1;
        self.last_ms = Some(candle.open_time_ms);
        Ok(&self.row)
    }

    /// The row of the last candle, NaN where a column has no value; all NaN before the
    /// first and after [`FeatureStream::resume`].
    #[must_use]
    pub fn row(&self) -> &[f64] {
        &self.row
    }

    /// Whether every column had a value at the last candle.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        self.seen > self.warm_up as u64
    }

    /// Number of candles taken.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Open time of the last candle taken, milliseconds; `None` before the first.
    #[must_use]
    pub fn last_open_time_ms(&self) -> Option<i64> {
        self.last_ms
    }

    /// What the stream computes.
    #[must_use]
    pub fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    /// The stream at rest.
    ///
    /// # Errors
    /// As [`FeatureSpec::check`].
    pub fn state(&self) -> Result<StreamState, FeatureError> {
        let mut words = Vec::new();
        self.engine.clone().archive(&mut Archive::writer(&mut words));
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_be_bytes).collect();
        let mut state = StreamState {
            spec: self.spec.clone(),
            versions: self.spec.versions()?.into_iter().map(str::to_owned).collect(),
            timeframe: self.timeframe,
            seen: self.seen,
            last_ms: self.last_ms,
            words: hex::encode(bytes),
            hash: Hash([0; 32]),
        };
        state.hash = state.expected_hash();
        Ok(state)
    }

    /// The stream that continues `state`.
    ///
    /// # Errors
    /// [`FeatureError::State`] when the state is damaged or was stored by other
    /// versions of the indicators.
    pub fn resume(state: &StreamState) -> Result<Self, FeatureError> {
        if state.spec.versions()? != state.versions {
            return Err(FeatureError::State("the indicators have other versions"));
        }
        if state.hash != state.expected_hash() {
            return Err(FeatureError::State("its hash does not match"));
        }
        let bytes = hex::decode(&state.words).map_err(|_| FeatureError::State("not hexadecimal digits"))?;
        let (chunks, rest) = bytes.as_chunks::<8>();
        let words: Vec<u64> = chunks.iter().map(|chunk| u64::from_be_bytes(*chunk)).collect();
        let mut stream = Self::new(&state.spec, state.timeframe)?;
        let mut archive = Archive::reader(&words);
        stream.engine.archive(&mut archive);
        if !archive.is_complete() || !rest.is_empty() {
            return Err(FeatureError::State("the number of words is wrong"));
        }
        stream.seen = state.seen;
        stream.last_ms = state.last_ms;
        Ok(stream)
    }
}
