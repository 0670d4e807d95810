//! The words of closed columns.

use std::str::FromStr;

/// Whether a round follows the chain or is practice on recorded events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoundMode {
    /// Follows the chain; the only mode that changes reputation.
    Follow,
    /// Replays recorded events; has score rows of its own.
    Practice,
}

impl RoundMode {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Practice => "practice",
        }
    }
}

impl FromStr for RoundMode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "follow" => Ok(Self::Follow),
            "practice" => Ok(Self::Practice),
            _ => Err(format!("`{word}` is none of follow, practice")),
        }
    }
}

/// How far a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoundStatus {
    /// Not begun.
    Pending,
    /// Begun.
    Active,
    /// Scored; its scores are in.
    Completed,
    /// Ended without scores.
    Failed,
}

impl RoundStatus {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for RoundStatus {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "pending" => Ok(Self::Pending),
            "active" => Ok(Self::Active),
            "completed" => Ok(Self::Completed),
            "failed" => Ok(Self::Failed),
            _ => Err(format!("`{word}` is none of pending, active, completed, failed")),
        }
    }
}

/// What became of an execution's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransactionStatus {
    /// Not known yet.
    Pending,
    /// It is on the chain.
    Confirmed,
    /// It was reverted or refused.
    Failed,
}

impl TransactionStatus {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for TransactionStatus {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "pending" => Ok(Self::Pending),
            "confirmed" => Ok(Self::Confirmed),
            "failed" => Ok(Self::Failed),
            _ => Err(format!("`{word}` is none of pending, confirmed, failed")),
        }
    }
}
