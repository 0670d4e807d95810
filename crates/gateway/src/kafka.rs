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

use crate::apart::Apart;
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
    cluster: Arc<Cluster>,
    client: Apart<Mutex<Session>>,
}

struct Cluster {
    brokers: Vec<String>,
    login: Option<(String, Secret)>,
    timeout: Duration,
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
        let cluster = Cluster { brokers, login, timeout };
        (!cluster.brokers.is_empty()).then(|| Self { cluster: Arc::new(cluster), client: Apart::new("assay-kafka") })
    }

    pub async fn send(&self, topic: &str, message: &Message, now_ms: i64) -> Result<(), Refusal> {
        let (cluster, topic, message) = (Arc::clone(&self.cluster), topic.to_owned(), message.clone());
        self.client.run(|session| async move { cluster.send(&session, &topic, &message, now_ms).await }).await
    }

    /// Ends the client with everything that it would still write.
    pub fn end(&self) {
        self.client.end();
    }
}

impl Cluster {
    async fn send(&self, session: &Mutex<Session>, topic: &str, message: &Message, now_ms: i64) -> Result<(), Refusal> {
        let heartbeats = heartbeats_of(&message.model_id);
        let topic = if message.event == Event::Heartbeat { &heartbeats } else { topic };
        let sent = match timeout(self.timeout, self.produce(session, topic, message, now_ms)).await {
            Ok(sent) => sent,
            Err(_) => Err(Refusal::passing(format!("Kafka did not answer within {} s", self.timeout.as_secs()))),
        };
        if sent.is_err() {
            *session.lock().await = Session::default();
        }
        sent
    }

    async fn produce(
        &self,
        session: &Mutex<Session>,
        topic: &str,
        message: &Message,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let partition = self.partition(session, topic).await?;
        let headers: BTreeMap<String, Vec<u8>> =
            message.headers().into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        let record = Record {
            key: Some(message.model_id.as_bytes().to_vec()),
            value: Some(message.body.as_bytes().to_vec()),
            headers,
            timestamp: DateTime::<Utc>::from_timestamp_millis(now_ms).unwrap_or_default(),
        };
        let sent = partition.produce(vec![record], Compression::NoCompression).await;
        sent.map(|_| ()).map_err(|error| refused(topic, Doing::Write, &error))
    }

    /// The partition of a topic, which is made where it is missing.
    async fn partition(&self, session: &Mutex<Session>, topic: &str) -> Result<Arc<PartitionClient>, Refusal> {
        let client = {
            let mut session = session.lock().await;
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
        let partition = Arc::new(partition.map_err(|error| refused(topic, Doing::Write, &error))?);
        let mut session = session.lock().await;
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
        Err(error) => Err(refused(topic, Doing::Create, &error)),
    }
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Create,
    Write,
}

/// What a broker refused, in words that say what to do about it.
fn refused(topic: &str, doing: Doing, error: &Error) -> Refusal {
    let Error::ServerError { protocol_error, error_message, .. } = error else { return Refusal::caused(error) };
    let told = error_message.as_ref().map_or_else(String::new, |told| format!(" ({told})"));
    Refusal::passing(match (doing, protocol_error) {
        (Doing::Write, ProtocolError::TopicAuthorizationFailed) => {
            format!("Kafka does not let this login write to the topic {topic}: grant it Describe and Write there{told}")
        }
        (Doing::Create, ProtocolError::TopicAuthorizationFailed | ProtocolError::ClusterAuthorizationFailed) => {
            format!(
                "the topic {topic} is missing and Kafka does not let this login make it: make it with one partition, or \
             grant Create{told}"
            )
        }
        (Doing::Create, other) => {
            format!(
                "the topic {topic} is missing and Kafka does not make it: {other}{told}; make it with one partition"
            )
        }
        (Doing::Write, _) => return Refusal::caused(error),
    })
}

#[cfg(test)]
mod tests {
    use rskafka::client::error::RequestContext;

    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        // The variant cannot be made elsewhere with fewer words.
        let error = |protocol_error| Error::ServerError {
            protocol_error,
            error_message: Some("by rule 7".to_owned()),
            request: RequestContext::Topic("t".to_owned()),
            response: None,
            is_virtual: false,
        };
        for (doing, protocol_error, words) in [
            (Doing::Write, ProtocolError::TopicAuthorizationFailed, ["write to the topic t", "grant it"]),
            (Doing::Create, ProtocolError::TopicAuthorizationFailed, ["t is missing", "grant Create"]),
            (Doing::Create, ProtocolError::ClusterAuthorizationFailed, ["one partition", "grant Create"]),
            (Doing::Create, ProtocolError::PolicyViolation, ["does not make it", "by rule 7"]),
            (Doing::Create, ProtocolError::InvalidReplicationFactor, ["t is missing", "one partition"]),
        ] {
            let refusal = refused("t", doing, &error(protocol_error));
            assert!(words.iter().all(|word| refusal.reason.contains(word)), "{}", refusal.reason);
            assert!(!refusal.is_final);
        }
    }
}
