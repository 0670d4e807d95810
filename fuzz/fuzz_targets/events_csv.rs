//! Any table is events or an error; what reads is replayed or refused.

#![no_main]

mod replayed;

use assay_amm::event::read_csv;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(events) = read_csv(data) {
        replayed::all(events);
    }
});
