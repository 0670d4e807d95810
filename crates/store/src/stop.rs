//! The stop mark: a file that holds back everything that sends, also after a restart.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::files::{read, write_atomic};
use crate::home::Home;
use crate::lock::Lock;

/// Longest wait for another process that writes the mark. A stop goes on without its turn then.
const TURN_WAIT: Duration = Duration::from_millis(300);
/// Between looks whether it is done.
const TURN_POLL: Duration = Duration::from_millis(2);
/// Longest reason that is read from a file made by hand.
const MAX_REASON: usize = 200;

/// Who stopped, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopMark {
    /// When, ISO-8601 UTC.
    pub at: String,
    /// Who: a user, a credential or a command.
    pub by: String,
    /// Why, in the words of whoever stopped.
    pub reason: String,
    /// Which stop this is: each gives the mark another one, also where it was stopped already.
    #[serde(default)]
    pub id: String,
}

impl StopMark {
    /// A mark that no other stop has made.
    #[must_use]
    pub fn new(at: String, by: String, reason: String) -> Self {
        let mut id = [0; 8];
        // Without randomness the time and the process tell stops apart; a stop never fails for it.
        let id = match getrandom::fill(&mut id) {
            Ok(()) => hex::encode(id),
            Err(_) => format!("{}-{at}", std::process::id()),
        };
        Self { at, by, reason, id }
    }
}

/// What a resume found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleared {
    /// The mark is gone.
    Resumed,
    /// There was none.
    Absent,
    /// It was stopped anew, which stands.
    Newer(StopMark),
}

/// A resume that the server of this home is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// The stop that is resumed: [`StopMark::id`].
    pub id: String,
    /// Who asks.
    pub by: String,
    /// Why sending may go on.
    pub reason: String,
}

/// The stop mark of a home folder. While its file is there nothing may be sent; any file of
/// that name counts, an empty one made by hand too.
#[derive(Debug, Clone)]
pub struct Stop {
    path: PathBuf,
    home: Home,
}

