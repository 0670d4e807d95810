//! How feeds are reached.

use std::str::FromStr;

use assay_lake::{Clock, ExchangeClient, LiveSettings, REQUEST_TIMEOUT_MS, Venue};

use assay_jobs::JobError;

/// Another address of a venue, for a proxy or a test.
#[derive(Debug, Clone)]
pub struct VenueAddress {
    /// The venue's name.
    pub venue: String,
    /// Where REST is.
    pub base_url: String,
    /// Where its sockets are.
    pub socket_url: String,
}

impl FromStr for VenueAddress {
    type Err = JobError;

    /// `VENUE=URL`: REST at the URL, sockets at the same host.
    fn from_str(text: &str) -> Result<Self, JobError> {
        let wrong = || JobError::Input(format!("`{text}` is no exchange's address: write it as binance=https://HOST"));
        let (venue, url) = text.split_once('=').ok_or_else(wrong)?;
        let known: Venue = venue.parse()?;
        let base_url = url.trim_end_matches('/').to_owned();
        let rest = base_url.strip_prefix("http").filter(|rest| rest.starts_with("://") || rest.starts_with("s://"));
        let socket_url = format!("ws{}", rest.ok_or_else(wrong)?);
        Ok(Self { venue: known.name().to_owned(), base_url, socket_url })
    }
}

/// How feeds are reached, and by which clock.
#[derive(Debug, Clone, Default)]
pub struct LiveOptions {
    /// Venues that are not at their public address.
    pub addresses: Vec<VenueAddress>,
    /// How long feeds wait for what.
    pub feed: LiveSettings,
    /// The clock that decides what is late.
    pub clock: Clock,
}

impl LiveOptions {
    /// A client of the venue, and the settings of its sockets.
    pub(super) fn reach(&self, venue: Venue) -> Result<(ExchangeClient, LiveSettings), JobError> {
        let address = self.addresses.iter().find(|address| address.venue == venue.name());
        match address {
            Some(address) => {
                let client = ExchangeClient::with(venue, &address.base_url, self.clock.clone(), REQUEST_TIMEOUT_MS)?;
                let socket_url = Some(address.socket_url.clone());
                Ok((client, LiveSettings { socket_url, ..self.feed.clone() }))
            }
            None => Ok((ExchangeClient::new(venue)?, self.feed.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_venue_and_its_sockets() {
        let read = |text: &str| text.parse::<VenueAddress>().map(|read| (read.venue, read.base_url, read.socket_url));
        let expected = ("bybit", "https://proxy.example.org/x", "wss://proxy.example.org/x");
        let expected = (expected.0.to_owned(), expected.1.to_owned(), expected.2.to_owned());
        assert_eq!(read("bybit=https://proxy.example.org/x/").unwrap(), expected);
        assert_eq!(read("binance=http://127.0.0.1:9").unwrap().2, "ws://127.0.0.1:9");
        for wrong in ["", "binance", "nowhere=https://h", "binance=ftp://h", "binance=https:h"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
