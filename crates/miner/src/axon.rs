//! The key of a caller on the v10 axon wire.

use std::fmt;

use assay_lp::protocol::{axon_v10, ss58};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};

use crate::error::MinerError;

/// An sr25519 key pair with its address; never printed.
#[derive(Clone)]
pub struct AxonKey {
    pair: Keypair,
    address: String,
}

impl fmt::Debug for AxonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AxonKey({}, [hidden])", self.address)
    }
}

impl AxonKey {
    /// The key pair that Substrate wallets make of a mini secret key.
    ///
    /// # Errors
    /// [`MinerError::AxonKey`] when it is none.
    pub fn from_mini_secret(secret: &[u8; 32]) -> Result<Self, MinerError> {
        let secret = MiniSecretKey::from_bytes(secret).map_err(|_| MinerError::AxonKey)?;
        let pair = secret.expand_to_keypair(ExpansionMode::Ed25519);
        Ok(Self { address: ss58::encode(&pair.public.to_bytes()), pair })
    }

    /// The SS58 address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `0x` and the signature of `message` in 128 hexadecimal digits.
    #[must_use]
    pub fn sign(&self, message: &str) -> String {
        let signature = self.pair.sign_simple(axon_v10::SIGNING_CONTEXT, message.as_bytes());
        format!("0x{}", hex::encode(signature.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_development_key_has_its_known_address_and_is_not_printed() {
        // `//Alice` of every Substrate chain.
        let mut secret = [0; 32];
        hex::decode_to_slice("e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a", &mut secret).unwrap();
        let key = AxonKey::from_mini_secret(&secret).unwrap();
        assert_eq!(key.address(), "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
        assert!(axon_v10::signature_holds("a message", &key.sign("a message"), key.address()));
        assert_eq!(format!("{key:?}"), "AxonKey(5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY, [hidden])");
    }
}
