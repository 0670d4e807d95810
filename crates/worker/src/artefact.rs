//! Files that a job leaves, and where in a home they may belong.

use std::path::{Path, PathBuf};

use assay_store::{Home, StoreError, Trial};
use assay_types::Hash;

/// Largest file.
pub const MAX_ARTEFACT_BYTES: u64 = 1 << 30;
/// Most files of one attempt.
pub const MAX_ARTEFACTS: usize = 10_000;
/// Longest name of a file.
const MAX_NAME: usize = 64;
/// Digits of a run's or search's id.
const ID_DIGITS: usize = 32;
/// Earlier evaluations.
pub const TRIALS: &str = "trials.jsonl";
const CHECKPOINT: &str = "checkpoint.bin";
/// Written last: it says that a run is there.
const SUMMARY: &str = "run.json";

/// Whether `path` is one that a job's file may have: `runs/ID/NAME`, `searches/ID.json` or
/// `trials.jsonl`.
pub fn is_place(path: &str) -> bool {
    let is_id = |id: &str| id.len() == ID_DIGITS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_name = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        name.len() <= MAX_NAME && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    match path.split('/').collect::<Vec<_>>()[..] {
        ["runs", id, name] => is_id(id) && is_name(name),
        ["searches", name] => name.strip_suffix(".json").is_some_and(is_id),
        [name] => name == TRIALS,
        _ => false,
    }
}

/// The files of a job's home, by their places.
///
/// # Errors
/// [`StoreError::Io`].
pub fn collect(home: &Path) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        let path = home.join(&folder);
        let entries = std::fs::read_dir(&path).map_err(StoreError::io("read", &path))?;
        for entry in entries {
            let entry = entry.map_err(StoreError::io("read", &path))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let place = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(StoreError::io("read", &path))?;
            if kind.is_dir() && matches!(place.split('/').next(), Some("runs" | "searches")) {
                open.push(place);
            } else if kind.is_file() && is_place(&place) && !place.ends_with(".tmp") {
                found.push(place);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Where the files of an attempt wait for its end.
pub fn staging(home: &Home, job_id: &str, token: i64) -> PathBuf {
    home.path().join("staging").join(format!("{job_id}-{token}"))
}

/// Removes what attempts at a job before `token` left waiting.
pub fn remove_stale(home: &Home, job_id: &str, token: i64) {
    let Ok(entries) = std::fs::read_dir(home.path().join("staging")) else { return };
    let (prefix, current) = (format!("{job_id}-"), format!("{job_id}-{token}"));
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name != current {
            // What cannot be removed only takes space.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Keeps the waiting files by content too, as runs made here are; nothing refers to them yet.
///
/// # Errors
/// [`StoreError`].
pub fn keep_objects(home: &Home, staging: &Path) -> Result<(), StoreError> {
    for place in staged(staging)? {
        if place.starts_with("runs/") && !place.ends_with(CHECKPOINT) && !place.ends_with(SUMMARY) {
            home.objects().put(&assay_store::read(&staging.join(&place))?)?;
        }
    }
    Ok(())
}

/// Moves the waiting files to their places. Done again after an interruption, it goes on.
///
/// # Errors
/// [`StoreError::Locked`] when another process works on a run; [`StoreError::Io`].
pub fn publish(home: &Home, staging: &Path) -> Result<(), StoreError> {
    let mut places = staged(staging)?;
    places.sort_by_key(|place| place.ends_with(SUMMARY));
    let mut locks = Vec::new();
    let mut locked = Vec::new();
    for place in &places {
        if let ["runs", id, _] = place.split('/').collect::<Vec<_>>()[..]
            && !locked.contains(&id)
        {
            locks.push(home.runs().folder(id).lock()?);
            locked.push(id);
        }
    }
    for place in &places {
        let (from, to) = (staging.join(place), home.path().join(place));
        if place == TRIALS {
            merge_trials(home, &from)?;
            continue;
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
        }
        std::fs::rename(&from, &to).map_err(StoreError::io("write", &to))?;
        let has_checkpoint = places.contains(&place.replace(SUMMARY, CHECKPOINT));
        if place.ends_with(SUMMARY) && !has_checkpoint {
            // A finished run keeps no checkpoint of an earlier attempt.
            let _ = std::fs::remove_file(to.with_file_name(CHECKPOINT));
        }
    }
    Ok(())
}

fn merge_trials(home: &Home, file: &Path) -> Result<(), StoreError> {
    let text = assay_store::read_to_string(file)?;
    let trials = home.trials();
    text.lines().filter_map(|line| serde_json::from_str::<Trial>(line).ok()).try_for_each(|trial| trials.record(&trial))
}

/// The earlier evaluations on a dataset, as lines.
pub fn trials_on(home: &Home, dataset: &str) -> Result<String, StoreError> {
    let trials = home.trials().on(dataset, i64::MIN, i64::MAX)?;
    let line = |trial: &Trial| serde_json::to_string(trial).expect("a trial is plain data") + "\n";
    Ok(trials.iter().map(line).collect())
}

fn staged(staging: &Path) -> Result<Vec<String>, StoreError> {
    if staging.exists() { collect(staging) } else { Ok(Vec::new()) }
}

/// A file's hash and bytes.
///
/// # Errors
/// [`StoreError::Io`].
pub fn read_hashed(path: &Path) -> Result<(Vec<u8>, Hash), StoreError> {
    let bytes = assay_store::read(path)?;
    let hash = Hash::of(&bytes);
    Ok((bytes, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn files_have_few_places() {
        for place in [format!("runs/{ID}/weights.safetensors"), format!("searches/{ID}.json"), TRIALS.to_owned()] {
            assert!(is_place(&place), "{place}");
        }
        for place in [
            "",
            "..",
            "/etc/passwd",
            "runs",
            "runs/..",
            "runs/../x",
            "keys/signing.key",
            "platform.db",
            "trials.jsonl/x",
        ] {
            assert!(!is_place(place), "{place}");
        }
        for place in [
            format!("runs/{ID}/../x"),
            format!("runs/{ID}/.x"),
            format!("runs/{ID}/a/b"),
            format!("runs/{ID}/a\\b"),
            format!("runs/{}/x", ID.to_uppercase()),
            format!("searches/{ID}"),
            format!("runs/{ID}/"),
        ] {
            assert!(!is_place(&place), "{place}");
        }
    }

    #[test]
    fn waiting_files_are_moved_once_and_a_locked_run_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let waiting = staging(&home, "job", 3);
        let run = waiting.join("runs").join(ID);
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("run.json"), "{}").unwrap();
        std::fs::write(run.join("weights.safetensors"), "w").unwrap();
        std::fs::write(home.path().join("beside"), "b").unwrap();
        home.runs().folder(ID).write("checkpoint.bin", b"old").unwrap();
        let lock = home.runs().folder(ID).lock().unwrap();
        assert!(matches!(publish(&home, &waiting), Err(StoreError::Locked { .. })));
        assert!(!home.runs().folder(ID).file("run.json").exists());
        drop(lock);
        keep_objects(&home, &waiting).unwrap();
        for _ in 0..2 {
            publish(&home, &waiting).unwrap();
        }
        assert_eq!(home.runs().folder(ID).read("weights.safetensors").unwrap(), b"w");
        assert!(!home.runs().folder(ID).file("checkpoint.bin").exists());
        assert_eq!(home.objects().get(Hash::of(b"w")).unwrap().unwrap(), b"w");
        remove_stale(&home, "job", 4);
        assert!(!waiting.exists());
    }
}