impl Stop {
    /// The mark of `home`.
    #[must_use]
    pub fn at(home: &Home) -> Self {
        Self { path: home.path().join("stop"), home: home.clone() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether sending is stopped. A folder that cannot be looked into counts as stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        match std::fs::symlink_metadata(&self.path) {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }

    /// Who stopped, when and why; `None` when nothing is stopped. A file that is no mark of
    /// ours still stops, with its text as the reason.
    #[must_use]
    pub fn mark(&self) -> Option<StopMark> {
        self.is_stopped().then(|| mark_in(&self.path))
    }

    /// Stops; the mark as it stands then. Of a mark that is there already when, who and why
    /// stay, but it is another stop: who resumes the one before does not resume this one.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file cannot be written: then nothing is stopped.
    pub fn set(&self, mark: &StopMark) -> Result<StopMark, StoreError> {
        // Whoever hangs with the lock in hand holds up no stop.
        let _turn = self.turn();
        let wanted = match self.mark() {
            Some(found) => StopMark { id: mark.id.clone(), ..found },
            None => mark.clone(),
        };
        match self.write(&wanted) {
            Ok(()) => Ok(wanted),
            // On a full disk an empty file may still find its place, and it stops as well.
            Err(error) => {
                let emptied = std::fs::OpenOptions::new().create(true).append(true).open(&self.path);
                emptied.map_err(|_| error).map(|_| self.mark().unwrap_or(wanted))
            }
        }
    }

    /// Writes `mark` as it is, if the mark here is `expected`; whether it did.
    ///
    /// # Errors
    /// [`StoreError::Io`], and [`StoreError::Locked`] while another process writes it.
    pub fn replace(&self, expected: Option<&StopMark>, mark: &StopMark) -> Result<bool, StoreError> {
        let _turn = self.turn()?;
        if self.mark().as_ref() != expected {
            return Ok(false);
        }
        self.write(mark).map(|()| true)
    }

    /// Lets sending go on, if the mark is the one that was `seen`: a stop that came after it
    /// stands.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file cannot be removed, [`StoreError::Locked`] while another
    /// process writes it: then everything stays stopped.
    pub fn clear(&self, seen: &StopMark) -> Result<Cleared, StoreError> {
        let _turn = self.turn()?;
        let Some(found) = self.mark() else { return Ok(Cleared::Absent) };
        if found.id != seen.id {
            return Ok(Cleared::Newer(found));
        }
        let failed = || StoreError::io("remove", &self.path);
        if std::fs::symlink_metadata(&self.path).map_err(failed())?.is_dir() {
            return Err(failed()(ErrorKind::IsADirectory.into()));
        }
        // Who makes a file by hand takes no turn: what is taken away is looked at once more.
        let aside = self.path.with_file_name("stop.resumed");
        std::fs::rename(&self.path, &aside).map_err(failed())?;
        let taken = mark_in(&aside);
        if taken.id != seen.id {
            if !self.is_stopped() {
                std::fs::rename(&aside, &self.path).map_err(StoreError::io("put back", &self.path))?;
            }
            return Ok(Cleared::Newer(taken));
        }
        // It stops nothing any more; the next resume takes its place.
        let _ = std::fs::remove_file(&aside);
        Ok(self.mark().map_or(Cleared::Resumed, Cleared::Newer))
    }

    /// Asks the server of this home to resume, which takes it up within a second.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn request_resume(&self, request: &ResumeRequest) -> Result<(), StoreError> {
        write_atomic(&self.request_path(), &serde_json::to_vec_pretty(request).expect("plain data"))
    }

    /// The resume that was asked for; a file that does not read asks for none.
    #[must_use]
    pub fn resume_request(&self) -> Option<ResumeRequest> {
        serde_json::from_slice(&std::fs::read(self.request_path()).ok()?).ok()
    }

    /// Whether a resume was asked for and not taken up yet.
    #[must_use]
    pub fn is_resume_requested(&self) -> bool {
        std::fs::symlink_metadata(self.request_path()).is_ok()
    }

    /// Forgets the resume that was asked for.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn forget_resume_request(&self) -> Result<(), StoreError> {
        let path = self.request_path();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    fn request_path(&self) -> PathBuf {
        self.path.with_file_name("resume")
    }

    fn write(&self, mark: &StopMark) -> Result<(), StoreError> {
        write_atomic(&self.path, &serde_json::to_vec_pretty(mark).expect("plain data"))
    }

    /// The turn to change the mark, waited for a moment.
    fn turn(&self) -> Result<Lock, StoreError> {
        let deadline = Instant::now() + TURN_WAIT;
        loop {
            match self.home.lock("stop mark") {
                Err(StoreError::Locked { .. }) if Instant::now() < deadline => std::thread::sleep(TURN_POLL),
                turn => return turn,
            }
        }
    }
}

/// The mark in a file that is there.
fn mark_in(path: &Path) -> StopMark {
    let bytes = read(path).unwrap_or_default();
    let mut mark = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
        let reason = String::from_utf8_lossy(&bytes).trim().chars().take(MAX_REASON).collect();
        StopMark { at: String::new(), by: "file".to_owned(), reason, id: String::new() }
    });
    if mark.id.is_empty() {
        // Whoever touches it or writes it again has stopped again.
        let written = std::fs::symlink_metadata(path).and_then(|about| about.modified()).ok();
        let since = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        mark.id = format!("file-{}", since.as_nanos());
    }
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(reason: &str) -> StopMark {
        StopMark::new("2024-01-01T00:00:00Z".into(), "owner".into(), reason.into())
    }

    #[test]
    fn the_mark_outlives_whoever_set_it_and_any_file_stops() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let stop = Stop::at(&home);
        let storm = mark("storm");
        assert!(!stop.is_stopped() && stop.mark().is_none() && stop.clear(&storm).unwrap() == Cleared::Absent);
        assert_eq!(stop.set(&storm).unwrap(), storm);
        assert_eq!(Stop::at(&home).mark(), Some(storm.clone()));
        assert!(stop.clear(&storm).unwrap() == Cleared::Resumed && !stop.is_stopped());
        std::fs::write(stop.path(), "by hand\n").unwrap();
        let by_hand = stop.mark().unwrap();
        assert_eq!((by_hand.reason.as_str(), by_hand.by.as_str()), ("by hand", "file"));
        stop.clear(&by_hand).unwrap();
        std::fs::create_dir(stop.path()).unwrap();
        assert!(stop.is_stopped() && stop.clear(&stop.mark().unwrap()).is_err() && stop.is_stopped());
    }

    #[test]
    fn a_resume_takes_the_stop_away_that_it_saw_and_no_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let stop = Stop::at(&Home::open(folder.path()).unwrap());
        let first = stop.set(&mark("storm")).unwrap();
        let second = stop.set(&mark("later")).unwrap();
        assert_eq!((second.reason.as_str(), second.id == first.id), ("storm", false));
        assert_eq!(stop.clear(&first).unwrap(), Cleared::Newer(second.clone()));
        assert!(stop.is_stopped());
        // One made by hand in its place is a newer one, and so is one that was touched.
        std::fs::write(stop.path(), "").unwrap();
        let by_hand = stop.mark().unwrap();
        assert_eq!(stop.clear(&second).unwrap(), Cleared::Newer(by_hand.clone()));
        let file = std::fs::File::options().append(true).open(stop.path()).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        assert!(matches!(stop.clear(&by_hand).unwrap(), Cleared::Newer(_)) && stop.is_stopped());
        assert!(!stop.replace(Some(&by_hand), &first).unwrap());
        assert!(stop.replace(stop.mark().as_ref(), &first).unwrap());
        assert_eq!(stop.clear(&first).unwrap(), Cleared::Resumed);
    }

    #[test]
    fn of_stops_and_resumes_at_once_the_last_stop_is_never_lost() {
        let folder = tempfile::tempdir().unwrap();
        let stop = Stop::at(&Home::open(folder.path()).unwrap());
        for _ in 0..200 {
            let seen = stop.set(&mark("first")).unwrap();
            let newest = mark("second");
            std::thread::scope(|scope| {
                scope.spawn(|| while matches!(stop.clear(&seen), Err(StoreError::Locked { .. })) {});
                scope.spawn(|| stop.set(&newest).unwrap());
            });
            assert_eq!(stop.mark().map(|mark| mark.id), Some(newest.id.clone()), "the second stop is lost");
            assert_eq!(stop.clear(&newest).unwrap(), Cleared::Resumed);
        }
    }

    #[test]
    fn a_stop_waits_for_nobody_who_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let stop = Stop::at(&home);
        let held = home.lock("stop mark").unwrap();
        let began = Instant::now();
        let set = stop.set(&mark("storm")).unwrap();
        assert!(stop.is_stopped() && began.elapsed() < Duration::from_millis(900));
        assert!(matches!(stop.clear(&set), Err(StoreError::Locked { .. })) && stop.is_stopped());
        drop(held);
    }
}
