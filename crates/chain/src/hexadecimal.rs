//! The hexadecimal of JSON-RPC: quantities without leading zeros, data with every byte.

use crate::{Address, ChainError, Hash};

/// An address out of `0x` and 40 hexadecimal digits, of any case.
///
/// # Errors
/// [`ChainError::Invalid`] with the text.
pub fn parse_address(text: &str) -> Result<Address, ChainError> {
    bytes_of(text).map_err(|_| ChainError::Invalid(format!("`{text}` is no address: 0x and 40 hexadecimal digits")))
}

/// An address as `0x` and 40 lower-case digits.
#[must_use]
pub fn show_address(address: Address) -> String {
    format!("0x{}", hex::encode(address))
}

/// A hash as `0x` and 64 lower-case digits.
#[must_use]
pub fn show_hash(hash: Hash) -> String {
    format!("0x{}", hex::encode(hash))
}

fn digits(text: &str) -> Result<&str, String> {
    text.strip_prefix("0x").ok_or_else(|| format!("`{}` does not begin with 0x", shortened(text)))
}

/// Exactly `N` bytes.
pub(crate) fn bytes_of<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    let wrong = |_| format!("`{}` is no {N} bytes of hexadecimal", shortened(text));
    hex::decode_to_slice(digits(text)?, &mut bytes).map_err(wrong)?;
    Ok(bytes)
}

/// Any number of bytes.
pub(crate) fn data_of(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(digits(text)?).map_err(|error| format!("`{}`: {error}", shortened(text)))
}

/// A number of at most 64 bits.
pub(crate) fn quantity_of(text: &str) -> Result<u64, String> {
    u64::from_str_radix(digits(text)?, 16).map_err(|error| format!("`{}` is no quantity: {error}", shortened(text)))
}

pub(crate) fn quantity(value: u64) -> String {
    format!("{value:#x}")
}

/// The beginning of a text that may be long.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 200;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_bytes_and_known_lengths_are_read() {
        assert_eq!(quantity_of("0x1f").unwrap(), 31);
        assert_eq!(quantity(31), "0x1f");
        assert_eq!(data_of("0x").unwrap(), Vec::<u8>::new());
        assert_eq!(data_of("0x00ff").unwrap(), [0, 255]);
        assert!(data_of("0xf").is_err() && data_of("ff").is_err());
        assert!(quantity_of("0x").is_err() && quantity_of("0x1ffffffffffffffff").is_err());
        assert!(parse_address("0x12").is_err());
        assert_eq!(parse_address("0x00000000000000000000000000000000000000Ab").unwrap()[19], 0xab);
    }
}
