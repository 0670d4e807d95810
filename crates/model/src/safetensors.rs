//! Weights as a safetensors file: eight bytes of header length, a JSON header, the
//! numbers. The bytes are a function of the tensors alone, so their SHA-256 is an
//! identity of the weights (R1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// A named array of single-precision numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The name, unique in a file.
    pub name: String,
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// The numbers; as many as the product of the shape.
    pub values: Vec<f32>,
}

/// The largest header accepted, in bytes.
const MAX_HEADER: usize = 16 << 20;

#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The file: tensors in name order, no metadata, the header padded with spaces to
/// a multiple of eight bytes.
#[must_use]
pub fn to_safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let mut sorted: Vec<&Tensor> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut header = BTreeMap::new();
    let mut at = 0;
    for tensor in &sorted {
        let end = at + tensor.values.len() * 4;
        header.insert(
            tensor.name.clone(),
            Entry { dtype: "F32".into(), shape: tensor.shape.clone(), data_offsets: [at, end] },
        );
        at = end;
    }
    let mut header = serde_json::to_vec(&header).expect("names and numbers are JSON");
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + header.len() + at);
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&header);
    for tensor in sorted {
        tensor.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    }
    bytes
}

/// The tensors of a safetensors file, in name order; metadata are passed over.
///
/// # Errors
/// [`ModelError::Safetensors`] saying what is wrong with the bytes.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<Tensor>, ModelError> {
    let error = |text: String| ModelError::Safetensors(text);
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| error("fewer than 8 bytes".into()))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_HEADER || length > rest.len() {
        return Err(error(format!("a header of {length} bytes in a file of {}", bytes.len())));
    }
    let (header, data) = rest.split_at(length);
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|source| error(source.to_string()))?;
    header.remove("__metadata__");
    let mut tensors = Vec::with_capacity(header.len());
    for (name, entry) in header {
        let entry: Entry = serde_json::from_value(entry).map_err(|source| error(format!("`{name}`: {source}")))?;
        if entry.dtype != "F32" {
            return Err(error(format!("`{name}` is {}", entry.dtype)));
        }
        let [from, to] = entry.data_offsets;
        let count = entry.shape.iter().try_fold(4_usize, |bytes, side| bytes.checked_mul(*side));
        let part = data.get(from..to).filter(|part| Some(part.len()) == count);
        let part = part.ok_or_else(|| error(format!("`{name}` lies outside the file or has another shape")))?;
        let values = part.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
        tensors.push(Tensor { name, shape: entry.shape, values });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tensors() -> Vec<Tensor> {
        vec![
            Tensor { name: "b".into(), shape: vec![2], values: vec![1.5, -2.0] },
            Tensor { name: "a.weight".into(), shape: vec![1, 3], values: vec![0.0, 1e-9, f32::MAX] },
        ]
    }

    #[test]
    fn the_bytes_are_the_documented_ones() {
        let bytes = to_safetensors(&tensors());
        let header = br#"{"a.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}"#;
        let padded = header.len().next_multiple_of(8);
        assert_eq!(bytes[..8], (padded as u64).to_le_bytes());
        assert_eq!(&bytes[8..8 + header.len()], header);
        assert!(bytes[8 + header.len()..8 + padded].iter().all(|byte| *byte == b' '));
        assert_eq!(bytes.len(), 8 + padded + 20);
        let mut expected = tensors();
        expected.reverse();
        assert_eq!(from_safetensors(&bytes), Ok(expected));
    }

    #[test]
    fn a_cut_or_foreign_file_is_refused() {
        let bytes = to_safetensors(&tensors());
        for length in 0..bytes.len() {
            assert!(from_safetensors(&bytes[..length]).is_err(), "{length}");
        }
        let mut huge = bytes.clone();
        huge[7] = 0xff;
        assert!(from_safetensors(&huge).is_err());
        let text = String::from_utf8_lossy(&bytes[8..]).replace("F32", "F16");
        let mut other = bytes[..8].to_vec();
        other.extend_from_slice(text.as_bytes());
        assert!(from_safetensors(&other).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..100) {
            let _ = from_safetensors(&bytes);
            let mut header = (cut as u64).to_le_bytes().to_vec();
            header.extend(bytes);
            let _ = from_safetensors(&header);
        }
    }
}
