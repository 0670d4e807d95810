//! Damages for texts that a reader must survive, for the tests of every pool family.

use proptest::prelude::*;

/// Values that sit on or beside the limits of integers, fees and JSON.
const VALUES: [&str; 22] = [
    "0",
    "1",
    "-1",
    "1e3",
    "0.5",
    "NaN",
    "null",
    "true",
    "\"\"",
    "\"x\"",
    "[]",
    "{}",
    "[[]]",
    "\"0/0\"",
    "\"3/0\"",
    "\"4294967295/4294967296\"",
    "255",
    "2147483648",
    "18446744073709551616",
    "\"5192296858534827628530496329220096\"",
    "340282366920938463463374607431768211456",
    "\"115792089237316195423570985008687907853269984665640564039457584007913129639936\"",
];

/// One damage to a text. Positions are fractions of its length, in parts of 65,536.
#[derive(Debug, Clone)]
pub enum Damage {
    /// Everything from here on is lost.
    Truncate(u16),
    /// One byte becomes another.
    Byte(u16, u8),
    /// A range is lost.
    Cut(u16, u8),
    /// A range comes twice.
    Repeat(u16, u8),
    /// A value of the JSON object becomes another one, the whole stays JSON.
    Value(u16, usize),
    /// A key loses its last letter, so its field is missing.
    Key(u16),
    /// Nested far deeper than any state.
    Nest(u16),
}

/// Any one damage.
pub fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<u16>;
    prop_oneof![
        1 => place().prop_map(Damage::Truncate),
        2 => (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => (place(), any::<u8>()).prop_map(|(at, length)| Damage::Cut(at, length)),
        1 => (place(), any::<u8>()).prop_map(|(at, length)| Damage::Repeat(at, length)),
        6 => (place(), 0..VALUES.len()).prop_map(|(at, value)| Damage::Value(at, value)),
        2 => place().prop_map(Damage::Key),
        1 => place().prop_map(Damage::Nest),
    ]
}

/// The text after the damages, in order; bytes that are no text become replacement characters.
pub fn damaged(text: &str, damages: &[Damage]) -> String {
    damages.iter().fold(text.to_owned(), |text, damage| apply(&text, damage))
}

fn apply(text: &str, damage: &Damage) -> String {
    let bytes = text.as_bytes();
    let at = |place: u16| bytes.len() * usize::from(place) / 65_536;
    let range = |place: u16, length: u8| {
        let start = at(place);
        start..(start + usize::from(length)).min(bytes.len())
    };
    let joined = |parts: &[&[u8]]| String::from_utf8_lossy(&parts.concat()).into_owned();
    match damage {
        Damage::Truncate(place) => joined(&[&bytes[..at(*place)]]),
        Damage::Byte(place, byte) => {
            let mut changed = bytes.to_vec();
            if let Some(old) = changed.get_mut(at(*place)) {
                *old = *byte;
            }
            joined(&[&changed])
        }
        Damage::Cut(place, length) => {
            let range = range(*place, *length);
            joined(&[&bytes[..range.start], &bytes[range.end..]])
        }
        Damage::Repeat(place, length) => {
            let range = range(*place, *length);
            joined(&[&bytes[..range.end], &bytes[range.start..]])
        }
        Damage::Value(place, value) => match value_after(text, at(*place)) {
            Some(range) => format!("{}{}{}", &text[..range.start], VALUES[*value], &text[range.end..]),
            None => text.to_owned(),
        },
        Damage::Key(place) => match text.get(at(*place)..).and_then(|rest| rest.find("\":")) {
            Some(found) => {
                let end = at(*place) + found;
                let start = text[..end].char_indices().next_back().map_or(end, |(start, _)| start);
                format!("{}{}", &text[..start], &text[end..])
            }
            None => text.to_owned(),
        },
        Damage::Nest(place) => match value_after(text, at(*place)) {
            Some(range) => {
                let depth = 100_000;
                format!("{}{}{}", &text[..range.start], "[".repeat(depth) + &"]".repeat(depth), &text[range.end..])
            }
            None => text.to_owned(),
        },
    }
}

/// The range of the first scalar value after a colon beyond `from`.
fn value_after(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let start = from + text.get(from..)?.find(':')? + 1;
    let start = start + text[start..].find(|letter: char| !letter.is_whitespace())?;
    let rest = &text[start..];
    let length = match rest.strip_prefix('"') {
        Some(inside) => inside.find('"')? + 2,
        None => rest.find([',', '}', ']', '\n'])?,
    };
    Some(start..start + length)
}
