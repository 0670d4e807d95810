//! A proxy in front of any TCP server, whose connections a test can cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between looks whether bytes are kept still.
const HOLD_POLL: Duration = Duration::from_millis(5);

/// A running proxy; it ends when dropped.
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_down: AtomicBool,
    is_held: AtomicBool,
    is_ended: AtomicBool,
    accepted: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl TcpProxy {
    /// Starts in front of `server`.
    ///
    /// # Panics
    /// When loopback gives no port.
    #[must_use]
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback gives a port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if seen.is_ended.load(Ordering::SeqCst) {
                    return;
                }
                seen.accepted.fetch_add(1, Ordering::SeqCst);
                if !seen.is_down.load(Ordering::SeqCst) {
                    seen.join(client, server);
                }
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections clients made.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Cuts every open connection; new ones are let through.
    pub fn cut(&self) {
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Cuts every open connection, and each new one at once, until [`TcpProxy::up`].
    pub fn down(&self) {
        self.shared.is_down.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Keeps every byte that comes, both ways, until [`TcpProxy::release`]; connections stay open.
    pub fn hold(&self) {
        self.shared.is_held.store(true, Ordering::SeqCst);
    }

    /// Lets bytes through again, those that were kept first.
    pub fn release(&self) {
        self.shared.is_held.store(false, Ordering::SeqCst);
    }

    /// Lets connections through again.
    pub fn up(&self) {
        self.shared.is_down.store(false, Ordering::SeqCst);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.is_ended.store(true, Ordering::SeqCst);
        self.down();
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// Carries bytes both ways until either side ends; a client of an absent server is hung up on.
    fn join(self: &Arc<Self>, client: TcpStream, server: SocketAddr) {
        let Ok(server) = TcpStream::connect(server) else { return };
        let both = [(client.try_clone(), server.try_clone()), (server.try_clone(), client.try_clone())];
        self.open.lock().unwrap_or_else(PoisonError::into_inner).extend([client, server]);
        for (from, to) in both {
            let (Ok(from), Ok(to)) = (from, to) else { continue };
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.carry(from, to));
        }
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            while self.is_held.load(Ordering::SeqCst) && !self.is_ended.load(Ordering::SeqCst) {
                std::thread::sleep(HOLD_POLL);
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
