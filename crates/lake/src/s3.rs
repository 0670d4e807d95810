//! The lake in a bucket of any S3-compatible store.

use std::sync::Arc;

use assay_types::Secret;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;

use crate::LakeError;
use crate::lake::Lake;
use crate::storage::Storage;

/// Where a bucket is and how to enter it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// Name of the bucket, which must exist.
    pub bucket: String,
    /// Folder inside the bucket; empty for all of it.
    pub prefix: String,
    /// Region, such as `eu-central-1`.
    pub region: String,
    /// Address of a store that is not Amazon's; plain `http` is allowed for it.
    pub endpoint: Option<String>,
    /// Key id and secret; `None` takes the standard AWS environment variables or the
    /// machine's role.
    pub credentials: Option<(Secret, Secret)>,
}

impl Lake {
    /// Opens the lake in a bucket. Writers of one dataset are kept apart by
    /// conditional writes of its manifest (`If-Match`), which the store must honour.
    ///
    /// # Errors
    /// [`LakeError::Settings`] when the settings are not accepted.
    pub fn open_s3(config: &S3Config) -> Result<Self, LakeError> {
        let location = format!("s3://{}/{}", config.bucket, config.prefix);
        let settings = |detail: String| LakeError::Settings { location: location.clone(), detail };
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(&config.bucket).with_region(&config.region);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some((id, secret)) = &config.credentials {
            builder = builder.with_access_key_id(id.reveal()).with_secret_access_key(secret.reveal());
        }
        let store = builder.build().map_err(|error| settings(error.to_string()))?;
        let prefix = ObjectPath::parse(&config.prefix).map_err(|error| settings(error.to_string()))?;
        let objects = Arc::new(PrefixStore::new(store, prefix));
        Ok(Self { storage: Storage { objects, location, root: None } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let secret = || Secret::new("hunter2".to_owned());
        let config = S3Config {
            bucket: "b".into(),
            prefix: String::new(),
            region: "r".into(),
            endpoint: None,
            credentials: Some((secret(), secret())),
        };
        let text = format!("{config:?} {:?}", Lake::open_s3(&config).unwrap());
        assert!(text.contains("[hidden]") && !text.contains("hunter2"), "{text}");
    }
}
