//! The audit of a round's record: its arithmetic from the record alone, and with the pool's
//! events the whole round once more.

use std::collections::BTreeMap;

use assay_lp::record::{EXECUTED, Outcome};
use assay_lp::reputation::Eligibility;
use assay_lp::{RebalanceAnswer, RebalanceQuery, Reply, RoundRecord, RoundType};
use assay_store::database::DatabaseLocation;
use assay_store::{read, write_atomic};
use assay_types::Hash;
use serde::Serialize;
use serde_json::Value;

use crate::error::JobError;
use crate::jobs::lp::events::Source;
use crate::jobs::lp::miners::recorded_entrant;
use crate::jobs::lp::records;
use crate::jobs::lp::registry::Registry;
use crate::jobs::lp::round::Runner;
use crate::jobs::lp::stored_round::{StoredRound, stored_round};
use crate::report::{PageFile, RoundPageOptions, round_page};
use crate::workspace::Workspace;

/// What to audit.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// A record's file, a round's id, or the first digits of a record's hash.
    pub round: String,
    /// The hash that the record must have, when the file's name does not say.
    pub hash: Option<Hash>,
    /// The pool's events, to run the round once more.
    pub source: Option<Source>,
    /// The validator's database, asked for rounds that are no file; the one in the home folder
    /// when `None` and it exists.
    pub jobs_db: Option<DatabaseLocation>,
    /// Where the round's page is written.
    pub report: Option<PageFile>,
}

/// A record, audited.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The file, or the database and round.
    pub record: String,
    /// The round.
    pub round_id: String,
    /// Follow or practice.
    pub mode: &'static str,
    /// The record's hash.
    pub record_hash: Hash,
    /// Miners in it.
    pub miners: usize,
    /// The best ranked miner that is not built in.
    pub paid: Option<String>,
    /// Whether every check held.
    pub held: bool,
    /// The checks in order.
    pub checks: Vec<Check>,
    /// What differs first.
    pub first_difference: Option<String>,
    /// The round's page.
    pub report: Option<String>,
}

/// A record's text and what is known beside it.
struct Found {
    place: String,
    bytes: Vec<u8>,
    hash: Option<Hash>,
    eligibility: BTreeMap<String, Eligibility>,
}

/// A check of a record.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// Whether it holds.
    pub held: bool,
    /// What was compared, or what differs.
    pub text: String,
}

impl VerifyRequest {
    /// Audits the record; one that does not hold is no error but says so.
    ///
    /// # Errors
    /// [`JobError::Input`] when there is no such record, it is none, or the events cannot be
    /// its pool's.
    pub fn run(self, workspace: &Workspace) -> Result<Verified, JobError> {
        let found = self.find(workspace)?;
        let fail = |error: serde_json::Error| {
            JobError::Input(format!("{}: this is no record of a round: {error}", found.place))
        };
        let stored: Value = serde_json::from_slice(&found.bytes).map_err(fail)?;
        let record: RoundRecord = serde_json::from_slice(&found.bytes).map_err(fail)?;
        let mut checks = vec![arithmetic(&record), shape(&stored, &record)];
        checks.extend(self.hash.or(found.hash).map(|hash| named(&record, hash)));
        if let Some(source) = &self.source {
            checks.push(again(&record, source, workspace)?);
        }
        let first = checks.iter().find(|check| !check.held).map(|check| check.text.clone());
        let report = self.report.as_ref().filter(|_| !workspace.dry_run);
        if let Some(report) = report {
            let tokens = report.tokens.clone();
            let options = RoundPageOptions { tokens, eligibility: found.eligibility, ..RoundPageOptions::default() };
            write_atomic(&report.path, round_page(&record, &options).as_bytes())?;
        }
        Ok(Verified {
            record: found.place,
            round_id: record.round_id.clone(),
            mode: record.mode.name(),
            record_hash: record.hash(),
            miners: record.miners.len(),
            paid: record.winner,
            held: first.is_none(),
            checks,
            first_difference: first,
            report: report.map(|page| page.path.display().to_string()),
        })
    }

    /// The record in a file, else in the validator's database.
    fn find(&self, workspace: &Workspace) -> Result<Found, JobError> {
        let no_file = match records::find(&workspace.home, &self.round) {
            Ok(path) => {
                let (bytes, hash) = (read(&path)?, records::hash_in_name(&path));
                return Ok(Found { place: path.display().to_string(), bytes, hash, eligibility: BTreeMap::new() });
            }
            Err(error) => error,
        };
        let registry = Registry::new(workspace, self.jobs_db.clone());
        let absent = matches!(registry.location(), DatabaseLocation::Sqlite(path) if !path.exists());
        if self.jobs_db.is_none() && absent {
            return Err(no_file);
        }
        let StoredRound { record, hash, eligibility } = stored_round(&registry, &self.round)?.ok_or(no_file)?;
        let place = format!("{} in {}", self.round, registry.location());
        Ok(Found { place, bytes: record.into_bytes(), hash, eligibility })
    }
}

fn arithmetic(record: &RoundRecord) -> Check {
    let name = "arithmetic";
    match record.verify() {
        Ok(()) => {
            let text = format!("scores, ranks and winner of {} miners recomputed", record.miners.len());
            Check { name, held: true, text }
        }
        Err(error) => Check { name, held: false, text: error.to_string() },
    }
}

