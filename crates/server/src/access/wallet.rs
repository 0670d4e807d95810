//! Who signed a text with a wallet (EIP-191, version 0x45).

use alloy_primitives::{Address, keccak256};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};

const SIGNATURE_BYTES: usize = 65;

/// The address whose key signed `message`; `None` when `signature` (r, s, v: 65 bytes, `0x…`)
/// is none.
pub(crate) fn signer(message: &str, signature: &str) -> Option<Address> {
    let bytes = hex::decode(signature.strip_prefix("0x")?).ok()?;
    let (v, r_and_s) = bytes.split_last().filter(|_| bytes.len() == SIGNATURE_BYTES)?;
    let recovery = RecoveryId::from_byte(match v {
        0 | 1 => *v,
        27 | 28 => v - 27,
        _ => return None,
    })?;
    let signature = Signature::from_slice(r_and_s).ok()?;
    // The other half of the curve gives a second signature of the same text; chains refuse it.
    if signature.normalize_s().is_some() {
        return None;
    }
    let prefixed = format!("\x19Ethereum Signed Message:\n{}{message}", message.len());
    let key = VerifyingKey::recover_from_prehash(keccak256(prefixed).as_slice(), &signature, recovery).ok()?;
    let point = key.to_encoded_point(false);
    let hash = keccak256(point.as_bytes().get(1..)?);
    Some(Address::from_slice(&hash[12..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of `web3.eth.accounts.sign` in the documentation of web3.js.
    const MESSAGE: &str = "Some data";
    const SIGNATURE: &str = "0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c";
    const ADDRESS: &str = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23";

    #[test]
    fn the_published_signature_gives_its_address() {
        assert_eq!(signer(MESSAGE, SIGNATURE).unwrap().to_checksum(None), ADDRESS);
        assert_ne!(signer("Some date", SIGNATURE).map(|address| address.to_checksum(None)), Some(ADDRESS.to_owned()));
        for wrong in ["", "0x", &SIGNATURE[2..], &SIGNATURE[..130], &SIGNATURE.replace("1c", "1d"), &"0".repeat(132)] {
            assert_eq!(signer(MESSAGE, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_second_signature_of_a_text_is_refused() {
        let bytes = hex::decode(&SIGNATURE[2..]).unwrap();
        let first = Signature::from_slice(&bytes[..64]).unwrap();
        let (r, s) = first.split_scalars();
        let second = Signature::from_scalars(r.to_bytes(), (-s).to_bytes()).unwrap();
        assert_eq!(signer(MESSAGE, &format!("0x{}1b", hex::encode(second.to_bytes()))), None);
    }
}
