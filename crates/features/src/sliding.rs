//! Sums over the last n values without subtraction, hence without drift: the window
//! is the end of one block of n values and the start of the next, and both sums are
//! kept by adding alone.

use crate::archive::Archive;

/// Sums of `K` series over their last `n` values.
#[derive(Debug, Clone)]
pub struct SlidingSums<const K: usize> {
    /// Before the phase: values of this block. From it on: for each value of the block
    /// before, the sum from it to that block's end.
    slots: Vec<[f64; K]>,
    prefix: [f64; K],
    pushed: u64,
    phase: usize,
}

impl<const K: usize> SlidingSums<K> {
    /// Empty sums over `length` values.
    ///
    /// # Panics
    /// When `length` is zero.
    #[must_use]
    pub fn new(length: usize) -> Self {
        assert!(length > 0, "a sum covers at least one value");
        Self { slots: vec![[0.0; K]; length], prefix: [0.0; K], pushed: 0, phase: 0 }
    }

    /// Takes the next values; the sums, or `None` until `n` values were taken.
    pub fn next(&mut self, values: [f64; K]) -> Option<[f64; K]> {
        let length = self.slots.len();
        self.pushed += 1;
        self.slots[self.phase] = values;
        self.phase += 1;
        if self.phase < length {
            self.prefix = add(self.prefix, values);
            return (self.pushed > length as u64).then(|| add(self.slots[self.phase], self.prefix));
        }
        let mut sum = [0.0; K];
        for slot in self.slots.iter_mut().rev() {
            sum = add(*slot, sum);
            *slot = sum;
        }
        self.prefix = [0.0; K];
        self.phase = 0;
        Some(sum)
    }

    /// Takes `values` in order, all after the warm-up; the sum after each into `sums`.
    pub fn fill(&mut self, values: &[[f64; K]], sums: &mut Vec<[f64; K]>) {
        let length = self.slots.len();
        sums.clear();
        let mut rest = values;
        while let Some((value, others)) = rest.split_first() {
            if self.phase == 0 && rest.len() >= length {
                let (block, others) = rest.split_at(length);
                self.block(block, sums);
                rest = others;
            } else {
                sums.extend(self.next(*value));
                rest = others;
            }
        }
    }

    /// A whole block from phase 0.
    fn block(&mut self, values: &[[f64; K]], sums: &mut Vec<[f64; K]>) {
        let mut prefix = [0.0; K];
        sums.extend(self.slots[1..].iter().zip(values).map(|(suffix, value)| {
            prefix = add(prefix, *value);
            add(*suffix, prefix)
        }));
        let mut sum = [0.0; K];
        for (slot, value) in self.slots.iter_mut().zip(values).rev() {
            sum = add(*value, sum);
            *slot = sum;
        }
        self.pushed += values.len() as u64;
        sums.push(sum);
    }

    /// Number of values that a sum covers.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.slots.len() as f64
    }

    /// Writes or reads the state.
    pub fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.pushed);
        archive.numbers(self.slots.as_flattened_mut());
        archive.numbers(&mut self.prefix);
        self.phase = (self.pushed % self.slots.len() as u64) as usize;
    }
}

fn add<const K: usize>(mut a: [f64; K], b: [f64; K]) -> [f64; K] {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_give_the_same_bits_and_state() {
        for (length, split) in [(1, 1), (4, 4), (7, 9), (7, 21), (5, 6)] {
            let values: Vec<[f64; 2]> = (0..60).map(|i| [f64::from(i).sqrt(), 1.0 / f64::from(i + 1)]).collect();
            let mut one = SlidingSums::new(length);
            let mut many = one.clone();
            let expected: Vec<_> = values.iter().filter_map(|value| one.next(*value)).collect();
            for value in &values[..=split] {
                many.next(*value);
            }
            let mut sums = Vec::new();
            many.fill(&values[split + 1..], &mut sums);
            assert_eq!(sums, expected[expected.len() - sums.len()..]);
            assert_eq!(format!("{one:?}"), format!("{many:?}"));
        }
    }

    #[test]
    fn sums_are_those_of_the_window() {
        for length in 1..9 {
            let mut sums = SlidingSums::new(length);
            let values: Vec<f64> = (0..50).map(|i| f64::from(i * i % 17)).collect();
            for end in 1..=values.len() {
                let sum = sums.next([values[end - 1], 1.0]);
                let expected = end.checked_sub(length).map(|start| [values[start..end].iter().sum(), length as f64]);
                assert_eq!(sum, expected);
            }
        }
    }
}
