//! Changing a dataset: merge, put, swap, sweep.

use object_store::{Error as StoreError, ObjectStoreExt, PutMode};

use super::{Current, MANIFEST, Storage};
use crate::LakeError;
use crate::lock::WriteLock;
use crate::manifest::{Manifest, Partition};
use crate::partitions::{OnConflict, Record, merge, split};
use crate::place::Place;

/// How old an unnamed file of a shared store must be before it is removed: another
/// writer may be about to name a younger one.
const ORPHAN_AGE_HOURS: i64 = 24;

/// What a write changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct StoreReport {
    /// Rows that were not there before.
    pub added: u64,
    /// Stored rows whose values changed.
    pub replaced: u64,
    /// Rows that were there already.
    pub unchanged: u64,
    /// Names of the partitions that were written.
    pub partitions: Vec<String>,
}

/// Why a partition cannot be read, apart from a failing store.
fn is_damage(error: &LakeError) -> bool {
    matches!(
        error,
        LakeError::HashMismatch { .. }
            | LakeError::MissingPartition { .. }
            | LakeError::CorruptPartition { .. }
            | LakeError::Format { .. }
    )
}

impl Storage {
    /// Merges `rows` (ascending key) into a dataset. With [`OnConflict::Replace`], a
    /// damaged partition is replaced by rows that cover all it held.
    pub(crate) async fn store<R: Record>(
        &self,
        place: &Place,
        rows: &[R],
        on_conflict: OnConflict,
    ) -> Result<StoreReport, LakeError> {
        let _lock = self.root.as_deref().map(|root| WriteLock::take(root, &place.name)).transpose()?;
        let current = self.current(place).await?;
        let mut next = current.manifest.clone();
        let mut report = StoreReport::default();
        for (name, new) in split(rows) {
            let stored = match current.manifest.partitions.get(&name) {
                Some(partition) => match self.read::<R>(place, &name, partition).await {
                    Err(error) if is_damage(&error) && on_conflict == OnConflict::Replace && covers(new, partition) => {
                        Vec::new()
                    }
                    result => result?,
                },
                None => Vec::new(),
            };
            let merged = merge(&place.name, &stored, new, on_conflict)?;
            report.added += merged.added;
            report.replaced += merged.replaced;
            report.unchanged += new.len() as u64 - merged.added - merged.replaced;
            if merged.added + merged.replaced == 0 {
                continue;
            }
            let bytes = R::encode(&merged.rows);
            let partition = Partition::describe(&name, &merged.rows, &bytes, place.step_ms);
            if report.partitions.is_empty() {
                self.check_writable(place)?;
            }
            let object = place.object(&partition.file);
            self.objects.put(&object, bytes.into()).await.map_err(|source| self.error(&object, source))?;
            next.partitions.insert(name.clone(), partition);
            report.partitions.push(name);
        }
        if next != current.manifest {
            self.swap(place, &current, &next).await?;
        }
        if !report.partitions.is_empty() {
            self.sweep(place, &next).await?;
        }
        Ok(report)
    }

    /// A local folder that cannot be created is named before anything is written.
    fn check_writable(&self, place: &Place) -> Result<(), LakeError> {
        let Some(root) = &self.root else { return Ok(()) };
        let folder = root.join(place.folder.as_ref());
        std::fs::create_dir_all(&folder).map_err(|source| LakeError::io(folder.display(), source))
    }

    async fn swap(&self, place: &Place, current: &Current, next: &Manifest) -> Result<(), LakeError> {
        let object = place.object(MANIFEST);
        let mode = match (&self.root, &current.version) {
            (Some(_), _) => PutMode::Overwrite,
            (None, Some(version)) => PutMode::Update(version.clone()),
            (None, None) => PutMode::Create,
        };
        match self.objects.put_opts(&object, next.to_json().into(), mode.into()).await {
            Ok(_) => Ok(()),
            Err(StoreError::Precondition { .. } | StoreError::AlreadyExists { .. }) => {
                Err(LakeError::Locked { dataset: place.name.clone() })
            }
            Err(source) => Err(self.error(&object, source)),
        }
    }

