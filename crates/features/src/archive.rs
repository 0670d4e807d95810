//! The state of indicators as 64-bit words: one walk over the fields both writes and
//! reads, so that the two cannot disagree, and every bit of a float survives.

/// Where a walk over an indicator's fields writes to or reads from.
#[derive(Debug)]
pub struct Archive<'a> {
    words: Words<'a>,
    complete: bool,
}

#[derive(Debug)]
enum Words<'a> {
    Write(&'a mut Vec<u64>),
    Read(std::slice::Iter<'a, u64>),
}

impl<'a> Archive<'a> {
    /// An archive that appends to `words`.
    #[must_use]
    pub fn writer(words: &'a mut Vec<u64>) -> Self {
        Self { words: Words::Write(words), complete: true }
    }

    /// An archive that reads `words` from the start.
    #[must_use]
    pub fn reader(words: &'a [u64]) -> Self {
        Self { words: Words::Read(words.iter()), complete: true }
    }

    /// One counter.
    pub fn count(&mut self, value: &mut u64) {
        match &mut self.words {
            Words::Write(words) => words.push(*value),
            Words::Read(words) => match words.next() {
                Some(&word) => *value = word,
                None => self.complete = false,
            },
        }
    }

    /// One number, bit for bit.
    pub fn number(&mut self, value: &mut f64) {
        let mut bits = value.to_bits();
        self.count(&mut bits);
        *value = f64::from_bits(bits);
    }

    /// Several numbers, in order.
    pub fn numbers(&mut self, values: &mut [f64]) {
        values.iter_mut().for_each(|value| self.number(value));
    }

    /// Whether a reader found every word and used all of them; a writer always is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
            && match &self.words {
                Words::Write(_) => true,
                Words::Read(words) => words.len() == 0,
            }
    }
}
