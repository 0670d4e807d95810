//! What a stream may do before it is halted, and who may change that.

use assay_types::Money;
use serde::{Deserialize, Serialize};

/// Digits of the model id in a typed phrase.
const PHRASE_DIGITS: usize = 12;

/// Limits of one stream; one that is missing does not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest value of the position, in quote money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_exposure: Option<Money>,
    /// Largest loss since the last close of the UTC day before, in quote money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_loss: Option<Money>,
    /// Most signals that change the target within an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals_per_hour: Option<u32>,
}

/// A change that would let a stream do more than before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} would be looser than it is; limits are loosened only with the typed phrase `{phrase}`")]
pub struct Loosened {
    /// The first limit that would be looser.
    pub field: &'static str,
    /// What to type.
    pub phrase: String,
}

/// What must be typed to loosen the limits of a model's stream.
#[must_use]
pub fn loosen_phrase(model_id: &str) -> String {
    format!("loosen limits {}", prefix(model_id))
}

/// What must be typed to publish a model's stream.
#[must_use]
pub fn publish_phrase(model_id: &str) -> String {
    format!("publish live {}", prefix(model_id))
}

fn prefix(model_id: &str) -> &str {
    model_id.get(..PHRASE_DIGITS).unwrap_or(model_id)
}

impl Limits {
    /// Whether every limit is there, as publishing live needs.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.max_exposure.is_some() && self.daily_loss.is_some() && self.signals_per_hour.is_some()
    }

    /// The limits that follow these: `next` when it is at least as tight everywhere, or when
    /// `phrase` is the typed phrase of `model_id`.
    ///
    /// # Errors
    /// [`Loosened`] naming the first limit that would be looser.
    pub fn changed_to(&self, next: &Self, model_id: &str, phrase: Option<&str>) -> Result<Self, Loosened> {
        let expected = loosen_phrase(model_id);
        match self.looser_in(next) {
            Some(field) if phrase != Some(expected.as_str()) => Err(Loosened { field, phrase: expected }),
            _ => Ok(next.clone()),
        }
    }

    /// The first limit in which `next` would allow more.
    fn looser_in(&self, next: &Self) -> Option<&'static str> {
        fn looser<T: PartialOrd>(now: Option<T>, next: Option<T>) -> bool {
            match (now, next) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(now), Some(next)) => next > now,
            }
        }
        if looser(self.max_exposure, next.max_exposure) {
            return Some("max_exposure");
        }
        if looser(self.daily_loss, next.daily_loss) {
            return Some("daily_loss");
        }
        looser(self.signals_per_hour, next.signals_per_hour).then_some("signals_per_hour")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MODEL: &str = "0123456789abcdef0123";

    fn limits() -> impl Strategy<Value = Limits> {
        let money = || proptest::option::of((0_i128..5).prop_map(Money));
        (money(), money(), proptest::option::of(0_u32..5)).prop_map(|(max_exposure, daily_loss, signals_per_hour)| {
            Limits { max_exposure, daily_loss, signals_per_hour }
        })
    }

    /// Whether `inner` allows nothing that `outer` forbids, said another way than the code does.
    fn allows_no_more(inner: &Limits, outer: &Limits) -> bool {
        (0..6).all(|amount| {
            let ok = |limit: Option<Money>| limit.is_none_or(|limit| Money(amount) <= limit);
            let count = |limit: Option<u32>| limit.is_none_or(|limit| amount as u32 <= limit);
            (!ok(inner.max_exposure) || ok(outer.max_exposure))
                && (!ok(inner.daily_loss) || ok(outer.daily_loss))
                && (!count(inner.signals_per_hour) || count(outer.signals_per_hour))
        })
    }

    proptest! {
        #[test]
        fn no_reload_passes_the_limits(first in limits(), reloads in proptest::collection::vec(limits(), 0..20), phrase in ".{0,30}") {
            let mut now = first.clone();
            for next in reloads {
                let wrong = [None, Some(phrase.as_str()), Some("loosen limits"), Some("loosen limits 0123456789ac")];
                for phrase in wrong {
                    match now.changed_to(&next, MODEL, phrase) {
                        Ok(taken) => {
                            prop_assert_eq!(&taken, &next);
                            prop_assert!(allows_no_more(&taken, &now));
                        }
                        Err(_) => prop_assert!(!allows_no_more(&next, &now)),
                    }
                }
                now = now.changed_to(&next, MODEL, None).unwrap_or(now);
                prop_assert!(allows_no_more(&now, &first));
            }
        }
    }

    #[test]
    fn the_phrase_loosens() {
        let tight = Limits { daily_loss: Some(Money(1)), ..Limits::default() };
        let refused = tight.changed_to(&Limits::default(), MODEL, None).unwrap_err();
        assert_eq!((refused.field, refused.phrase.as_str()), ("daily_loss", "loosen limits 0123456789ab"));
        assert_eq!(tight.changed_to(&Limits::default(), MODEL, Some(&refused.phrase)), Ok(Limits::default()));
        assert!(serde_json::from_str::<Limits>(r#"{"daily_los":"5"}"#).is_err());
    }
}
