//! A proxy in front of a node, that lets a test spoil the exchanges it chooses.

use std::io::{Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::loopback::{Message, read_message};

/// What the proxy does with a request.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Hands it to the node, and the answer back.
    Pass,
    /// Hands it to the node and closes the connection after so many bytes of the answer's body.
    Cut(usize),
    /// Answers itself: status, further header lines (each with its line end), body.
    Answer(u16, String, String),
    /// Hands it to the node and hands the answer back with this in place of its body.
    Replace(fn(&str) -> String),
    /// Never answers.
    Hang,
}

/// A running proxy; it takes no new connections when dropped.
pub struct NodeProxy {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl NodeProxy {
    /// Starts in front of `node`; `rule` says what to do with each request by its body.
    ///
    /// # Panics
    /// When loopback gives no port.
    pub fn start(node: SocketAddr, rule: impl Fn(&Value) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback gives a port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let stopped = Arc::new(AtomicBool::new(false));
        let (stop, rule) = (Arc::clone(&stopped), Arc::new(rule));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let rule = Arc::clone(&rule);
                // An error is a client that hung up, which clients may.
                std::thread::spawn(move || serve(stream, node, rule.as_ref()));
            }
        });
        Self { address, stopped }
    }

    /// The address for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for NodeProxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut client: TcpStream, node: SocketAddr, rule: &dyn Fn(&Value) -> Deed) -> Result<()> {
    let mut upstream = TcpStream::connect(node)?;
    while let Some(request) = read_message(&mut client)? {
        let question: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let deed = rule(&question);
        let ask = |upstream: &mut TcpStream| -> Result<Message> {
            // Paths, in which providers put keys, mean nothing to the node.
            let head = request.head.split_once("\r\n").map_or("", |(_, rest)| rest);
            upstream.write_all(format!("POST / HTTP/1.1\r\n{head}").as_bytes())?;
            upstream.write_all(&request.body)?;
            read_message(upstream)?.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
        };
        match deed {
            Deed::Pass => {
                let answer = ask(&mut upstream)?;
                client.write_all(answer.head.as_bytes())?;
                client.write_all(&answer.body)?;
            }
            Deed::Cut(bytes) => {
                let answer = ask(&mut upstream)?;
                client.write_all(answer.head.as_bytes())?;
                client.write_all(&answer.body[..bytes.min(answer.body.len().saturating_sub(1))])?;
                return client.shutdown(Shutdown::Both);
            }
            Deed::Answer(status, headers, body) => {
                let length = body.len();
                write!(client, "HTTP/1.1 {status} told\r\n{headers}content-length: {length}\r\n\r\n{body}")?;
            }
            Deed::Replace(change) => {
                let body = change(&String::from_utf8_lossy(&ask(&mut upstream)?.body));
                write!(client, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
            }
            Deed::Hang => {
                // Ends when the client hangs up.
                read_message(&mut client)?;
                return Ok(());
            }
        }
    }
    Ok(())
}
