//! Signals: what a model tells its listeners, signed so that it can be audited (R4).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fixed::{Money, Price, Qty};
use crate::hash::Hash;
use crate::signature::signed_bytes;

/// The position a strategy wants, as a share of equity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// All equity long.
    Long,
    /// No position.
    #[default]
    Flat,
    /// All equity short.
    Short,
}

impl Target {
    /// +1 long, 0 flat, −1 short.
    #[must_use]
    pub const fn sign(self) -> i8 {
        match self {
            Self::Long => 1,
            Self::Flat => 0,
            Self::Short => -1,
        }
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Hold all equity long.
    #[serde(rename = "LONG_100")]
    Long100,
    /// Hold no position.
    #[serde(rename = "FLAT_0")]
    Flat0,
    /// Hold all equity short.
    #[serde(rename = "SHORT_100")]
    Short100,
    /// Leave the target as it is.
    #[serde(rename = "HOLD")]
    Hold,
}

impl Action {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Long100 => "LONG_100",
            Self::Flat0 => "FLAT_0",
            Self::Short100 => "SHORT_100",
            Self::Hold => "HOLD",
        }
    }

    /// The target asked for; `None` for [`Action::Hold`].
    #[must_use]
    pub const fn target(self) -> Option<Target> {
        match self {
            Self::Long100 => Some(Target::Long),
            Self::Flat0 => Some(Target::Flat),
            Self::Short100 => Some(Target::Short),
            Self::Hold => None,
        }
    }
}

impl From<Target> for Action {
    fn from(target: Target) -> Self {
        match target {
            Target::Long => Self::Long100,
            Target::Flat => Self::Flat0,
            Target::Short => Self::Short100,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// When a decision fills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillRule {
    /// At the close that was decided on.
    #[default]
    Close,
    /// At the next candle's open.
    NextOpen,
}

/// Whether signals were made from recorded candles or as candles closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalMode {
    /// From recorded candles; lateness is not checked.
    Replay,
    /// As candles closed.
    Live,
}

/// The first line of a signal file: who signs, and everything an auditor needs to
/// replay the signals (R4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalHeader {
    /// Ed25519 public key, 64 hexadecimal digits.
    pub public_key: String,
    /// The model: its `weights_hash`.
    pub model_id: String,
    /// Hash of the run's full config.
    pub config_hash: Hash,
    /// Initial cash.
    pub cash: Money,
    /// Fee per side in parts per million.
    pub fee_ppm: u32,
    /// Slippage against the trader, in price ticks.
    pub slippage_ticks: u32,
    /// Price tick.
    pub tick: Price,
    /// Quantity step.
    pub step: Qty,
    /// When decisions fill.
    pub fill_rule: FillRule,
    /// Open time of the first candle, ISO-8601 UTC.
    pub start: String,
    /// Open time just after the last candle, ISO-8601 UTC.
    pub end: String,
    /// `data_hash` of the candles in `[start, end)`.
    pub data_hash: Hash,
    /// Replay or live.
    pub mode: SignalMode,
    /// Further slippage in basis points of the price; left out when zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slippage_bps: u32,
    /// Borrow cost of a short in basis points per day; left out when zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub borrow_bps_per_day: u32,
    /// Number of the signal at the first candle, when a model spoke before this period;
    /// left out when zero.
    #[serde(default, skip_serializing_if = "is_none_before")]
    pub first_seq: u64,
    /// Ed25519 over the canonical JSON of the other fields, 128 hexadecimal digits.
    pub signature: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_none_before(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Close time of the candle decided on, ISO-8601 UTC.
    pub ts: String,
    /// The symbol, such as `BTC-USDT`.
    pub symbol: String,
    /// What to hold from here on.
    pub action: Action,
    /// The close used, as decimal text.
    pub price_ref: String,
    /// The model: its `weights_hash`.
    pub model_id: String,
    /// Number among the model's signals, from 0, without holes.
    pub seq: u64,
    /// SHA-256 of `ts|symbol|action|price_ref`.
    pub sig_hash: Hash,
    /// Ed25519 over the canonical JSON of the other fields, 128 hexadecimal digits.
    pub signature: String,
}

impl Signal {
    /// What `sig_hash` has to be.
    #[must_use]
    pub fn expected_sig_hash(&self) -> Hash {
        Hash::of(format!("{}|{}|{}|{}", self.ts, self.symbol, self.action, self.price_ref).as_bytes())
    }
}

impl Signal {
    /// The canonical JSON of the other fields: the bytes that are signed. Written without a
    /// detour where no text needs an escape, because a close may sign thousands.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let is_plain =
            |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
        let Self { ts, symbol, action, price_ref, model_id, seq, sig_hash, signature: _ } = self;
        // Numbers above 2^53 have another canonical form.
        if [ts, symbol, price_ref, model_id].into_iter().all(|text| is_plain(text)) && *seq < 1 << 53 {
            return format!(
                r#"{{"action":"{action}","model_id":"{model_id}","price_ref":"{price_ref}","seq":{seq},"sig_hash":"{sig_hash}","symbol":"{symbol}","ts":"{ts}"}}"#
            )
            .into_bytes();
        }
        signed_bytes(self)
    }
}

