//! Scheduled jobs at work.
