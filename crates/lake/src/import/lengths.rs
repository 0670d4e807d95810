//! Lengths that an Arrow file claims, checked before its decoder reserves memory for
//! them: a damaged length would otherwise end the process, not the call.

use arrow_ipc::{Message, root_as_footer, root_as_message};

use crate::LakeError;

/// The largest buffer (one column of one batch) that is decompressed.
const MAX_BUFFER_BYTES: i64 = 2 << 30;
/// Bytes of the footer's length and the mark at the end of a file.
const TAIL_BYTES: usize = 10;

/// Checks every compressed buffer of an Arrow IPC file.
pub(super) fn check_file(file: &str, bytes: &[u8]) -> Result<(), LakeError> {
    check_blocks(bytes).ok_or_else(|| damaged(file))
}

/// Checks every compressed buffer of an Arrow IPC stream.
pub(super) fn check_stream(file: &str, bytes: &[u8]) -> Result<(), LakeError> {
    check_messages(bytes).ok_or_else(|| damaged(file))
}

fn damaged(file: &str) -> LakeError {
    let detail = "the file is damaged or cut off (its lengths make no sense); copy it again";
    LakeError::Format { file: file.to_owned(), detail: detail.to_owned() }
}

fn check_blocks(bytes: &[u8]) -> Option<()> {
    let tail = bytes.len().checked_sub(TAIL_BYTES)?;
    let footer_bytes = usize::try_from(i32_at(bytes, tail)?).ok()?;
    let footer = root_as_footer(bytes.get(tail.checked_sub(footer_bytes)?..tail)?).ok()?;
    let blocks = footer.recordBatches().into_iter().flatten().chain(footer.dictionaries().into_iter().flatten());
    for block in blocks {
        let start = usize::try_from(block.offset()).ok()?;
        let body = start.checked_add(usize::try_from(block.metaDataLength()).ok()?)?;
        let end = body.checked_add(usize::try_from(block.bodyLength()).ok()?)?;
        // Files of early versions have no continuation mark before the length.
        let head = if i32_at(bytes, start)? == -1 { 8 } else { 4 };
        let message = root_as_message(bytes.get(start.checked_add(head)?..body)?).ok()?;
        check_buffers(&message, bytes.get(body..end)?)?;
    }
    Some(())
}

fn check_messages(bytes: &[u8]) -> Option<()> {
    let mut at = 0;
    while let Some(mark) = i32_at(bytes, at) {
        let head = if mark == -1 { at + 4 } else { at };
        let length = usize::try_from(i32_at(bytes, head)?).ok()?;
        if length == 0 {
            return Some(());
        }
        let body = (head + 4).checked_add(length)?;
        let message = root_as_message(bytes.get(head + 4..body)?).ok()?;
        let end = body.checked_add(usize::try_from(message.bodyLength()).ok()?)?;
        check_buffers(&message, bytes.get(body..end)?)?;
        at = end;
    }
    Some(())
}

fn check_buffers(message: &Message<'_>, body: &[u8]) -> Option<()> {
    let dictionary = message.header_as_dictionary_batch().and_then(|batch| batch.data());
    let Some(batch) = message.header_as_record_batch().or(dictionary) else { return Some(()) };
    if batch.compression().is_none() {
        return Some(());
    }
    for buffer in batch.buffers()? {
        if buffer.length() == 0 {
            continue;
        }
        let at = usize::try_from(buffer.offset()).ok()?;
        let claimed = i64::from_le_bytes(body.get(at..at.checked_add(8)?)?.try_into().ok()?);
        // Minus one says that the buffer is not compressed.
        if !(-1..=MAX_BUFFER_BYTES).contains(&claimed) {
            return None;
        }
    }
    Some(())
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
