//! Where a node is. Its path, query and user often are a key, so they are never shown.

use std::fmt;

use reqwest::Url;

use crate::error::ChainError;

/// Shorter parts of an address are no keys, and would be found in every sentence.
const SHORTEST_KEY: usize = 8;

/// The address of a node; shown with its scheme, host and port only.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads `http://…` or `https://…`.
    ///
    /// # Errors
    /// [`ChainError::Endpoint`], which does not repeat the address.
    pub fn parse(text: &str) -> Result<Self, ChainError> {
        let url = Url::parse(text.trim()).map_err(|error| ChainError::Endpoint { detail: error.to_string() })?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            let detail = format!("its scheme is `{}`, only http and https are spoken here", url.scheme());
            return Err(ChainError::Endpoint { detail });
        }
        Ok(Self(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// `text` without any part of the address that may be a key.
    pub(crate) fn without_keys(&self, text: &str) -> String {
        let segments = self.0.path_segments().into_iter().flatten().map(str::to_owned);
        let values = self.0.query_pairs().map(|(_, value)| value.into_owned());
        let user = [self.0.username().to_owned(), self.0.password().unwrap_or_default().to_owned()];
        let keys = segments.chain(values).chain(user).filter(|key| key.len() >= SHORTEST_KEY);
        keys.fold(text.to_owned(), |text, key| text.replace(&key, "[hidden]"))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        let bare = matches!(self.0.path(), "" | "/") && self.0.query().is_none() && self.0.username().is_empty();
        f.write_str(if bare { "" } else { "/[hidden]" })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_never_shown() {
        let endpoint = Endpoint::parse("https://user:passphrase@node.example:8443/v2/topsecretkey?token=othersecret");
        let endpoint = endpoint.unwrap();
        for shown in [endpoint.to_string(), format!("{endpoint:?}")] {
            assert!(shown.contains("https://node.example:8443/[hidden]"), "{shown}");
            assert!(["user", "passphrase", "topsecretkey", "othersecret"].iter().all(|key| !shown.contains(key)));
        }
        let told = endpoint.without_keys("project topsecretkey (othersecret, passphrase) is over its limit");
        assert_eq!(told, "project [hidden] ([hidden], [hidden]) is over its limit");
        assert_eq!(Endpoint::parse("http://127.0.0.1:8545").unwrap().to_string(), "http://127.0.0.1:8545");
    }

    #[test]
    fn other_schemes_are_refused_without_repeating_them() {
        for text in ["ws://node.example/topsecretkey", "topsecretkey", "file:///topsecretkey"] {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(!error.contains("topsecretkey"), "{error}");
        }
    }
}
