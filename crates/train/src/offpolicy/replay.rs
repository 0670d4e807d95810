//! The replay buffer: what happened, kept small.
//!
//! Observations are made of a bar's features, which the data set holds already, and
//! of the account's inputs. So a transition is the bar's index and a few numbers: 29
//! bytes, whatever the number of features.

use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;

/// Account inputs of an observation: the position's sign and its open return.
pub type AccountInputs = [f32; 2];

/// One step of the past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// The bar whose close was observed; the next observation is of the bar after it.
    pub bar: u32,
    /// The account at that close.
    pub account: AccountInputs,
    /// The action, in [−1, 1].
    pub action: f32,
    /// The reward.
    pub reward: f32,
    /// The account at the next close.
    pub next_account: AccountInputs,
    /// Whether the episode terminated there, so that nothing follows. A truncated
    /// episode is not over: its last observation still has a value.
    pub terminated: bool,
}

/// The last `capacity` transitions, in columns.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayBuffer {
    capacity: usize,
    /// Where the next transition goes.
    next: usize,
    bar: Vec<u32>,
    account: Vec<AccountInputs>,
    action: Vec<f32>,
    reward: Vec<f32>,
    next_account: Vec<AccountInputs>,
    terminated: Vec<bool>,
}

impl ReplayBuffer {
    /// An empty buffer; memory is taken as it fills.
    ///
    /// # Panics
    /// When `capacity` is zero.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a replay buffer holds at least one transition");
        Self {
            capacity,
            next: 0,
            bar: Vec::new(),
            account: Vec::new(),
            action: Vec::new(),
            reward: Vec::new(),
            next_account: Vec::new(),
            terminated: Vec::new(),
        }
    }

    /// Transitions held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bar.len()
    }

    /// Adds a transition in place of the oldest when the buffer is full.
    pub fn push(&mut self, transition: Transition) {
        if self.len() < self.capacity {
            self.bar.push(transition.bar);
            self.account.push(transition.account);
            self.action.push(transition.action);
            self.reward.push(transition.reward);
            self.next_account.push(transition.next_account);
            self.terminated.push(transition.terminated);
        } else {
            let at = self.next;
            self.bar[at] = transition.bar;
            self.account[at] = transition.account;
            self.action[at] = transition.action;
            self.reward[at] = transition.reward;
            self.next_account[at] = transition.next_account;
            self.terminated[at] = transition.terminated;
        }
        self.next = (self.next + 1) % self.capacity;
    }

    /// The transition at `slot`.
    ///
    /// # Panics
    /// When `slot` is not below [`ReplayBuffer::len`].
    #[inline]
    #[must_use]
    pub fn get(&self, slot: usize) -> Transition {
        Transition {
            bar: self.bar[slot],
            account: self.account[slot],
            action: self.action[slot],
            reward: self.reward[slot],
            next_account: self.next_account[slot],
            terminated: self.terminated[slot],
        }
    }

    /// Writes every transition.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.next as u64);
        let bars: Vec<u8> = self.bar.iter().flat_map(|bar| bar.to_le_bytes()).collect();
        writer.bytes(&bars);
        writer.f32s(self.account.as_flattened());
        writer.f32s(&self.action);
        writer.f32s(&self.reward);
        writer.f32s(self.next_account.as_flattened());
        let ends: Vec<u8> = self.terminated.iter().map(|terminated| u8::from(*terminated)).collect();
        writer.bytes(&ends);
    }

    /// Restores what [`Self::save`] wrote; every transition has to be within `bars`
    /// bars.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] when the columns do not fit together or this buffer.
    pub fn restore(&mut self, reader: &mut Reader, bars: usize) -> Result<(), TrainError> {
        let next = reader.usize()?;
        let bar: Vec<u32> = reader.bytes()?.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let account = reader.f32s()?.as_chunks().0.to_vec();
        let (action, reward) = (reader.f32s()?, reader.f32s()?);
        let next_account = reader.f32s()?.as_chunks().0.to_vec();
        let terminated: Vec<bool> = reader.bytes()?.iter().map(|end| *end != 0).collect();
        let count = bar.len();
        let lengths = [account.len(), action.len(), reward.len(), next_account.len(), terminated.len()];
        let full_or_growing = if count < self.capacity { next == count } else { next < count };
        let fits = count <= self.capacity && full_or_growing && bar.iter().all(|bar| (*bar as usize) + 1 < bars);
        if !fits || lengths.iter().any(|length| *length != count) {
            return Err(TrainError::Checkpoint("its replay buffer does not fit this run".into()));
        }
        *self = Self { capacity: self.capacity, next, bar, account, action, reward, next_account, terminated };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transition(bar: u32) -> Transition {
        let value = bar as f32;
        Transition {
            bar,
            account: [1.0, value],
            action: value / 10.0,
            reward: -value,
            next_account: [-1.0, value + 0.5],
            terminated: bar.is_multiple_of(3),
        }
    }

    #[test]
    fn a_full_buffer_forgets_the_oldest_first() {
        let mut buffer = ReplayBuffer::new(4);
        assert_eq!(buffer.len(), 0);
        for bar in 0..10 {
            buffer.push(transition(bar));
            assert_eq!(buffer.len(), (bar as usize + 1).min(4));
        }
        let mut held: Vec<u32> = (0..4).map(|slot| buffer.get(slot).bar).collect();
        held.sort_unstable();
        assert_eq!(held, [6, 7, 8, 9]);
        for slot in 0..4 {
            assert_eq!(buffer.get(slot), transition(buffer.get(slot).bar));
        }
    }

    #[test]
    fn a_saved_buffer_reads_back_and_one_that_does_not_fit_is_refused() {
        for count in [0, 3, 4, 7] {
            let mut buffer = ReplayBuffer::new(4);
            (0..count).for_each(|bar| buffer.push(transition(bar)));
            let mut writer = Writer::default();
            buffer.save(&mut writer);
            let bytes = writer.finish();
            let restore = |capacity, bars| {
                let mut copy = ReplayBuffer::new(capacity);
                copy.restore(&mut Reader::new(&bytes).unwrap(), bars).map(|()| copy)
            };
            assert_eq!(restore(4, 8).as_ref(), Ok(&buffer), "{count}");
            assert_eq!(restore(2, 8).is_ok(), count == 0);
            assert_eq!(restore(4, 3).is_ok(), count == 0);
        }
    }
}
