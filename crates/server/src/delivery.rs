//! Stored signals on their way to their destinations.

use assay_gateway::GatewaySettings;
use assay_jobs::JobError;
use assay_types::Secret;
use tokio::sync::watch;

use crate::state::ServerState;

/// Sends signals to their destinations until `shutdown` is true.
///
/// # Errors
/// None: what a destination or the database refuses is tried again.
pub async fn run(state: ServerState, shutdown: watch::Receiver<bool>) -> Result<(), JobError> {
    state.dispatcher.run(shutdown).await;
    Ok(())
}

/// The brokers that the environment names, which `variable` reads: `ASSAY_NATS_URL`,
/// `ASSAY_KAFKA_BROKERS` (`HOST:PORT`, with commas between), `ASSAY_KAFKA_USER` and
/// `ASSAY_KAFKA_PASSWORD`. They hold passwords, which have no place among arguments.
///
/// # Errors
/// [`JobError::Input`] for a user without a password, or the reverse.
pub fn gateway_settings(
    allow_private_webhooks: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<GatewaySettings, JobError> {
    let given = |name: &str| variable(name).filter(|text| !text.is_empty());
    let brokers = given("ASSAY_KAFKA_BROKERS").unwrap_or_default();
    let kafka_login = match (given("ASSAY_KAFKA_USER"), given("ASSAY_KAFKA_PASSWORD")) {
        (Some(user), Some(password)) => Some((user, Secret::new(password))),
        (None, None) => None,
        _ => return Err(JobError::Input("give both ASSAY_KAFKA_USER and ASSAY_KAFKA_PASSWORD, or neither".to_owned())),
    };
    Ok(GatewaySettings {
        nats_url: given("ASSAY_NATS_URL").map(Secret::new),
        kafka_brokers: brokers.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        kafka_login,
        allow_private_webhooks,
        ..GatewaySettings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_come_from_the_environment_and_are_not_printed() {
        let variable = |name: &str| match name {
            "ASSAY_NATS_URL" => Some("nats://ann:hunter2@host".to_owned()),
            "ASSAY_KAFKA_BROKERS" => Some("a:9092, b:9092,".to_owned()),
            "ASSAY_KAFKA_USER" => Some("ann".to_owned()),
            "ASSAY_KAFKA_PASSWORD" => Some("hunter2".to_owned()),
            _ => None,
        };
        let settings = gateway_settings(false, variable).unwrap();
        assert_eq!(settings.kafka_brokers, ["a:9092", "b:9092"]);
        assert!(settings.nats_url.is_some() && !format!("{settings:?}").contains("hunter2"));
        assert!(gateway_settings(false, |name| (name == "ASSAY_KAFKA_USER").then(|| "ann".to_owned())).is_err());
        assert!(gateway_settings(true, |_| None).unwrap().kafka_brokers.is_empty());
    }
}
