//! Built-in strategies, the baselines of every round: a question in, an answer out, ticks
//! and tokens in integers. One file each.

mod base_limit;
mod fixed_width;
mod full_range;
mod recentre;
pub(crate) mod view;
mod volatility;

use std::fmt;
use std::str::FromStr;

use crate::job::Job;
use crate::query::{DesiredPosition, MinerMetadata, RebalanceAnswer, RebalanceQuery};
use base_limit::BaseLimit;
use fixed_width::FixedWidth;
use view::View;
use volatility::Volatility;

/// Widest range in ticks that a strategy may ask for.
const MAX_WIDTH: i32 = 887_272;
/// Largest multiple of the volatility.
const MAX_MULTIPLE: u32 = 1_000;

/// How strategies are written, for messages, help and tests: a width in ticks, a multiple.
pub const KNOWN: [&str; 6] =
    ["hold", "full-range", "fixed:WIDTH", "recentre:WIDTH", "base-limit:WIDTH", "volatility:K"];

/// A built-in strategy with its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy {
    rule: Rule,
    limits: Limits,
    round_id: Option<String>,
    asked: bool,
}

/// Limits of the job that a question does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    max_rebalances: u32,
    min_width: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Hold,
    FullRange,
    Fixed(FixedWidth),
    Recentre { width: i32 },
    BaseLimit(BaseLimit),
    Volatility(Volatility),
}

