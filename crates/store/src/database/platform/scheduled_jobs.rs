//! Scheduled jobs: queue, leases with fencing tokens, progress and outcome.
