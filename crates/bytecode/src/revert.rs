//! Why a contract refused.

use std::fmt;

use alloy_primitives::{Bytes, U256};

/// What a reverted call said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revert {
    /// A reason in words (`require(…, "reason")`).
    Reason(String),
    /// The compiler's own check, by its code (0x11 is arithmetic overflow).
    Panic(U256),
    /// A named error: its selector and arguments.
    Named([u8; 4], Bytes),
    /// No words at all (`require(…)`, failed arithmetic in assembly).
    Silent,
    /// The machine stopped: out of gas, invalid instruction.
    Halt(String),
}

impl Revert {
    /// Reads what a reverted call returned.
    #[must_use]
    pub fn decode(output: &Bytes) -> Self {
        let Some((selector, arguments)) = output.split_first_chunk::<4>() else { return Self::Silent };
        match selector {
            [0x08, 0xc3, 0x79, 0xa0] => Self::Reason(text(arguments).unwrap_or_default()),
            [0x4e, 0x48, 0x7b, 0x71] if arguments.len() == 32 => Self::Panic(U256::from_be_slice(arguments)),
            _ => Self::Named(*selector, Bytes::copy_from_slice(arguments)),
        }
    }

    /// The reason in words; empty when there is none.
    #[must_use]
    pub fn reason(&self) -> &str {
        if let Self::Reason(reason) = self { reason } else { "" }
    }

    /// Whether this is the named error with `signature` (as `PoolNotInitialized()`).
    #[must_use]
    pub fn is_named(&self, signature: &str) -> bool {
        matches!(self, Self::Named(selector, _) if alloy_primitives::keccak256(signature)[..4] == *selector)
    }
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reason(reason) => write!(f, "`{reason}`"),
            Self::Panic(code) => write!(f, "panic {code:#x}"),
            Self::Named(selector, arguments) => write!(f, "error {} {arguments}", hex::encode(selector)),
            Self::Silent => f.write_str("a revert without words"),
            Self::Halt(reason) => write!(f, "halt {reason}"),
        }
    }
}

fn text(arguments: &[u8]) -> Option<String> {
    let length = usize::try_from(U256::from_be_slice(arguments.get(32..64)?)).ok()?;
    Some(String::from_utf8_lossy(arguments.get(64..64 + length)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_panics_names_and_silence() {
        let mut spoken = vec![0x08, 0xc3, 0x79, 0xa0];
        spoken.extend(U256::from(32).to_be_bytes::<32>());
        spoken.extend(U256::from(3).to_be_bytes::<32>());
        spoken.extend(b"SPL");
        spoken.extend([0; 29]);
        assert_eq!(Revert::decode(&spoken.into()).reason(), "SPL");
        let mut panic = vec![0x4e, 0x48, 0x7b, 0x71];
        panic.extend(U256::from(0x11).to_be_bytes::<32>());
        assert_eq!(Revert::decode(&panic.into()), Revert::Panic(U256::from(0x11)));
        let named = Revert::decode(&alloy_primitives::keccak256("PoolNotInitialized()")[..4].to_vec().into());
        assert!(named.is_named("PoolNotInitialized()") && !named.is_named("Other()"));
        assert_eq!(Revert::decode(&Bytes::new()), Revert::Silent);
    }
}
