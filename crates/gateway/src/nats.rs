//! NATS JetStream: signals on `assay.signals.MODEL`, each stored by the server once.

use std::sync::Arc;
use std::time::Duration;

use assay_types::Secret;
use async_nats::connection::State;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_nats::{ConnectOptions, HeaderMap};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::apart::Apart;
use crate::error::Refusal;
use crate::message::{Event, Message};
use crate::settings::GatewaySettings;
use crate::subject::{SIGNALS, heartbeats_of};

/// The stream that is made where no stream has the subjects.
pub const NATS_STREAM: &str = "ASSAY_SIGNALS";
/// How long that stream keeps signals.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How long the server remembers a message id, and so takes no signal twice.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Publishes over one connection, made anew after each failure: a connection that heals by
/// itself would send what was given up long ago.
pub(crate) struct Nats {
    server: Arc<Server>,
    client: Apart<Kept>,
}

type Kept = Mutex<Option<Context>>;

struct Server {
    address: Address,
    timeout: Duration,
}

/// Where a server is, and what it is told of us: the client neither uses a login that is in the address
/// nor keeps it out of its logs.
struct Address {
    url: String,
    /// A user with a password, or a token.
    login: Option<(String, Option<Secret>)>,
}

impl Address {
    /// The parts of `nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT]`.
    fn of(url: &Secret) -> Self {
        let text = url.reveal();
        let (scheme, rest) = text.split_once("://").unwrap_or(("nats", text));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let Some((login, host)) = authority.rsplit_once('@') else {
            return Self { url: text.to_owned(), login: None };
        };
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(Secret::new(decoded(password)))),
            None => (login, None),
        };
        Self { url: format!("{scheme}://{host}{path}"), login: Some((decoded(user), password)) }
    }
}

/// A part of a URL without its escapes of the form `%2F`.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut plain, mut index) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(index) {
        let escape = text.get(index + 1..index + 3).filter(|_| byte == b'%');
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                plain.push(escaped);
                index += 3;
            }
            None => {
                plain.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

impl Nats {
    pub fn new(settings: &GatewaySettings) -> Option<Self> {
        let address = Address::of(settings.nats_url.as_ref()?);
        let server = Arc::new(Server { address, timeout: settings.send_timeout });
        Some(Self { server, client: Apart::new("assay-nats") })
    }

    pub async fn send(&self, subject: &str, message: &Message) -> Result<(), Refusal> {
        let (server, subject, message) = (Arc::clone(&self.server), subject.to_owned(), message.clone());
        self.client.run(|kept| async move { server.send(&kept, &subject, &message).await }).await
    }

    /// Ends the connection with everything that waits to be written to it.
    pub fn end(&self) {
        self.client.end();
    }
}

impl Server {
    async fn send(&self, kept: &Kept, subject: &str, message: &Message) -> Result<(), Refusal> {
        let sent = match timeout(self.timeout, self.publish(kept, subject, message)).await {
            Ok(sent) => sent,
            Err(_) => Err(Refusal::passing(format!("NATS did not answer within {} s", self.timeout.as_secs()))),
        };
        if sent.is_err() {
            kept.lock().await.take();
        }
        sent
    }

    async fn publish(&self, kept: &Kept, subject: &str, message: &Message) -> Result<(), Refusal> {
        let context = self.context(kept).await?;
        let mut headers = HeaderMap::new();
        for (name, value) in message.headers() {
            headers.insert(name, value);
        }
        if let Some(seq) = message.seq {
            headers.insert(NATS_MESSAGE_ID, format!("{}:{seq}", message.model_id));
        }
        let body = message.body.as_bytes().to_vec().into();
        if message.event == Event::Heartbeat {
            // It is about now: nobody needs it later, so it is not stored.
            let client = context.client();
            let subject = heartbeats_of(&message.model_id);
            client.publish_with_headers(subject, headers, body).await.map_err(|error| Refusal::caused(&error))?;
            return client.flush().await.map_err(|error| Refusal::caused(&error));
        }
        let sent = context.publish_with_headers(subject.to_owned(), headers, body).await;
        sent.map_err(|error| Refusal::caused(&error))?.await.map_err(|error| Refusal::caused(&error))?;
        Ok(())
    }

    /// The connection, made and its stream with it where they are missing.
    async fn context(&self, kept: &Kept) -> Result<Context, Refusal> {
        let mut kept = kept.lock().await;
        if let Some(context) = kept.as_ref().filter(|context| context.client().connection_state() == State::Connected) {
            return Ok(context.clone());
        }
        *kept = None;
        let options = match &self.address.login {
            Some((user, Some(password))) => {
                ConnectOptions::with_user_and_password(user.clone(), password.reveal().to_owned())
            }
            Some((token, None)) => ConnectOptions::with_token(token.clone()),
            None => ConnectOptions::new(),
        };
        let client = options
            .name("assay")
            .connection_timeout(self.timeout)
            .request_timeout(Some(self.timeout))
            .max_reconnects(1)
            .connect(self.address.url.as_str())
            .await
            .map_err(|error| Refusal::passing(format!("NATS cannot be reached: {}", error.kind())))?;
        let mut context = async_nats::jetstream::new(client);
        context.set_timeout(self.timeout);
        let config = Config {
            name: NATS_STREAM.to_owned(),
            subjects: vec![format!("{SIGNALS}.*")],
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_age: KEPT,
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        if context.stream_by_subject(format!("{SIGNALS}.*")).await.is_err() {
            context.get_or_create_stream(config).await.map_err(|error| Refusal::caused(&error))?;
        }
        *kept = Some(context.clone());
        Ok(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_no_part_of_the_address() {
        let of = |url: &str| {
            let Address { url, login } = Address::of(&Secret::new(url.to_owned()));
            (url, login.map(|(user, password)| (user, password.map(|password| password.reveal().to_owned()))))
        };
        assert_eq!(of("nats://host:4222"), ("nats://host:4222".to_owned(), None));
        assert_eq!(of("host"), ("host".to_owned(), None));
        let password = Some("p@s/s:%w".to_owned());
        let expected = ("tls://host:1/x".to_owned(), Some(("ann".to_owned(), password)));
        assert_eq!(of("tls://ann:p%40s%2fs:%25w@host:1/x"), expected);
        assert_eq!(of("s3cret@host"), ("nats://host".to_owned(), Some(("s3cret".to_owned(), None))));
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%e4%"), "\u{fffd}%");
    }
}
