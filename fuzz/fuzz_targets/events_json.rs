//! Any lines are events or an error; what reads is replayed or refused.

#![no_main]

mod replayed;

use assay_amm::event::read_json_lines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| replayed::all(read_json_lines(data)));
