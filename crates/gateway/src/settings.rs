//! What an operator sets.

use std::time::Duration;

use assay_types::Secret;

use crate::backoff::Backoff;

/// Where signals may go, and how patiently. Durations other than the defaults are for tests.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// The NATS server, such as `nats://USER:PASSWORD@HOST:4222`; `None` for no NATS.
    pub nats_url: Option<Secret>,
    /// Kafka brokers as `HOST:PORT`; empty for no Kafka.
    pub kafka_brokers: Vec<String>,
    /// Name and password for Kafka (SASL PLAIN).
    pub kafka_login: Option<(String, Secret)>,
    /// Whether webhooks may go to loopback and private addresses, and to loopback without TLS.
    pub allow_private_webhooks: bool,
    /// Longest wait for a destination to confirm one message.
    pub send_timeout: Duration,
    /// How long to wait after failures.
    pub backoff: Backoff,
    /// How often destinations that take heartbeats are sent one.
    pub heartbeat: Duration,
    /// How often the table of signals is looked at for signals that another process stored.
    pub poll: Duration,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            nats_url: None,
            kafka_brokers: Vec::new(),
            kafka_login: None,
            allow_private_webhooks: false,
            send_timeout: Duration::from_secs(10),
            backoff: Backoff::default(),
            heartbeat: Duration::from_secs(30),
            poll: Duration::from_secs(1),
        }
    }
}
