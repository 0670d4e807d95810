//! The binary on real market data.
