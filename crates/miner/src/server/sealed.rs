//! Answers that are sealed and not yet asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use assay_lp::protocol::seal::{self, Commitment, SealPlace};
use assay_lp::protocol::{MAX_ANSWER_BYTES, RevealReply};
use tokio::sync::OnceCell;

/// Sealed answers kept for one validator; the oldest go first.
pub const MAX_SEALED_PER_VALIDATOR: usize = 256;
/// Validators with sealed answers; who has not asked for longest goes first.
pub const MAX_VALIDATORS: usize = 64;

/// Job, round and block of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    job_id: String,
    round_id: String,
    checkpoint: u64,
}

impl Place {
    pub(super) fn of(job_id: &str, round_id: &str, checkpoint: u64) -> Self {
        Self { job_id: job_id.to_owned(), round_id: round_id.to_owned(), checkpoint }
    }
}

pub(super) struct SealedAnswer {
    pub(super) commitment: Commitment,
    salt: [u8; 32],
    text: String,
}

impl SealedAnswer {
    /// Seals `text` with a fresh salt.
    pub(super) fn new(place: &Place, miner: &str, text: String) -> Result<Self, String> {
        if text.len() > MAX_ANSWER_BYTES {
            return Err(format!("the answer has {} bytes, {MAX_ANSWER_BYTES} are allowed", text.len()));
        }
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
        let Place { job_id, round_id, checkpoint } = place;
        let place = SealPlace { job_id, round_id, checkpoint: *checkpoint, miner };
        Ok(Self { commitment: seal::commit(&place, &salt, &text), salt, text })
    }
}

/// Filled once, by whoever asks first.
type Cell = Arc<OnceCell<SealedAnswer>>;

#[derive(Default)]
pub(super) struct SealedAnswers {
    validators: BTreeMap<String, Answers>,
    asked: u64,
}

#[derive(Default)]
struct Answers {
    last_asked: u64,
    order: VecDeque<Place>,
    cells: BTreeMap<Place, Cell>,
}

impl SealedAnswers {
    /// The cell of `validator`'s answer at `place`, new when it was not asked there before.
    pub(super) fn cell(&mut self, validator: &str, place: &Place) -> Cell {
        if !self.validators.contains_key(validator) && self.validators.len() >= MAX_VALIDATORS {
            let quiet = self.validators.iter().min_by_key(|(_, answers)| answers.last_asked);
            let quiet = quiet.map(|(validator, _)| validator.clone());
            quiet.map(|quiet| self.validators.remove(&quiet));
        }
        self.asked += 1;
        let answers = self.validators.entry(validator.to_owned()).or_default();
        answers.last_asked = self.asked;
        if let Some(cell) = answers.cells.get(place) {
            return Arc::clone(cell);
        }
        if answers.order.len() >= MAX_SEALED_PER_VALIDATOR
            && let Some(oldest) = answers.order.pop_front()
        {
            answers.cells.remove(&oldest);
        }
        let cell = Cell::default();
        answers.order.push_back(place.clone());
        answers.cells.insert(place.clone(), Arc::clone(&cell));
        cell
    }

    /// The reveal of `commitment`, if it was made to `validator` at `place`.
    pub(super) fn find(&self, validator: &str, place: &Place, commitment: Commitment) -> Option<RevealReply> {
        let sealed = self.validators.get(validator)?.cells.get(place)?.get()?;
        (sealed.commitment == commitment).then(|| seal::reveal(&sealed.salt, &sealed.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(checkpoint: u64) -> Place {
        Place::of("job", "round", checkpoint)
    }

    fn put(answers: &mut SealedAnswers, validator: &str, checkpoint: u64) -> Commitment {
        let sealed = SealedAnswer::new(&place(checkpoint), "miner", "{}".into()).ok().unwrap();
        let commitment = sealed.commitment;
        assert!(answers.cell(validator, &place(checkpoint)).set(sealed).is_ok());
        commitment
    }

    #[test]
    fn a_validator_pushes_out_its_own_oldest_answer_only() {
        let mut answers = SealedAnswers::default();
        let other = put(&mut answers, "other", 0);
        let first = put(&mut answers, "busy", 0);
        let second = put(&mut answers, "busy", 1);
        for checkpoint in 2..=MAX_SEALED_PER_VALIDATOR as u64 {
            put(&mut answers, "busy", checkpoint);
        }
        assert_eq!(answers.find("busy", &place(0), first), None);
        assert!(answers.find("busy", &place(1), second).is_some());
        assert!(answers.find("other", &place(0), other).is_some());
        assert_eq!(answers.validators["busy"].cells.len(), MAX_SEALED_PER_VALIDATOR);
    }

    #[test]
    fn the_quietest_validator_makes_room() {
        let mut answers = SealedAnswers::default();
        let quiet = put(&mut answers, "quiet", 0);
        for n in 0..MAX_VALIDATORS {
            put(&mut answers, &n.to_string(), 0);
        }
        assert_eq!(answers.validators.len(), MAX_VALIDATORS);
        assert_eq!(answers.find("quiet", &place(0), quiet), None);
    }

    #[test]
    fn an_answer_too_long_to_reveal_is_not_sealed() {
        assert!(SealedAnswer::new(&place(0), "miner", "x".repeat(MAX_ANSWER_BYTES + 1)).is_err());
    }

    #[test]
    fn equal_answers_do_not_show_in_their_seals() {
        let mut answers = SealedAnswers::default();
        assert_ne!(put(&mut answers, "a", 0), put(&mut answers, "b", 0));
    }
}
