//! Job files: TOML or JSON, every field checked.

use std::path::Path;

use assay_lp::Job;
use assay_store::read_to_string;

use crate::config_file::parse;
use crate::error::JobError;

/// Reads a job: a file that ends in `.toml` is TOML, any other JSON.
///
/// # Errors
/// [`JobError::Input`] naming the file and the field or line that cannot be used.
pub fn read_job(path: &Path) -> Result<Job, JobError> {
    let fail = |error: &dyn std::fmt::Display| JobError::Input(format!("{}: {error}", path.display()));
    let text = read_to_string(path)?;
    let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    // Amounts are read digit by digit, which only JSON text allows.
    let text = if is_toml { parse(path, &text)?.to_string() } else { text };
    let job: Job = serde_json::from_str(&text).map_err(|error| {
        // The place in the rewritten text says nothing about the file.
        let reason = error.to_string();
        let reason = if is_toml { reason.split(" at line ").next().unwrap_or_default().to_owned() } else { reason };
        fail(&format!("the job does not read: {reason}"))
    })?;
    job.check().map_err(|error| fail(&error))?;
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = r#"
        job_id = "weth-op"
        sn_liquidity_manager_address = "0x0000000000000000000000000000000000000001"
        pair_address = "0x1e60272caDcFb575247a666c11DBEA146299A2c4"
        chain_id = 10
        genesis = 1709740800
        inventory = { amount0 = "1000000000000000000", amount1 = "1500000000000000000000" }
        pool = { kind = "slipstream", tick_spacing = 200, fee = "events" }
    "#;

    fn read(name: &str, text: &str) -> Result<Job, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_job(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn toml_and_json_are_the_same_job() {
        let job = read("job.toml", JOB).unwrap();
        assert_eq!(read("job.json", &serde_json::to_string(&job).unwrap()), Ok(job.clone()));
        assert_eq!((job.round_duration_seconds, job.constraints.max_rebalances), (900, 4));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (from, to, words) in [
            ("slipstream", "uniswap-v9", ["job.toml", "uniswap-v9"]),
            ("slipstream", "uniswap-v2", ["pool.kind", "uniswap-v2"]),
            ("\"1000000000000000000\"", "\"-5\"", ["job.toml", "-5 is negative"]),
            ("\"1000000000000000000\"", "1.5", ["job.toml", "1.5 is not an integer"]),
            ("tick_spacing = 200", "tick_spacing = 0", ["pool.tick_spacing", "0 is not in"]),
            ("genesis", "genezis", ["job.toml", "genezis"]),
            ("chain_id = 10", "chain_id = ", ["job.toml", "line 5"]),
            ("\"events\"", "{ pips = 200000 }", ["pool.fee", "200000 millionths"]),
        ] {
            let error = read("job.toml", &JOB.replacen(from, to, 1)).unwrap_err();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
        assert!(read("job.json", "{}").unwrap_err().contains("job_id"));
    }
}
