//! What a node sends back for a batch.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::hexadecimal::shortened;

/// The answer to one call of a batch.
pub(crate) type Item = Result<Box<RawValue>, NodeError>;

/// A node's error.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NodeError {
    pub code: i64,
    #[serde(default)]
    pub message: String,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<NodeError>,
}

/// What a body holds.
pub(crate) enum Replies {
    /// One answer per call, in the order of the calls.
    Each(Vec<Item>),
    /// One error for all of them.
    Whole(NodeError),
}

/// Reads the answers to the calls with ids `first_id`, `first_id + 1`, … `count` of them.
pub(crate) fn replies(body: &[u8], first_id: u64, count: usize) -> Result<Replies, String> {
    let wrong = |error: serde_json::Error| format!("{error}: {}", shortened(&String::from_utf8_lossy(body)));
    let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let replies: Vec<Reply> = if is_list {
        serde_json::from_slice(body).map_err(wrong)?
    } else {
        vec![serde_json::from_slice(body).map_err(wrong)?]
    };
    if let [Reply { id, error: Some(error), .. }] = replies.as_slice()
        && (id.is_none() || !is_list)
        && (id.is_none() || *id == Some(first_id))
    {
        return Ok(Replies::Whole(error.clone()));
    }
    let mut items: Vec<Option<Item>> = std::iter::repeat_with(|| None).take(count).collect();
    for reply in replies {
        let id = reply.id.ok_or("an answer without an id")?;
        let place = id.checked_sub(first_id).and_then(|offset| usize::try_from(offset).ok());
        let slot = place.and_then(|place| items.get_mut(place));
        let slot = slot.ok_or_else(|| format!("an answer to id {id}, which was not asked"))?;
        if slot.is_some() {
            return Err(format!("two answers to id {id}"));
        }
        *slot = Some(match (reply.error, reply.result) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => Ok(result),
            (None, None) => Ok(RawValue::NULL.to_owned()),
        });
    }
    let missing = |place: usize| format!("no answer to id {}", first_id + place as u64);
    let complete = items.into_iter().enumerate().map(|(place, item)| item.ok_or_else(|| missing(place)));
    Ok(Replies::Each(complete.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(body: &str) -> String {
        match replies(body.as_bytes(), 7, 2) {
            Err(error) => error,
            Ok(_) => panic!("{body} was read"),
        }
    }

    #[test]
    fn answers_are_put_in_order_by_their_ids() {
        let body = br#"[{"id":8,"result":"b"},{"id":7,"result":null}]"#;
        let Ok(Replies::Each(items)) = replies(body, 7, 2) else { panic!("not read") };
        let texts: Vec<&str> = items.iter().map(|item| item.as_ref().unwrap().get()).collect();
        assert_eq!(texts, ["null", "\"b\""]);
    }

    #[test]
    fn answers_to_other_questions_are_refused() {
        assert!(failure(r#"[{"id":7,"result":1}]"#).contains("no answer to id 8"));
        assert!(failure(r#"[{"id":7,"result":1},{"id":7,"result":2}]"#).contains("two answers to id 7"));
        assert!(failure(r#"[{"id":7,"result":1},{"id":9,"result":2}]"#).contains("id 9"));
        assert!(failure(r#"[{"id":7,"result":1},{"result":2}]"#).contains("without an id"));
        assert!(failure("<html>").contains("<html>"));
    }

    #[test]
    fn one_error_may_answer_the_whole_batch() {
        let body = br#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"batch too large"},"id":null}"#;
        assert!(matches!(replies(body, 7, 2), Ok(Replies::Whole(error)) if error.code == -32600));
    }
}
