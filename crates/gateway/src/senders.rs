//! One send to one destination, whatever its kind.

use assay_store::Vault;
use assay_store::database::{Destination, DestinationKind};
use assay_types::Secret;

use crate::error::{GatewayError, Refusal};
use crate::kafka::Kafka;
use crate::message::Message;
use crate::nats::Nats;
use crate::settings::GatewaySettings;
use crate::webhook::Webhooks;

/// Everything that messages are sent over.
pub(crate) struct Senders {
    webhooks: Webhooks,
    nats: Option<Nats>,
    kafka: Option<Kafka>,
}

impl Senders {
    pub fn new(settings: &GatewaySettings) -> Result<Self, GatewayError> {
        Ok(Self { webhooks: Webhooks::new(settings)?, nats: Nats::new(settings), kafka: Kafka::new(settings) })
    }

    /// Sends and waits for the confirmation.
    pub async fn send(
        &self,
        destination: &Destination,
        secret: Option<&Secret>,
        message: &Message,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let target = destination.target.as_str();
        match destination.kind {
            DestinationKind::Webhook => {
                let secret =
                    secret.ok_or_else(|| Refusal::last("its secret is missing: remove it and add it again"))?;
                self.webhooks.send(target, secret, message, now_ms).await
            }
            DestinationKind::Nats => {
                let absent = || Refusal::passing("this server has no NATS: start it with one");
                self.nats.as_ref().ok_or_else(absent)?.send(target, message).await
            }
            DestinationKind::Kafka => {
                let absent = || Refusal::passing("this server has no Kafka: start it with brokers");
                self.kafka.as_ref().ok_or_else(absent)?.send(target, message, now_ms).await
            }
        }
    }
}

impl Senders {
    /// Ends the brokers' clients with everything that waits in them; the next send makes new ones.
    pub fn end(&self) {
        self.nats.iter().for_each(Nats::end);
        self.kafka.iter().for_each(Kafka::end);
    }
}

/// Seals the secret of a destination for its row.
///
/// # Errors
/// As [`Vault::seal`].
pub fn seal_secret(vault: &Vault, destination_id: &str, secret: &Secret) -> Result<String, GatewayError> {
    Ok(hex::encode(vault.seal(&context(destination_id), secret.reveal().as_bytes())?))
}

/// Opens the secret of a destination; `None` when it has none.
pub(crate) fn open_secret(vault: &Vault, destination: &Destination) -> Result<Option<Secret>, GatewayError> {
    let Some(sealed) = &destination.secret else { return Ok(None) };
    // What is no hexadecimal opens as little as what was sealed elsewhere.
    let sealed = hex::decode(sealed).unwrap_or_default();
    let plain = vault.unseal(&context(&destination.destination_id), &sealed)?;
    Ok(Some(Secret::new(String::from_utf8_lossy(&plain).into_owned())))
}

fn context(destination_id: &str) -> String {
    format!("destination {destination_id}")
}