/// A text that names no strategy, or one that does not fit a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strategy `{text}`: {reason}")]
pub struct StrategyError {
    /// The text.
    pub text: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl Strategy {
    /// One of every kind with widths that a job allows: the list that tables compare.
    #[must_use]
    pub fn baselines(job: &Job) -> Vec<Self> {
        let spacing = job.pool.tick_spacing.max(1);
        let least = job.constraints.min_tick_width.clamp(1_000, MAX_WIDTH / 8);
        let narrow = (least + spacing - 1) / spacing * spacing;
        let wide = 4 * narrow;
        let rules = [
            Rule::Hold,
            Rule::FullRange,
            Rule::Fixed(FixedWidth::new(wide)),
            Rule::Recentre { width: narrow },
            Rule::BaseLimit(BaseLimit::new(narrow)),
            Rule::Volatility(Volatility::new(8)),
        ];
        rules.into_iter().map(Self::of).collect()
    }

    fn of(rule: Rule) -> Self {
        let defaults = crate::job::Constraints::default();
        let limits = Limits { max_rebalances: defaults.max_rebalances, min_width: defaults.min_tick_width };
        Self { rule, limits, round_id: None, asked: false }
    }

    /// The strategy with the limits of a job, which its questions do not show.
    ///
    /// # Errors
    /// [`StrategyError`] for a width off the job's grid or below its narrowest range.
    pub fn for_job(mut self, job: &Job) -> Result<Self, StrategyError> {
        let limits = &job.constraints;
        self.limits = Limits { max_rebalances: limits.max_rebalances, min_width: limits.min_tick_width };
        let Some(width) = self.width() else { return Ok(self) };
        let spacing = job.pool.tick_spacing;
        let fail = |reason| Err(StrategyError { text: self.to_string(), reason });
        if width % spacing != 0 {
            let below = width / spacing * spacing;
            let nearest = if below > 0 { format!("{below} or {}", below + spacing) } else { spacing.to_string() };
            return fail(format!("a width of {width} is off the grid of {spacing} ticks: take {nearest}"));
        }
        if width < limits.min_tick_width {
            return fail(format!("a width of {width} is narrower than the {} of the job", limits.min_tick_width));
        }
        Ok(self)
    }

    const fn width(&self) -> Option<i32> {
        match &self.rule {
            Rule::Hold | Rule::FullRange | Rule::Volatility(_) => None,
            Rule::Fixed(fixed) => Some(fixed.width),
            Rule::Recentre { width } => Some(*width),
            Rule::BaseLimit(base) => Some(base.width),
        }
    }

    /// Answers a question. A question of another round starts the memory of positions anew;
    /// prices seen are kept.
    pub fn answer(&mut self, query: &RebalanceQuery) -> RebalanceAnswer {
        if self.round_id.as_ref() != Some(&query.round_id) {
            self.round_id = Some(query.round_id.clone());
            self.asked = false;
            self.forget_round();
        }
        let Some(view) = View::of(query, self.limits.min_width) else {
            return RebalanceAnswer::refuse("the question has a price or a tick spacing out of range");
        };
        let wanted = self.wanted(&view);
        // The first deployment is no rebalance.
        let spent = self.asked && query.rebalances_so_far >= self.limits.max_rebalances;
        let positions = match wanted {
            Some(wanted) if !spent => {
                self.asked = true;
                wanted
            }
            _ => query.current_positions.clone(),
        };
        let metadata =
            MinerMetadata { version: env!("CARGO_PKG_VERSION").to_owned(), model_info: format!("built-in {self}") };
        RebalanceAnswer { miner_metadata: Some(metadata), ..RebalanceAnswer::positions(positions) }
    }

    /// New positions, or `None` to keep what stands.
    fn wanted(&mut self, view: &View<'_>) -> Option<Vec<DesiredPosition>> {
        match &mut self.rule {
            Rule::Hold => (!view.query.current_positions.is_empty()).then(Vec::new),
            Rule::FullRange => full_range::wanted(view),
            Rule::Fixed(fixed) => fixed.wanted(view),
            Rule::Recentre { width } => recentre::wanted(view, *width),
            Rule::BaseLimit(base) => base.wanted(view),
            Rule::Volatility(volatility) => volatility.wanted(view),
        }
    }

    fn forget_round(&mut self) {
        match &mut self.rule {
            Rule::Fixed(fixed) => fixed.range = None,
            Rule::BaseLimit(base) => base.range = None,
            Rule::Hold | Rule::FullRange | Rule::Recentre { .. } | Rule::Volatility(_) => {}
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Hold => f.write_str("hold"),
            Rule::FullRange => f.write_str("full-range"),
            Rule::Fixed(fixed) => write!(f, "fixed:{}", fixed.width),
            Rule::Recentre { width } => write!(f, "recentre:{width}"),
            Rule::BaseLimit(base) => write!(f, "base-limit:{}", base.width),
            Rule::Volatility(volatility) => write!(f, "volatility:{}", volatility.multiple),
        }
    }
}

impl FromStr for Strategy {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        let fail = |reason: String| StrategyError { text: text.to_owned(), reason };
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, argument)| (name, Some(argument)));
        let width = || {
            let range = 1..=MAX_WIDTH;
            let width = argument.and_then(|text| text.parse().ok()).filter(|width| range.contains(width));
            width.ok_or_else(|| fail(format!("write it as {name}:WIDTH with a width of 1 … {MAX_WIDTH} ticks")))
        };
        let multiple = || {
            let range = 1..=MAX_MULTIPLE;
            let multiple = argument.and_then(|text| text.parse().ok()).filter(|multiple| range.contains(multiple));
            multiple.ok_or_else(|| fail(format!("write it as {name}:K with a K of 1 … {MAX_MULTIPLE}")))
        };
        let alone = |rule| match argument {
            Some(_) => Err(fail(format!("{name} takes no argument"))),
            None => Ok(rule),
        };
        let rule = match name {
            "hold" => alone(Rule::Hold)?,
            "full-range" => alone(Rule::FullRange)?,
            "fixed" => Rule::Fixed(FixedWidth::new(width()?)),
            "recentre" => Rule::Recentre { width: width()? },
            "base-limit" => Rule::BaseLimit(BaseLimit::new(width()?)),
            "volatility" => Rule::Volatility(Volatility::new(multiple()?)),
            _ => return Err(fail(format!("unknown; known are {}", KNOWN.join(", ")))),
        };
        Ok(Self::of(rule))
    }
}

#[cfg(test)]
mod tests;