    async fn sweep(&self, place: &Place, manifest: &Manifest) -> Result<(), LakeError> {
        let now = jiff::Timestamp::now().as_second();
        for orphan in self.orphans(place, manifest).await? {
            let age_hours = (now - orphan.last_modified.timestamp()) / 3600;
            if self.root.is_none() && age_hours < ORPHAN_AGE_HOURS {
                continue;
            }
            match self.objects.delete(&orphan.location).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => {}
                Err(source) => return Err(self.error(&orphan.location, source)),
            }
        }
        self.sweep_staged(place)
    }

    /// Removes half-written files: the local store stages a file under its name and
    /// `#`, lists none of them, and leaves one behind when it is killed.
    fn sweep_staged(&self, place: &Place) -> Result<(), LakeError> {
        let Some(root) = &self.root else { return Ok(()) };
        let folder = root.join(place.folder.as_ref());
        let error = |source| LakeError::io(folder.display(), source);
        for entry in std::fs::read_dir(&folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            if entry.file_name().to_string_lossy().contains('#') {
                std::fs::remove_file(entry.path()).map_err(error)?;
            }
        }
        Ok(())
    }
}

/// Whether `rows` hold at least what a damaged partition held.
fn covers<R: Record>(rows: &[R], partition: &Partition) -> bool {
    let time = |row: Option<&R>| row.map(Record::time_ms);
    rows.len() as u64 >= partition.rows
        && time(rows.first()) <= Some(partition.first_ms)
        && time(rows.last()) >= Some(partition.last_ms)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use assay_types::{Candle, Price, Qty};
    use futures::stream::{BoxStream, StreamExt};
    use object_store::path::Path as ObjectPath;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
        PutOptions, PutPayload, PutResult, Result as StoreResult, local::LocalFileSystem,
    };

    use super::*;
    use crate::lake::ALL_TIME;

    /// A folder on a disk that is full, or a process that is killed, after so many
    /// changes: the change that does not fit fails, and so does each later one.
    #[derive(Debug)]
    struct Failing {
        inner: LocalFileSystem,
        changes_left: AtomicI64,
    }

    impl Failing {
        fn change(&self) -> StoreResult<()> {
            if self.changes_left.fetch_sub(1, Ordering::SeqCst) > 0 {
                return Ok(());
            }
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            Err(StoreError::Generic { store: "disk", source: Box::new(full) })
        }
    }

    impl fmt::Display for Failing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("failing folder")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Failing {
        async fn put_opts(&self, path: &ObjectPath, data: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
            self.change()?;
            self.inner.put_opts(path, data, options).await
        }
        async fn put_multipart_opts(
            &self,
            path: &ObjectPath,
            options: PutMultipartOptions,
        ) -> StoreResult<Box<dyn MultipartUpload>> {
            self.change()?;
            self.inner.put_multipart_opts(path, options).await
        }
        async fn get_opts(&self, path: &ObjectPath, options: GetOptions) -> StoreResult<GetResult> {
            self.inner.get_opts(path, options).await
        }
        fn delete_stream(
            &self,
            paths: BoxStream<'static, StoreResult<ObjectPath>>,
        ) -> BoxStream<'static, StoreResult<ObjectPath>> {
            match self.change() {
                Ok(()) => self.inner.delete_stream(paths),
                Err(error) => futures::stream::once(std::future::ready(Err(error))).boxed(),
            }
        }
        fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
            self.inner.list(prefix)
        }
        async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> StoreResult<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }
        async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> StoreResult<()> {
            self.change()?;
            self.inner.copy_opts(from, to, options).await
        }
    }

    fn storage(folder: &std::path::Path, changes_left: i64) -> Storage {
        let inner = LocalFileSystem::new_with_prefix(folder).unwrap();
        let objects = Arc::new(Failing { inner, changes_left: changes_left.into() });
        Storage { objects, location: folder.display().to_string(), root: Some(folder.to_owned()) }
    }

    /// Two candles in each of six months.
    fn rows(volume: i128) -> Vec<Candle> {
        let month = |month: i8| assay_types::time::month_start_ms(2024, month).unwrap();
        let times = (1..=6).flat_map(|number| [month(number), month(number) + 3_600_000]);
        let price = Price(5);
        times
            .map(|open_time_ms| Candle {
                open_time_ms,
                open: price,
                high: price,
                low: price,
                close: price,
                volume: Qty(volume),
            })
            .collect()
    }

    #[tokio::test]
    async fn a_write_that_stops_anywhere_is_all_or_nothing() {
        let place = Place::of_candles(&"binance/BTC-USDT/1h".parse().unwrap());
        let (before, after) = (rows(1), rows(2));
        let mut outcomes = BTreeSet::new();
        // Six partitions, one manifest, one sweep of the files that were replaced.
        for changes in 0..=14 {
            let folder = tempfile::tempdir().unwrap();
            let sound = storage(folder.path(), i64::MAX);
            sound.store(&place, &before, OnConflict::Refuse).await.unwrap();
            let result = storage(folder.path(), changes).store(&place, &after, OnConflict::Replace).await;
            let loaded: Vec<Candle> = sound.load(&place, &ALL_TIME).await.unwrap();
            assert!(loaded == before || loaded == after, "stopped after {changes} changes");
            assert_eq!(loaded == after, changes > 6, "stopped after {changes} changes");
            if let Err(error) = &result {
                assert!(error.to_string().contains("free some space"), "{error}");
            }
            outcomes.insert(result.is_ok());
            // The next write completes the change and leaves no stray file.
            sound.store(&place, &after, OnConflict::Replace).await.unwrap();
            sound.store(&place, &rows(3), OnConflict::Replace).await.unwrap();
            let manifest = sound.current(&place).await.unwrap().manifest;
            assert!(sound.orphans(&place, &manifest).await.unwrap().is_empty());
            assert_eq!(sound.load::<Candle>(&place, &ALL_TIME).await.unwrap(), rows(3));
        }
        assert_eq!(outcomes.len(), 2, "some writes must fail and some must not");
    }

    #[tokio::test]
    async fn doubled_and_disordered_rows_are_found_behind_a_right_hash() {
        let dataset = "binance/BTC-USDT/1h".parse().unwrap();
        let place = Place::of_candles(&dataset);
        let good = &rows(1)[..2];
        let impossible = Candle { low: Price(9), ..good[1] };
        for (bad, word) in [
            ([good[0], good[0]], "doubled"),
            ([good[1], good[0]], "out of order"),
            ([good[0], impossible], "do not enclose"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let lake = crate::Lake::open_local(folder.path()).unwrap();
            lake.storage.store(&place, good, OnConflict::Refuse).await.unwrap();
            let bytes = Candle::encode(&bad);
            let mut manifest = lake.storage.current(&place).await.unwrap().manifest;
            let partition = Partition::describe("2024-01", &bad, &bytes, None);
            lake.storage.objects.put(&place.object(&partition.file), bytes.into()).await.unwrap();
            manifest.partitions.insert("2024-01".to_owned(), partition);
            lake.storage.objects.put(&place.object(MANIFEST), manifest.to_json().into()).await.unwrap();
            let problems = lake.check(&dataset).await.unwrap();
            let found = problems.iter().find(|problem| problem.kind == crate::ProblemKind::CorruptPartition);
            assert!(found.is_some_and(|problem| problem.detail.contains(word)), "{word}: {problems:?}");
        }
    }

    #[tokio::test]
    async fn half_written_files_are_cleared_by_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of_candles(&"binance/BTC-USDT/1h".parse().unwrap());
        let sound = storage(folder.path(), i64::MAX);
        sound.store(&place, &rows(1), OnConflict::Refuse).await.unwrap();
        let staged = folder.path().join(place.folder.as_ref()).join("2024-01-0.parquet#1");
        std::fs::write(&staged, b"half").unwrap();
        sound.store(&place, &rows(2), OnConflict::Replace).await.unwrap();
        assert!(!staged.exists());
    }

    #[test]
    fn calls_can_be_spawned() {
        fn is_send<T: Send>(_: &T) {}
        let lake = crate::Lake { storage: storage(std::path::Path::new("/"), 0) };
        let dataset = "binance/BTC-USDT/1h".parse().unwrap();
        let candles =
            assay_types::Candles::new(assay_types::Market::new("a", "A-B").unwrap(), assay_types::Timeframe::H1);
        is_send(&lake.store_candles(&candles, OnConflict::Refuse));
        is_send(&lake.load(&dataset, ALL_TIME));
        is_send(&lake.check(&dataset));
        let client = crate::ExchangeClient::new(crate::Venue::Binance).unwrap();
        is_send(&lake.fetch(&client, &dataset, ALL_TIME, |_| ()));
        is_send(&lake.repair(&client, &dataset));
    }
}