/// A signal as a consumer stored it, with the time it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceivedSignal {
    /// The signal as it was sent.
    pub signal: Signal,
    /// Arrival time, ISO-8601 UTC.
    pub received_at: String,
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::signature::{SignatureError, public_key_text, sign, verify};

    fn signal(key: &SigningKey) -> Signal {
        let mut signal = Signal {
            ts: "2025-09-03T14:00:00Z".into(),
            symbol: "BTC-USDT".into(),
            action: Action::Long100,
            price_ref: "27251.34".into(),
            model_id: "00".into(),
            seq: 7,
            sig_hash: Hash([0; 32]),
            signature: String::new(),
        };
        signal.sig_hash = signal.expected_sig_hash();
        signal.signature = sign(&signal, key);
        signal
    }

    #[test]
    fn any_changed_field_breaks_the_signature() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = public_key_text(&key);
        let good = signal(&key);
        assert_eq!(verify(&good, &good.signature, &public), Ok(()));
        assert_eq!(good.sig_hash, Hash::of(b"2025-09-03T14:00:00Z|BTC-USDT|LONG_100|27251.34"));
        for bad in [
            Signal { seq: 8, ..good.clone() },
            Signal { action: Action::Short100, ..good.clone() },
            Signal { price_ref: "27251.35".into(), ..good.clone() },
            Signal { ts: "2025-09-03T15:00:00Z".into(), ..good.clone() },
        ] {
            assert_eq!(verify(&bad, &bad.signature, &public), Err(SignatureError::Mismatch));
        }
        assert_eq!(verify(&good, "00", &public), Err(SignatureError::Malformed));
        assert_eq!(verify(&good, &good.signature, "00"), Err(SignatureError::Key));
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_writes_canonical_json(
            ts in "[0-9TZ:-]{0,24}|.{0,8}", symbol in "[A-Z-]{1,9}|.{0,8}", price_ref in "[0-9.]{1,9}|.{0,8}",
            model_id in "[0-9a-f]{64}|.{0,8}", seq in proptest::prelude::any::<u64>(), action in 0_usize..4,
        ) {
            let action = [Action::Long100, Action::Flat0, Action::Short100, Action::Hold][action];
            let sig_hash = Hash::of(ts.as_bytes());
            let signal = Signal { ts, symbol, action, price_ref, model_id, seq, sig_hash, signature: "x".into() };
            proptest::prop_assert_eq!(signal.signed_bytes(), signed_bytes(&signal));
        }
    }

    #[test]
    fn signatures_are_over_canonical_json() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signal = signal(&key);
        let text = format!(
            r#"{{"action":"LONG_100","model_id":"00","price_ref":"27251.34","seq":7,"sig_hash":"{}","symbol":"BTC-USDT","ts":"2025-09-03T14:00:00Z"}}"#,
            signal.sig_hash
        );
        assert_eq!(signal.signature, hex::encode(key.sign(text.as_bytes()).to_bytes()));
    }
}
