//! Where a miner is registered.

use assay_lp::protocol::{auth, ss58};
use reqwest::Url;

use crate::error::MinerError;
use crate::server::Wire;

/// A registered miner: its key, where it listens, and how it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinerEndpoint {
    key: String,
    url: Url,
    wire: Wire,
}

impl MinerEndpoint {
    /// Reads a registration: `key` is 64 lower-case hexadecimal digits, or an SS58 address on
    /// the v10 axon wire; `url` is `http://` or `https://` with host and port alone.
    ///
    /// # Errors
    /// [`MinerError::Endpoint`] saying what is wrong.
    pub fn new(key: &str, url: &str, wire: Wire) -> Result<Self, MinerError> {
        let shown = |text: &str| text.chars().take(200).collect::<String>();
        let fail = |endpoint: &str, reason: String| MinerError::Endpoint { endpoint: shown(endpoint), reason };
        match wire {
            Wire::Native if !auth::is_key_text(key) => {
                return Err(fail(key, "a key is 64 lower-case hexadecimal digits".into()));
            }
            Wire::AxonV10 => _ = ss58::decode(key).map_err(|error| fail(key, error.to_string()))?,
            Wire::Native => {}
        }
        let parsed = Url::parse(url).map_err(|error| fail(url, error.to_string()))?;
        let plain = matches!(parsed.scheme(), "http" | "https")
            && parsed.host_str().is_some()
            && parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.path() == "/"
            && parsed.query().is_none()
            && parsed.fragment().is_none();
        if !plain {
            return Err(fail(url, "an address is http:// or https:// with host and port, nothing else".into()));
        }
        Ok(Self { key: key.to_owned(), url: parsed, wire })
    }

    /// Key of the miner.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.as_str()
    }

    /// How it speaks.
    #[must_use]
    pub const fn wire(&self) -> Wire {
        self.wire
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_a_key_and_an_address() {
        let key = "ab".repeat(32);
        let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let endpoint = MinerEndpoint::new(&key, "http://127.0.0.1:8091", Wire::Native).unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("127.0.0.1", 8091));
        assert_eq!(MinerEndpoint::new(&key, endpoint.address(), Wire::Native).as_ref().ok(), Some(&endpoint));
        assert_eq!(endpoint.url("/Reveal").as_str(), "http://127.0.0.1:8091/Reveal");
        assert_eq!(MinerEndpoint::new(alice, "https://a.example", Wire::AxonV10).unwrap().port(), 443);
        for (key, url, wire) in [
            (key.to_uppercase().as_str(), "http://a.example", Wire::Native),
            (alice, "http://a.example", Wire::Native),
            (key.as_str(), "http://a.example", Wire::AxonV10),
            (key.as_str(), "ftp://a.example", Wire::Native),
            (key.as_str(), "file:///etc/passwd", Wire::Native),
            (key.as_str(), "http://user:word@a.example", Wire::Native),
            (key.as_str(), "http://a.example/path", Wire::Native),
            (key.as_str(), "http://a.example/?q", Wire::Native),
            (key.as_str(), "a.example:80", Wire::Native),
            (key.as_str(), "", Wire::Native),
        ] {
            assert!(MinerEndpoint::new(key, url, wire).is_err(), "{key} {url}");
        }
    }
}
