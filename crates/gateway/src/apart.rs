//! A broker's client in a runtime of its own. Clients keep queues and finish in the background what
//! was handed to them; ended with its runtime, a client sends nothing more, whatever it holds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::Refusal;

/// A client, made at its first use and again after it was ended. `S` is what it keeps.
pub(crate) struct Apart<S> {
    name: &'static str,
    place: Mutex<Option<Place<S>>>,
}

struct Place<S> {
    runtime: Runtime,
    session: Arc<S>,
}

/// Ended when dropped.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<S: Default + Send + Sync + 'static> Apart<S> {
    pub const fn new(name: &'static str) -> Self {
        Self { name, place: Mutex::new(None) }
    }

    /// Does `work` with what the client keeps; given up, the work ends.
    pub async fn run<W, F>(&self, work: W) -> Result<(), Refusal>
    where
        W: FnOnce(Arc<S>) -> F,
        F: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        let mut task = {
            let mut place = self.lock();
            let place = match &mut *place {
                Some(place) => place,
                empty => empty.insert(self.begin()?),
            };
            Task(place.runtime.spawn(work(Arc::clone(&place.session))))
        };
        (&mut task.0).await.unwrap_or_else(|_| Err(Refusal::passing("its connection was ended here")))
    }

    /// Ends the client and everything that it does, without waiting for it.
    pub fn end(&self) {
        if let Some(place) = self.lock().take() {
            place.runtime.shutdown_background();
        }
    }

    fn begin(&self) -> Result<Place<S>, Refusal> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name(self.name).enable_all().build();
        let runtime = runtime.map_err(|error| Refusal::passing(format!("no thread can be had: {error}")))?;
        Ok(Place { runtime, session: Arc::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Place<S>>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Drop for Apart<S> {
    fn drop(&mut self) {
        let place = self.place.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = place.take() {
            place.runtime.shutdown_background();
        }
    }
}
