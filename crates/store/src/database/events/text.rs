//! Addresses, hashes and wide integers as texts: `0x` and hexadecimal digits, or decimal.

use ruint::aliases::U256;

use crate::database::DatabaseError;
use crate::database::statement::Row;

pub(super) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// An owner, which is an address where the chain says it.
pub(super) fn owner(owner: Option<U256>) -> Option<String> {
    owner.map(|owner| if owner.bit_len() <= 160 { format!("0x{owner:040x}") } else { format!("0x{owner:064x}") })
}

pub(super) fn read_owner(row: &Row) -> Result<Option<U256>, DatabaseError> {
    let text: Option<String> = row.get("owner")?;
    let read = |text: String| {
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        U256::from_str_radix(digits, 16).map_err(|_| DatabaseError::Damaged { column: "owner", value: text.clone() })
    };
    text.map(read).transpose()
}

pub(super) fn read_hex<const N: usize>(column: &'static str, text: &str) -> Result<[u8; N], DatabaseError> {
    let mut bytes = [0; N];
    let digits = text.strip_prefix("0x").unwrap_or(text);
    match hex::decode_to_slice(digits, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(DatabaseError::Damaged { column, value: text.to_owned() }),
    }
}

pub(super) fn get_hex<const N: usize>(row: &Row, column: &'static str) -> Result<[u8; N], DatabaseError> {
    read_hex(column, &row.get::<String>(column)?)
}

/// A number that its column holds as a wider one.
pub(super) fn narrow<T: TryFrom<i64>>(row: &Row, column: &'static str) -> Result<T, DatabaseError> {
    let number: i64 = row.get(column)?;
    T::try_from(number).map_err(|_| DatabaseError::Damaged { column, value: number.to_string() })
}

pub(super) fn optional_narrow<T: TryFrom<i64>>(row: &Row, column: &'static str) -> Result<Option<T>, DatabaseError> {
    let number: Option<i64> = row.get(column)?;
    let narrow =
        |number: i64| T::try_from(number).map_err(|_| DatabaseError::Damaged { column, value: number.to_string() });
    number.map(narrow).transpose()
}
