//! What a feature set is made of, and the hash that names it (R1).

use std::collections::BTreeSet;

use assay_types::Hash;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::FeatureError;
use crate::features::{self, FEATURES, Feature};
use crate::scaler::ScalerKind;
use crate::split::Split;

/// The columns of a feature table and how they are scaled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureSpec {
    /// Column names in the order of the table; the default is every column there is.
    pub columns: Vec<String>,
    /// The scaler.
    pub scaler: ScalerKind,
}

impl Default for FeatureSpec {
    fn default() -> Self {
        Self {
            columns: features::column_names().into_iter().map(str::to_owned).collect(),
            scaler: ScalerKind::default(),
        }
    }
}

impl FeatureSpec {
    /// Checks that every column exists and is named once.
    ///
    /// # Errors
    /// [`FeatureError`] naming the column.
    pub fn check(&self) -> Result<(), FeatureError> {
        self.plan().map(|_| ())
    }

    /// Leading candles for which some column has no value.
    ///
    /// # Errors
    /// As [`FeatureSpec::check`].
    pub fn warm_up(&self) -> Result<usize, FeatureError> {
        self.check()?;
        let places = self.columns.iter().filter_map(|column| features::find(column));
        Ok(places.map(|(feature, column)| FEATURES[feature].warm_ups[column]).max().unwrap_or(0))
    }

    /// The sorted `name@version` of the indicators and of the scaler.
    ///
    /// # Errors
    /// As [`FeatureSpec::check`].
    pub fn versions(&self) -> Result<Vec<&'static str>, FeatureError> {
        let mut ids: BTreeSet<&str> = self.plan()?.features.iter().map(|feature| feature.id).collect();
        ids.insert(self.scaler.id());
        Ok(ids.into_iter().collect())
    }

    /// Which features to run, and where each column comes out of them.
    pub(crate) fn plan(&self) -> Result<Plan, FeatureError> {
        if self.columns.is_empty() {
            return Err(FeatureError::NoColumns);
        }
        let mut wanted = BTreeSet::new();
        let mut places = Vec::new();
        for column in &self.columns {
            let place = features::find(column).ok_or_else(|| FeatureError::UnknownColumn(column.clone()))?;
            if places.contains(&place) {
                return Err(FeatureError::DuplicateColumn(column.clone()));
            }
            places.push(place);
            wanted.insert(place.0);
        }
        let before = |feature: usize| -> usize { wanted.range(..feature).map(|&i| FEATURES[i].columns.len()).sum() };
        Ok(Plan {
            sources: places.iter().map(|&(feature, column)| before(feature) + column).collect(),
            features: wanted.into_iter().map(|index| &FEATURES[index]).collect(),
        })
    }
}

/// A specification resolved against the list of features.
pub struct Plan {
    /// The features to run, in the order of the list.
    pub features: Vec<&'static Feature>,
    /// For each column of the specification, its place among the features' columns.
    pub sources: Vec<usize>,
}

/// The name of a feature set (R1): SHA-256 of the canonical JSON of `data_hash`, the
/// sorted versions of indicators and scaler, the parameters and the split.
///
/// # Errors
/// As [`FeatureSpec::check`].
pub fn feature_hash(data_hash: Hash, spec: &FeatureSpec, split: &Split) -> Result<Hash, FeatureError> {
    Ok(Hash::of_json(&json!({
        "data_hash": data_hash,
        "versions": spec.versions()?,
        "params": { "columns": spec.columns, "scaler": spec.scaler },
        "split": split,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(columns: &[&str]) -> FeatureSpec {
        FeatureSpec { columns: columns.iter().map(|&name| name.to_owned()).collect(), scaler: ScalerKind::Robust }
    }

    #[test]
    fn wrong_columns_are_named() {
        assert_eq!(spec(&[]).check(), Err(FeatureError::NoColumns));
        assert_eq!(spec(&["rsi_15"]).check(), Err(FeatureError::UnknownColumn("rsi_15".into())));
        assert_eq!(spec(&["rsi_14", "rsi_14"]).check(), Err(FeatureError::DuplicateColumn("rsi_14".into())));
        assert!(serde_json::from_str::<FeatureSpec>(r#"{"colums":[]}"#).is_err());
        assert_eq!(serde_json::from_str::<FeatureSpec>("{}").unwrap(), FeatureSpec::default());
    }

    #[test]
    fn columns_keep_the_order_asked_for() {
        let spec = spec(&["gap", "macd_12_26_9_signal", "return_4"]);
        let plan = spec.plan().unwrap();
        assert_eq!(plan.features.iter().map(|f| f.id).collect::<Vec<_>>(), ["return@1", "macd@1", "gap@1"]);
        assert_eq!(plan.sources, [4, 2, 0]);
        assert_eq!(spec.warm_up(), Ok(33));
        assert_eq!(spec.versions().unwrap(), ["gap@1", "macd@1", "return@1", "robust@1"]);
    }

    #[test]
    fn the_hash_is_over_the_documented_json() {
        let split = Split::new(40..80, 90..100, 100..120).unwrap();
        let hash = |spec: &FeatureSpec, split: &Split| feature_hash(Hash::of(b"candles"), spec, split).unwrap();
        let text = format!(
            "{{\"data_hash\":\"{}\",\"params\":{{\"columns\":[\"rsi_14\",\"gap\"],\"scaler\":\"robust\"}},\
             \"split\":{{\"test\":[100,120],\"train\":[40,80],\"validation\":[90,100]}},\
             \"versions\":[\"gap@1\",\"robust@1\",\"rsi@1\"]}}",
            Hash::of(b"candles")
        );
        let spec = spec(&["rsi_14", "gap"]);
        assert_eq!(hash(&spec, &split), Hash::of(text.as_bytes()));
        let published = "e0025986e78f19199ffae5e4a960aa576ded93fcfb8e53f0ec9553baeb4bb512";
        assert_eq!(hash(&spec, &split).to_string(), published);
        let standard = FeatureSpec { scaler: ScalerKind::Standard, ..spec.clone() };
        assert_ne!(hash(&spec, &split), hash(&standard, &split));
        assert_ne!(hash(&spec, &split), hash(&spec, &Split::new(40..80, 90..100, 100..121).unwrap()));
    }
}
