//! Signal files: a signed header, then one signed signal per line (R4).

use assay_types::time::format_utc;
use assay_types::{
    Action, Candles, Hash, Price, Signal, SignalHeader, SignatureError, SigningKey, public_key_text, sign, sign_bytes,
    verify,
};

use crate::error::EngineError;

/// What a signal says, before it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The candle's close, milliseconds since 1970 UTC.
    pub close_ms: i64,
    /// The close used.
    pub price: Price,
    /// The symbol.
    pub symbol: &'a str,
    /// The model.
    pub model_id: &'a str,
    /// Number among the model's signals.
    pub seq: u64,
    /// What to hold from here on.
    pub action: Action,
}

impl Statement<'_> {
    /// The signed signal.
    #[must_use]
    pub fn signed(&self, key: &SigningKey) -> Signal {
        let mut signal = Signal {
            ts: format_utc(self.close_ms),
            symbol: self.symbol.to_owned(),
            action: self.action,
            price_ref: self.price.to_string(),
            model_id: self.model_id.to_owned(),
            seq: self.seq,
            sig_hash: Hash([0; 32]),
            signature: String::new(),
        };
        signal.sig_hash = signal.expected_sig_hash();
        signal.signature = sign_bytes(&signal.signed_bytes(), key);
        signal
    }
}

/// Makes signed signals, one per candle close, numbered on from the header's first.
#[derive(Debug)]
pub struct Signer<'a> {
    key: &'a SigningKey,
    header: SignalHeader,
    symbol: String,
    next_seq: u64,
}

impl<'a> Signer<'a> {
    /// Completes and signs `header` (its key and signature are filled in).
    #[must_use]
    pub fn new(mut header: SignalHeader, symbol: &str, key: &'a SigningKey) -> Self {
        header.public_key = public_key_text(key);
        header.signature = sign(&header, key);
        let next_seq = header.first_seq;
        Self { key, header, symbol: symbol.to_owned(), next_seq }
    }

    /// The signed header.
    #[must_use]
    pub const fn header(&self) -> &SignalHeader {
        &self.header
    }

    /// The next signal: `action` decided at the close of the candle at `index`.
    pub fn signal(&mut self, candles: &Candles, index: usize, action: Action) -> Signal {
        let statement = Statement {
            close_ms: candles.close_time_ms(index),
            price: candles.close[index],
            symbol: &self.symbol,
            model_id: &self.header.model_id,
            seq: self.next_seq,
            action,
        };
        self.next_seq += 1;
        statement.signed(self.key)
    }
}

/// Writes a header or a signal as one line of a signal file, without the line end.
#[must_use]
pub fn to_line<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("headers and signals are plain data")
}

/// Reads and checks the first line of a signal file. `pinned_key`, when given, is the
/// key that the creator registered; a file signed by another key is refused.
///
/// # Errors
/// [`EngineError::NotAHeader`] when the line is no header, [`EngineError::Header`] when its
/// signature does not hold or its bytes are not the signer's,
/// [`EngineError::OtherKey`] when it is signed by another key.
pub fn read_header(line: &str, pinned_key: Option<&str>) -> Result<SignalHeader, EngineError> {
    let header: SignalHeader = serde_json::from_str(line).map_err(EngineError::NotAHeader)?;
    if to_line(&header) != line.trim_end() {
        return Err(EngineError::Header("these are not the bytes that were signed".to_owned()));
    }
    if let Some(expected) = pinned_key
        && !expected.eq_ignore_ascii_case(&header.public_key)
    {
        return Err(EngineError::OtherKey { expected: expected.to_owned(), found: header.public_key });
    }
    verify(&header, &header.signature, &header.public_key)
        .map_err(|error: SignatureError| EngineError::Header(error.to_string()))?;
    Ok(header)
}
