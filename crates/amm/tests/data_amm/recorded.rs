//! What the tests on recorded data share.

pub use std::fs;
use std::path::PathBuf;

use assay_amm::U256;
use serde::Deserialize;

/// A path in the folder of recorded data.
pub fn data(path: &str) -> PathBuf {
    let root = std::env::var("ASSAY_TEST_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    PathBuf::from(root).join(path)
}

/// The text of a recorded file.
pub fn read(path: &str) -> String {
    let path = data(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A recorded call with the answer of the contract.
pub struct Answer {
    /// Address of the contract, as written.
    pub address: String,
    /// What was called, and its arguments.
    pub arguments: Vec<String>,
    /// The amount in the call.
    pub amount: U256,
    /// The answer, or why there is none.
    pub outcome: Result<U256, Refusal>,
}

/// What the node said instead of an answer.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Kind of the failure.
    pub exception: String,
    /// Its text; for a revert the contract's error in hexadecimal.
    pub message: String,
}

impl Answer {
    /// The index behind `name` ("i=2"), or the token before or after the arrow ("A->B").
    pub fn direction(&self, token: impl Fn(&str) -> usize) -> (usize, usize) {
        let index = |name: &str| {
            self.arguments.iter().find_map(|argument| argument.strip_prefix(name)).map(|index| index.parse().unwrap())
        };
        if let (Some(token_in), Some(token_out)) = (index("i="), index("j=")) {
            return (token_in, token_out);
        }
        let pair = self.arguments.iter().find_map(|argument| argument.split_once("->")).unwrap();
        (token(pair.0), token(pair.1))
    }

    /// The recorded amount; fails where there is none.
    pub fn value(&self) -> U256 {
        self.outcome.clone().unwrap_or_else(|refusal| panic!("{:?}: {refusal:?}", self.arguments))
    }

    /// Whether the call has this argument.
    pub fn has(&self, argument: &str) -> bool {
        self.arguments.iter().any(|own| own == argument)
    }
}

/// The answers of one recorded file, in the file's order.
pub fn answers(path: &str) -> Vec<Answer> {
    #[derive(Deserialize)]
    struct File {
        entries: serde_json::Map<String, serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(with = "assay_amm::integer::json::option", default)]
        value: Option<U256>,
        exception: Option<String>,
        message: Option<String>,
    }
    #[derive(Deserialize)]
    struct Raw<'a> {
        #[serde(borrow)]
        entries: std::collections::BTreeMap<String, &'a serde_json::value::RawValue>,
    }
    let text = read(path);
    let names: File = serde_json::from_str(&text).unwrap();
    let raw: Raw = serde_json::from_str(&text).unwrap();
    assert_eq!(names.entries.len(), raw.entries.len(), "{path}: an entry twice");
    let answer = |(key, raw): (String, &serde_json::value::RawValue)| {
        let mut parts: Vec<String> = key.split('|').map(str::to_owned).collect();
        let amount = parts.pop().unwrap().parse().unwrap();
        let address = parts.remove(0);
        let entry: Entry = serde_json::from_str(raw.get()).unwrap();
        let outcome = entry.value.ok_or_else(|| Refusal {
            exception: entry.exception.unwrap_or_default(),
            message: entry.message.unwrap_or_default(),
        });
        Answer { address, arguments: parts, amount, outcome }
    };
    raw.entries.into_iter().map(answer).collect()
}

/// How our answers for one family compare with the recorded ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Name of the family.
    pub family: String,
    /// Recorded answers compared.
    pub answers: usize,
    /// Those equal to the last unit.
    pub equal: usize,
    /// The largest difference, in token units.
    pub worst: U256,
    /// The calls that differ, with both values.
    pub differing: Vec<String>,
}

impl Tally {
    /// No answers yet.
    pub fn new(family: &str) -> Self {
        Self { family: family.to_owned(), answers: 0, equal: 0, worst: U256::ZERO, differing: Vec::new() }
    }

    /// Counts one answer.
    pub fn compare(&mut self, call: &str, recorded: U256, ours: U256) {
        self.answers += 1;
        if recorded == ours {
            self.equal += 1;
        } else {
            self.worst = self.worst.max(recorded.abs_diff(ours));
            self.differing.push(format!("{call}: recorded {recorded}, ours {ours}"));
        }
    }

    /// Counts an answer where we refuse.
    pub fn refuse(&mut self, call: &str, recorded: U256, why: impl std::fmt::Display) {
        self.answers += 1;
        self.worst = self.worst.max(recorded);
        self.differing.push(format!("{call}: recorded {recorded}, ours: {why}"));
    }

    /// Prints one line of the table.
    pub fn print(&self) {
        say(&format!("{:<40} {:>8} {:>6} {:>17}", self.family, self.answers, self.equal, self.worst));
    }
}

/// Prints a line of a test's table.
#[expect(clippy::print_stdout, reason = "the table is what a reader of the test wants")]
pub fn say(line: &str) {
    println!("{line}");
}
