//! How feeds are reached.

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
