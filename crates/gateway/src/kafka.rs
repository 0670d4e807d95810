//! Kafka: signals on the topic `assay.signals.MODEL`, confirmed by all replicas in sync.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use assay_types::Secret;
use rskafka::BackoffConfig;
use rskafka::chrono::{DateTime, Utc};
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::Refusal;
use crate::message::{Event, Message};
use crate::settings::GatewaySettings;
use crate::subject::heartbeats_of;

/// Topics have one partition, so that a model's signals have one order.
const PARTITION: i32 = 0;
/// The broker's own default.
const REPLICATION: i16 = -1;
/// Largest answer that is read from a broker.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Topics whose connections are kept.
const MAX_TOPICS: usize = 2_048;

/// Produces over one client, made anew after each failure.
pub(crate) struct Kafka {
    brokers: Vec<String>,
    login: Option<(String, Secret)>,
    timeout: Duration,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    client: Option<Arc<Client>>,
    topics: HashMap<String, Arc<PartitionClient>>,
}

impl Kafka {
    pub fn new(settings: &GatewaySettings) -> Option<Self> {
        let brokers = settings.kafka_brokers.clone();
        let (login, timeout) = (settings.kafka_login.clone(), settings.send_timeout);
        (!brokers.is_empty()).then(|| Self { brokers, login, timeout, session: Mutex::default() })
    }

    pub async fn send(&self, topic: &str, message: &Message, now_ms: i64) -> Result<(), Refusal> {
        let heartbeats = heartbeats_of(&message.model_id);
        let topic = if message.event == Event::Heartbeat { &heartbeats } else { topic };
        let sent = match timeout(self.timeout, self.produce(topic, message, now_ms)).await {
            Ok(sent) => sent,
            Err(_) => Err(Refusal::passing(format!("Kafka did not answer within {} s", self.timeout.as_secs()))),
        };
        if sent.is_err() {
            *self.session.lock().await = Session::default();
        }
        sent
    }

    async fn produce(&self, topic: &str, message: &Message, now_ms: i64) -> Result<(), Refusal> {
        let partition = self.partition(topic).await?;
        let headers: BTreeMap<String, Vec<u8>> =
            message.headers().into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        let record = Record {
            key: Some(message.model_id.as_bytes().to_vec()),
            value: Some(message.body.as_bytes().to_vec()),
            headers,
            timestamp: DateTime::<Utc>::from_timestamp_millis(now_ms).unwrap_or_default(),
        };
        let sent = partition.produce(vec![record], Compression::NoCompression).await;
        sent.map(|_| ()).map_err(|error| Refusal::caused(&error))
    }

    /// The partition of a topic, which is made where it is missing.
    async fn partition(&self, topic: &str) -> Result<Arc<PartitionClient>, Refusal> {
        let client = {
            let mut session = self.session.lock().await;
            if let Some(partition) = session.topics.get(topic) {
                return Ok(Arc::clone(partition));
            }
            // Made under the lock: one connection for all who wait for it.
            if let Some(client) = &session.client {
                Arc::clone(client)
            } else {
                let client = Arc::new(self.connect().await?);
                session.client = Some(Arc::clone(&client));
                client
            }
        };
        let open = || client.partition_client(topic, PARTITION, UnknownTopicHandling::Error);
        let partition = match open().await {
            Err(Error::ServerError { protocol_error: ProtocolError::UnknownTopicOrPartition, .. }) => {
                create(&client, topic, self.timeout).await?;
                open().await
            }
            other => other,
        };
        let partition = Arc::new(partition.map_err(|error| Refusal::caused(&error))?);
        let mut session = self.session.lock().await;
        if session.topics.len() >= MAX_TOPICS {
            session.topics.clear();
        }
        session.topics.insert(topic.to_owned(), Arc::clone(&partition));
        Ok(partition)
    }

    async fn connect(&self) -> Result<Client, Refusal> {
        // Our own backoff decides when to try again, and asks whether everything is stopped.
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_millis(500),
            base: 2.0,
            deadline: Some(self.timeout / 2),
        };
        let builder = ClientBuilder::new(self.brokers.clone()).max_message_size(MAX_ANSWER_BYTES).client_id("assay");
        let builder = match &self.login {
            Some((name, password)) => {
                let credentials = Credentials::new(name.clone(), password.reveal().to_owned());
                builder.sasl_config(SaslConfig::Plain(credentials))
            }
            None => builder,
        };
        builder.backoff_config(backoff).build().await.map_err(|error| Refusal::caused(&error))
    }
}

async fn create(client: &Client, topic: &str, wait: Duration) -> Result<(), Refusal> {
    let controller = client.controller_client().map_err(|error| Refusal::caused(&error))?;
    let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    match controller.create_topic(topic, 1, REPLICATION, wait_ms).await {
        Ok(()) | Err(Error::ServerError { protocol_error: ProtocolError::TopicAlreadyExists, .. }) => Ok(()),
        Err(error) => Err(Refusal::caused(&error)),
    }
}
