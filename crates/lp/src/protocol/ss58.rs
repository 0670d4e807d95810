//! SS58 addresses of 32-byte keys in the generic Substrate format (prefix 42), which
//! Bittensor uses.

use blake2::{Blake2b512, Digest as _};

const PREFIX: u8 = 42;
const CHECKSUM_DOMAIN: &[u8] = b"SS58PRE";

/// A text that is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an SS58 address of a 32-byte key with prefix 42")]
pub struct Ss58Error(String);

/// The address of `key`.
#[must_use]
pub fn encode(key: &[u8; 32]) -> String {
    let mut bytes = vec![PREFIX];
    bytes.extend_from_slice(key);
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum);
    bs58::encode(bytes).into_string()
}

/// The key of `address`.
///
/// # Errors
/// [`Ss58Error`] when it is no address, or its checksum or prefix is another.
pub fn decode(address: &str) -> Result<[u8; 32], Ss58Error> {
    let read = || {
        let mut bytes = [0; 35];
        let length = bs58::decode(address).onto(&mut bytes[..]).ok()?;
        let (body, found) = bytes.split_at(33);
        (length == bytes.len() && body[0] == PREFIX && checksum(body) == found).then_some(())?;
        body[1..].try_into().ok()
    };
    read().ok_or_else(|| Ss58Error(address.chars().take(80).collect()))
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let digest = Blake2b512::new().chain_update(CHECKSUM_DOMAIN).chain_update(bytes).finalize();
    [digest[0], digest[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two development keys that every Substrate chain knows.
    const KNOWN: [(&str, &str); 2] = [
        (
            "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        ),
        (
            "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48",
            "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
        ),
    ];

    #[test]
    fn known_keys_have_their_known_addresses() {
        for (key, address) in KNOWN {
            let mut bytes = [0; 32];
            hex::decode_to_slice(key, &mut bytes).unwrap();
            assert_eq!(encode(&bytes), address);
            assert_eq!(decode(address), Ok(bytes));
        }
    }

    #[test]
    fn a_wrong_digit_length_or_prefix_is_refused() {
        let (_, address) = KNOWN[0];
        let polkadot = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5";
        for wrong in [&address.replace('Q', "R"), &address[1..], &format!("{address}1"), "", "0OIl", polkadot] {
            assert_eq!(decode(wrong), Err(Ss58Error(wrong.into())));
        }
    }
}