/// A record says nothing beside what its hash covers.
fn shape(stored: &Value, record: &RoundRecord) -> Check {
    let read = serde_json::to_value(record).unwrap_or_default();
    match difference(stored, &read) {
        None => Check { name: "shape", held: true, text: "every field is one of a record".to_owned() },
        Some(Difference { path, first, second }) => {
            let text = format!("{path} is {first} in the file, and {second} in a record");
            Check { name: "shape", held: false, text }
        }
    }
}

fn named(record: &RoundRecord, hash: Hash) -> Check {
    let found = record.hash();
    let held = found == hash;
    let text = if held { format!("{found}") } else { format!("the record's hash is {found}, not {hash}") };
    Check { name: "hash", held, text }
}

/// Runs the round from the events and the recorded answers.
fn again(record: &RoundRecord, source: &Source, workspace: &Workspace) -> Result<Check, JobError> {
    let name = "re-execution";
    if record.round_type == RoundType::Live || record.simulation == EXECUTED {
        let text = "a live round moved real money, which events alone do not tell: leave out --events";
        return Err(JobError::Input(text.to_owned()));
    }
    if let Err(error) = record.job.check() {
        return Ok(Check { name, held: false, text: error.to_string() });
    }
    workspace.progress.stage("re-execution");
    let mut runner = Runner::open(&record.job, source, workspace)?;
    let entrants = record.miners.iter().map(recorded_entrant).collect();
    let ran = runner.round(record.round_number, entrants, |checkpoint, queries| {
        let pairs = record.miners.iter().zip(queries);
        pairs
            .map(|(miner, query)| {
                let answer = miner.answers.iter().find(|answer| answer.checkpoint == checkpoint.index)?;
                Some(reply(answer, query.as_ref()?))
            })
            .collect()
    })?;
    let ran = RoundRecord { mode: record.mode, ..ran };
    let value = |record: &RoundRecord| serde_json::to_value(record).unwrap_or_default();
    Ok(match difference(&value(record), &value(&ran)) {
        None => {
            let text = format!("{} requests ran again in {} pools: the same record", ran.requests, ran.miners.len());
            Check { name, held: true, text }
        }
        Some(Difference { path, first, second }) => {
            let text = format!("{path} is {first} in the record, re-executed {second}");
            Check { name, held: false, text }
        }
    })
}

/// The reply that a recorded answer came from, as far as it matters.
fn reply(answer: &assay_lp::record::AnswerRecord, query: &RebalanceQuery) -> Reply {
    let reason = answer.reason.clone();
    match answer.outcome {
        Outcome::Kept => Reply::Answer(RebalanceAnswer::positions(query.current_positions.clone())),
        Outcome::Rebalanced => Reply::Answer(RebalanceAnswer::positions(answer.positions.clone())),
        Outcome::Refused => Reply::Answer(RebalanceAnswer { refusal_reason: reason, ..RebalanceAnswer::refuse("") }),
        Outcome::Missed => Reply::Missed(reason.unwrap_or_default()),
        Outcome::Invalid => Reply::Invalid(reason.unwrap_or_default()),
    }
}

/// Where two values differ first.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    path: String,
    first: String,
    second: String,
}

fn difference(first: &Value, second: &Value) -> Option<Difference> {
    const MISSING: &Value = &Value::Null;
    let inside = |name: String, found: Difference| {
        let separator = if found.path.is_empty() || found.path.starts_with('[') { "" } else { "." };
        Difference { path: format!("{name}{separator}{}", found.path), ..found }
    };
    match (first, second) {
        _ if first == second => None,
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            names.into_iter().find_map(|name| {
                let pair = (one.get(name).unwrap_or(MISSING), other.get(name).unwrap_or(MISSING));
                difference(pair.0, pair.1).map(|found| inside(name.clone(), found))
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).enumerate().find_map(|(index, (one, other))| {
                let name = one.get("miner").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned);
                difference(one, other).map(|found| inside(format!("[{name}]"), found))
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            let count = |list: &[Value]| format!("a list of {}", list.len());
            Some(Difference { path: String::new(), first: count(one), second: count(other) })
        }
        _ => {
            let text = |value: &Value| match value {
                Value::Null => "nothing".to_owned(),
                Value::String(text) => text.clone(),
                Value::Object(_) | Value::Array(_) => "something else".to_owned(),
                other => other.to_string(),
            };
            Some(Difference { path: String::new(), first: text(first), second: text(second) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_has_its_path() {
        let one = json!({"a": 1, "miners": [{"miner": "x", "measured": {"fees": "10"}}], "path": [1, 2]});
        assert_eq!(difference(&one, &one.clone()), None);
        let mut other = one.clone();
        other["miners"][0]["measured"]["fees"] = json!("11");
        other["path"] = json!([1]);
        let found = difference(&one, &other).unwrap();
        let [path, first, second] = ["miners[x].measured.fees", "10", "11"].map(str::to_owned);
        assert_eq!(found, Difference { path, first, second });
        other["miners"] = one["miners"].clone();
        assert_eq!(difference(&one, &other).unwrap().second, "a list of 1");
        assert_eq!(difference(&one, &json!({"a": 1})).unwrap().path, "miners");
    }
}
