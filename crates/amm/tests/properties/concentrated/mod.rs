//! Properties of the concentrated kinds on random pools: gaps without liquidity, prices at
//! both ends, spacings from 1 to 16,384.

mod books;
mod pools;
mod second_engine;
mod swaps;
