//! The time that rounds go by: the system's, a faster one for tests and rehearsals, or one
//! that moves only when nobody works.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;
use tokio::time::Instant;

/// A clock; clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    kind: Arc<Kind>,
}

#[derive(Debug)]
enum Kind {
    System,
    Fast { anchor_ms: u64, from_ms: u64, factor: u32 },
    Stepped { patience: Duration, state: Mutex<Stepped> },
}

#[derive(Debug, Default)]
struct Stepped {
    now_ms: u64,
    holds: usize,
    next_sleeper: u64,
    sleepers: BTreeMap<(u64, u64), oneshot::Sender<()>>,
}

impl Clock {
    /// The system's time.
    #[must_use]
    pub fn system() -> Self {
        Self { kind: Arc::new(Kind::System) }
    }

    /// Showed `from_ms` when the system's clock showed `anchor_ms` (both ms since 1970), and
    /// runs `factor` times as fast: the same for every process.
    #[must_use]
    pub fn fast(anchor_ms: u64, from_ms: u64, factor: u32) -> Self {
        Self { kind: Arc::new(Kind::Fast { anchor_ms, from_ms, factor: factor.max(1) }) }
    }

    /// Stands while anybody holds it and then jumps to the earliest time that someone sleeps
    /// for. Deadlines of work outside the process come `patience` after they are asked for.
    #[must_use]
    pub fn stepped(from_ms: u64, patience: Duration) -> Self {
        let state = Mutex::new(Stepped { now_ms: from_ms, ..Stepped::default() });
        Self { kind: Arc::new(Kind::Stepped { patience, state }) }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match &*self.kind {
            Kind::System => system_ms(),
            Kind::Fast { anchor_ms, from_ms, factor } => {
                from_ms.saturating_add(system_ms().saturating_sub(*anchor_ms).saturating_mul(u64::from(*factor)))
            }
            Kind::Stepped { state, .. } => locked(state).now_ms,
        }
    }

    /// When work outside the process must end that may last until `time_ms`.
    #[must_use]
    pub fn instant_at(&self, time_ms: u64) -> Instant {
        let left = Duration::from_millis(time_ms.saturating_sub(self.now_ms()));
        match &*self.kind {
            Kind::System => Instant::now() + left,
            Kind::Fast { factor, .. } => Instant::now() + left / *factor,
            Kind::Stepped { patience, .. } => Instant::now() + *patience,
        }
    }

    /// Begins work that a stepped clock waits for.
    #[must_use]
    pub fn hold(&self) -> Hold {
        if let Kind::Stepped { state, .. } = &*self.kind {
            locked(state).holds += 1;
        }
        Hold { clock: self.clone(), held: true }
    }

    fn release(&self) {
        if let Kind::Stepped { state, .. } = &*self.kind {
            let mut state = locked(state);
            state.holds = state.holds.saturating_sub(1);
            state.advance();
        }
    }
}

impl Stepped {
    /// Wakes whoever sleeps for the earliest time, when nobody works; the woken work then.
    fn advance(&mut self) {
        while self.holds == 0
            && let Some((&(earliest, _), _)) = self.sleepers.first_key_value()
        {
            self.now_ms = self.now_ms.max(earliest);
            while let Some(entry) = self.sleepers.first_entry()
                && entry.key().0 <= self.now_ms
            {
                // Who gave up sleeping holds nothing.
                self.holds += usize::from(entry.remove().send(()).is_ok());
            }
        }
    }
}

/// The part of someone who works: a stepped clock stands while there is one.
#[derive(Debug)]
pub struct Hold {
    clock: Clock,
    held: bool,
}

impl Hold {
    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Lets the clock move on while waiting for something that brings its own hold.
    pub(crate) fn release(&mut self) {
        if std::mem::take(&mut self.held) {
            self.clock.release();
        }
    }

    /// Sleeps until the clock shows `time_ms`; the clock may move meanwhile.
    pub async fn sleep_until(&mut self, time_ms: u64) {
        match &*self.clock.kind {
            Kind::System | Kind::Fast { .. } => {
                // The instant is rounded down to a millisecond of wall time.
                while self.clock.now_ms() < time_ms {
                    tokio::time::sleep_until(self.clock.instant_at(time_ms) + Duration::from_millis(1)).await;
                }
            }
            Kind::Stepped { state, .. } => {
                let mut sleep = {
                    let mut state = locked(state);
                    if state.now_ms >= time_ms {
                        return;
                    }
                    let (sender, woken) = oneshot::channel();
                    state.next_sleeper += 1;
                    let place = (time_ms, state.next_sleeper);
                    state.sleepers.insert(place, sender);
                    Sleep { clock: self.clock.clone(), woken: Some(woken) }
                };
                self.release();
                if let Some(woken) = &mut sleep.woken {
                    // The sender is dropped only with the clock.
                    self.held = woken.await.is_ok();
                }
                sleep.woken = None;
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

/// A sleep that may be given up after it was ended and before anybody saw it.
struct Sleep {
    clock: Clock,
    woken: Option<oneshot::Receiver<()>>,
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(mut woken) = self.woken.take() {
            woken.close();
            if woken.try_recv().is_ok() {
                self.clock.release();
            }
        }
    }
}

fn locked(state: &Mutex<Stepped>) -> MutexGuard<'_, Stepped> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The system's clock in milliseconds since 1970.
pub(crate) fn system_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stepped_clock_waits_for_work_and_wakes_in_order() {
        let clock = Clock::stepped(1_000, Duration::from_secs(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        let sleepers: Vec<_> = [3_000_u64, 2_000, 5_000]
            .into_iter()
            .map(|time| {
                let (mut hold, order) = (clock.hold(), Arc::clone(&order));
                tokio::spawn(async move {
                    hold.sleep_until(time).await;
                    order.lock().unwrap().push((time, hold.clock().now_ms()));
                })
            })
            .collect();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [(2_000, 2_000), (3_000, 3_000), (5_000, 5_000)]);
    }

    #[tokio::test]
    async fn who_gives_up_sleeping_does_not_stop_the_clock() {
        let clock = Clock::stepped(0, Duration::from_secs(1));
        let (mut impatient, mut patient) = (clock.hold(), clock.hold());
        {
            let sleep = impatient.sleep_until(10);
            tokio::pin!(sleep);
            assert!(tokio::time::timeout(Duration::from_millis(5), sleep).await.is_err());
        }
        drop(impatient);
        patient.sleep_until(20).await;
        assert_eq!(clock.now_ms(), 20);
    }
}
