//! A broker that speaks Kafka's protocol, goes away and comes back.

use std::time::Duration;

use assay_gateway::{GatewaySettings, signals_of};
use assay_store::database::DestinationKind;
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::support::{MODEL, Platform, check_log, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_misses_nothing() {
    let cluster = MockCluster::new(1).unwrap();
    let topic = signals_of(MODEL).unwrap();
    let brokers = cluster.bootstrap_servers();
    let platform = Platform::new().await;
    platform.destination("one", DestinationKind::Kafka, &topic).await;
    let kafka_brokers = brokers.split(',').map(str::to_owned).collect();
    let running = platform.run(GatewaySettings { kafka_brokers, ..settings() });
    let mut stored = Vec::new();
    // 200 signals over 20 s; the broker is away for 12 of them and refuses some besides.
    for tick in 0..200_u64 {
        stored.extend(platform.publish(MODEL, tick..tick + 1).await);
        match tick {
            10 => {
                let refusals = [
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                ];
                cluster.request_errors(RDKafkaApiKey::Produce, &refusals);
            }
            30 => cluster.broker_down(1).unwrap(),
            150 => cluster.broker_up(1).unwrap(),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    platform.reaches("one", 200, Duration::from_secs(60)).await;
    running.end().await;

    check_log(&consumed(&brokers, &topic, stored.last().unwrap()).await, &stored);
}

/// What the brokers hold of a topic, up to `last`.
pub async fn consumed(brokers: &str, topic: &str, last: &String) -> Vec<String> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "check")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let mut bodies: Vec<String> = Vec::new();
    while bodies.last() != Some(last) {
        let message = tokio::time::timeout(Duration::from_secs(30), consumer.recv()).await.unwrap().unwrap();
        assert_eq!(message.key(), Some(MODEL.as_bytes()));
        let headers = message.headers().unwrap();
        let seq = headers.iter().find(|header| header.key == "Assay-Seq").unwrap().value.unwrap();
        let body = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
        let signal: assay_types::Signal = serde_json::from_str(&body).unwrap();
        assert_eq!(seq, signal.seq.to_string().as_bytes());
        bodies.push(body);
    }
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_may_not_be_written_is_said_in_clear_words() {
    let cluster = MockCluster::new(1).unwrap();
    let topic = signals_of(MODEL).unwrap();
    cluster.topic_error(&topic, RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).unwrap();
    let platform = Platform::new().await;
    platform.destination("one", DestinationKind::Kafka, &topic).await;
    let kafka_brokers = cluster.bootstrap_servers().split(',').map(str::to_owned).collect();
    let running = platform.run(GatewaySettings { kafka_brokers, ..settings() });
    let stored = platform.publish(MODEL, 0..3).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let error = loop {
        let destination = platform.database.destination("one").await.unwrap().unwrap();
        if let Some(error) = destination.last_error {
            break error;
        }
        assert!(tokio::time::Instant::now() < deadline, "nothing was refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(error.contains(&topic) && error.contains("grant it Describe and Write"), "{error}");
    // Granted, everything goes.
    cluster.topic_error(&topic, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    platform.reaches("one", 3, Duration::from_secs(30)).await;
    running.end().await;
    check_log(&consumed(&cluster.bootstrap_servers(), &topic, stored.last().unwrap()).await, &stored);
}
