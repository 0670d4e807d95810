//! Any topics and data are an event or an error. The input is one word of text a line: the
//! topics, then the data on the last line.

#![no_main]

use assay_amm::event::decode_log;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines: Vec<&str> = text.lines().collect();
    let words = lines.pop().unwrap_or_default();
    let _ = decode_log(&lines, words);
});
