//! The bytes of a checkpoint: little-endian numbers between a versioned prefix and
//! the SHA-256 of all that came before, so that a damaged file is never resumed.

use assay_types::Hash;

use crate::error::TrainError;

const PREFIX: &[u8] = b"assay/checkpoint/1\n";

/// Writes a checkpoint.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

impl Default for Writer {
    fn default() -> Self {
        Self(PREFIX.to_vec())
    }
}

impl Writer {
    /// Appends one number.
    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends one number.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Appends a length and that many bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Appends a length and that many numbers.
    pub fn f32s(&mut self, values: &[f32]) {
        self.u64(values.len() as u64);
        values.iter().for_each(|value| self.0.extend_from_slice(&value.to_le_bytes()));
    }

    /// The whole checkpoint.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let hash = Hash::of(&self.0);
        self.0.extend_from_slice(&hash.0);
        self.0
    }
}

/// Reads a checkpoint in the order it was written.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks prefix and hash.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] when the bytes are no whole checkpoint.
    pub fn new(bytes: &'a [u8]) -> Result<Self, TrainError> {
        let (body, hash) = bytes.split_last_chunk::<32>().ok_or(TrainError::Checkpoint("it is cut short".into()))?;
        if Hash::of(body).0 != *hash {
            return Err(TrainError::Checkpoint("its hash does not match: the file is damaged".into()));
        }
        let rest = body.strip_prefix(PREFIX);
        rest.map(Self).ok_or_else(|| TrainError::Checkpoint("it is not a checkpoint of this version".into()))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], TrainError> {
        let (head, rest) =
            self.0.split_at_checked(count).ok_or_else(|| TrainError::Checkpoint("it ends too early".into()))?;
        self.0 = rest;
        Ok(head)
    }

    /// The next number.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] at the end.
    pub fn u64(&mut self) -> Result<u64, TrainError> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken")))
    }

    /// The next number as a count or index.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] at the end or when it does not fit.
    pub fn usize(&mut self) -> Result<usize, TrainError> {
        usize::try_from(self.u64()?).map_err(|_| TrainError::Checkpoint("a count is out of range".into()))
    }

    /// The next number.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] at the end.
    pub fn f64(&mut self) -> Result<f64, TrainError> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] at the end.
    pub fn bytes(&mut self) -> Result<&'a [u8], TrainError> {
        let count = self.usize()?;
        self.take(count)
    }

    /// The next numbers.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] at the end.
    pub fn f32s(&mut self) -> Result<Vec<f32>, TrainError> {
        let count = self.usize()?.saturating_mul(4);
        Ok(self.take(count)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] when bytes follow.
    pub fn finish(self) -> Result<(), TrainError> {
        if self.0.is_empty() { Ok(()) } else { Err(TrainError::Checkpoint("bytes follow its end".into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back_and_damage_is_seen() {
        let mut writer = Writer::default();
        writer.u64(7);
        writer.f64(-0.5);
        writer.f32s(&[1.0, 2.5]);
        writer.bytes(b"abc");
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes).unwrap();
        assert_eq!((reader.usize().unwrap(), reader.f64().unwrap()), (7, -0.5));
        assert_eq!((reader.f32s().unwrap(), reader.bytes().unwrap()), (vec![1.0, 2.5], b"abc".as_slice()));
        assert!(reader.u64().is_err());
        reader.finish().unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(Reader::new(&damaged).is_err(), "{at}");
            assert!(Reader::new(&bytes[..at]).is_err(), "{at}");
        }
    }
}
