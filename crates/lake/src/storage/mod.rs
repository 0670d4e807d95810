//! Datasets on an object store: manifests, partitions, and the order of writes that
//! makes every change all or nothing.
//!
//! A write puts new partition files (named by content, so nothing is overwritten),
//! then swaps the manifest, then removes files that no manifest names. Killed before
//! the swap, the dataset is as before; killed after it, only unneeded files remain,
//! and the next write removes them.

mod write;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use assay_types::Hash;
use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt, UpdateVersion};

use crate::LakeError;
use crate::manifest::{Manifest, Partition};
use crate::partitions::Record;
use crate::place::Place;

pub use write::StoreReport;

/// File name of a manifest.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Partitions read at a time.
const READ_AHEAD: usize = 8;

/// An object store, and where it is.
#[derive(Clone)]
pub(crate) struct Storage {
    pub objects: Arc<dyn ObjectStore>,
    /// Folder or address, for messages.
    pub location: String,
    /// The folder of a local store; a shared one has none and relies on conditional
    /// writes instead of a lock file.
    pub root: Option<PathBuf>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store itself would print its key id and session token.
        f.debug_tuple("Storage").field(&self.location).finish()
    }
}

/// A manifest as read, and what a conditional write of its successor must see.
pub(crate) struct Current {
    pub manifest: Manifest,
    version: Option<UpdateVersion>,
    existed: bool,
}

impl Storage {
    pub(crate) fn name(&self, object: &ObjectPath) -> String {
        format!("{}/{object}", self.location.trim_end_matches('/'))
    }

    fn error(&self, object: &ObjectPath, source: StoreError) -> LakeError {
        LakeError::Store { object: self.name(object), source }
    }

    /// The bytes of an object, `None` when there is no such object.
    pub(crate) async fn get(&self, object: &ObjectPath) -> Result<Option<Bytes>, LakeError> {
        let result = async { self.objects.get(object).await?.bytes().await };
        match result.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error(object, source)),
        }
    }

    /// The manifest of a dataset; an empty one when there is none yet.
    pub(crate) async fn current(&self, place: &Place) -> Result<Current, LakeError> {
        let object = place.object(MANIFEST);
        let result = async {
            let found = self.objects.get(&object).await?;
            let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            Ok((version, found.bytes().await?))
        };
        match result.await {
            Ok((version, bytes)) => {
                let manifest = Manifest::from_json(&self.name(&object), &place.name, &bytes)?;
                Ok(Current { manifest, version: Some(version), existed: true })
            }
            Err(StoreError::NotFound { .. }) => {
                Ok(Current { manifest: Manifest::new(&place.name), version: None, existed: false })
            }
            Err(source) => Err(self.error(&object, source)),
        }
    }

    /// The manifest of a dataset that must exist.
    pub(crate) async fn manifest(&self, place: &Place) -> Result<Option<Manifest>, LakeError> {
        let current = self.current(place).await?;
        Ok(current.existed.then_some(current.manifest))
    }

    /// Names of all dataset folders under `top`, in order.
    pub(crate) async fn folders(&self, top: &str) -> Result<Vec<ObjectPath>, LakeError> {
        let top = ObjectPath::from(top);
        let listed: Vec<_> = self.objects.list(Some(&top)).try_collect().await.map_err(|e| self.error(&top, e))?;
        let manifests = listed.into_iter().map(|meta| meta.location);
        let mut folders: Vec<ObjectPath> = manifests
            .filter_map(|path| path.as_ref().strip_suffix(MANIFEST)?.strip_suffix('/').map(ObjectPath::from))
            .collect();
        folders.sort();
        Ok(folders)
    }

    /// The rows of one partition, checked against the manifest.
    pub(crate) async fn read<R: Record>(
        &self,
        place: &Place,
        name: &str,
        partition: &Partition,
    ) -> Result<Vec<R>, LakeError> {
        let path = place.object(&partition.file);
        let object = self.name(&path);
        let Some(bytes) = self.get(&path).await? else { return Err(LakeError::MissingPartition { object }) };
        let actual = Hash::of(&bytes);
        if actual != partition.sha256 {
            return Err(LakeError::HashMismatch { object, expected: partition.sha256, actual });
        }
        let rows = R::decode(&object, bytes)?;
        let corrupt = |detail: String| Err(LakeError::CorruptPartition { object: object.clone(), detail });
        let (from, to) = match R::partition_range(name) {
            Some(range) => range,
            None => return corrupt(format!("`{name}` names no partition")),
        };
        if rows.len() as u64 != partition.rows {
            return corrupt(format!("it holds {} rows, the manifest says {}", rows.len(), partition.rows));
        }
        if let Some(row) = rows.iter().find(|row| !(from..to).contains(&row.time_ms())) {
            return corrupt(format!("{} is not in {name}", row.key_text()));
        }
        if let Some(pair) = rows.windows(2).find(|pair| pair[1].key() <= pair[0].key()) {
            let what = if pair[0].key() == pair[1].key() { "doubled" } else { "out of order" };
            return corrupt(format!("{} is {what}", pair[1].key_text()));
        }
        Ok(rows)
    }

    /// Rows in `range`, in ascending key. A partition that a writer replaced between
    /// reading the manifest and reading the file is looked up once more.
    pub(crate) async fn load<R: Record>(&self, place: &Place, range: &Range<i64>) -> Result<Vec<R>, LakeError> {
        match self.load_once(place, range).await {
            Err(LakeError::MissingPartition { .. }) => self.load_once(place, range).await,
            result => result,
        }
    }

    async fn load_once<R: Record>(&self, place: &Place, range: &Range<i64>) -> Result<Vec<R>, LakeError> {
        let manifest = self.current(place).await?.manifest;
        let mut reads = Vec::new();
        // A loop, because closures over borrowed pairs would make the call impossible to spawn.
        for (name, partition) in &manifest.partitions {
            if partition.last_ms >= range.start && partition.first_ms < range.end {
                reads.push(self.read::<R>(place, name, partition));
            }
        }
        let mut parts = futures::stream::iter(reads).buffered(READ_AHEAD);
        let mut rows: Vec<R> = Vec::new();
        while let Some(part) = parts.try_next().await? {
            rows.extend(part.into_iter().filter(|row| range.contains(&row.time_ms())));
        }
        match rows.windows(2).find(|pair| pair[1].key() <= pair[0].key()) {
            Some(pair) => Err(LakeError::CorruptPartition {
                object: self.name(&place.folder),
                detail: format!("{} follows {}", pair[1].key_text(), pair[0].key_text()),
            }),
            None => Ok(rows),
        }
    }

    /// Files beside the manifest that it does not name.
    pub(crate) async fn orphans(&self, place: &Place, manifest: &Manifest) -> Result<Vec<ObjectMeta>, LakeError> {
        let named: BTreeSet<&str> = manifest.partitions.values().map(|partition| partition.file.as_str()).collect();
        let listed = self.objects.list(Some(&place.folder)).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|source| self.error(&place.folder, source))?;
        let file = |meta: &ObjectMeta| meta.location.filename().unwrap_or_default().to_owned();
        Ok(listed
            .into_iter()
            .filter(|meta| file(meta).ends_with(".parquet") && !named.contains(file(meta).as_str()))
            .collect())
    }
}
