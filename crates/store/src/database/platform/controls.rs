//! Switches that survive a restart, such as the stop.
