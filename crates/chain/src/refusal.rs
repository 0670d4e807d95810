//! What a node means by saying no. Providers share neither codes nor words, so both count.

/// The method whose answers nodes limit by blocks and results.
pub(crate) const LOGS: &str = "eth_getLogs";

/// Limit exceeded: of requests, or of the results of one (EIP-1474).
const LIMIT_EXCEEDED: i64 = -32005;
const INVALID_PARAMS: i64 = -32602;
const REVERTED: i64 = 3;

/// What to do about an error of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Ask the same again, later.
    Later,
    /// Ask for fewer blocks.
    FewerBlocks,
    /// The contract reverted.
    Reverted,
    /// Do not ask again.
    Final,
}

const RATE: &[&str] = &[
    "rate limit",
    "rate-limit",
    "ratelimit",
    "too many requests",
    "request count",
    "requests per",
    "per second",
    "compute units",
    "throughput",
    "capacity",
    "try again",
    "retry later",
    "daily",
];
/// A node that is behind the others which share its address, or overloaded.
const BEHIND: &[&str] = &[
    "beyond current head",
    "header not found",
    "unknown block",
    "cannot be found",
    "block not found",
    "no backend",
    "temporarily",
    "internal error",
    "timed out",
    "request timeout",
];
const WIDE: &[&str] = &[
    "block range",
    "range too",
    "range is too",
    "too wide",
    "max range",
    "maximum range",
    "range limit",
    "blocks range",
    "limited to",
    "more than",
    "max results",
    "too many results",
    "too many logs",
    "response size",
    "too large",
    "too big",
    "query timeout",
    "exceed",
    "ranges over",
];

/// What the error `code` and `message` mean for `method`.
pub(crate) fn meaning(method: &str, code: i64, message: &str) -> Refusal {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if code == 429 || says(RATE) {
        return Refusal::Later;
    }
    if method == LOGS {
        if message.contains("beyond current head") {
            return Refusal::Later;
        }
        if says(WIDE) || matches!(code, LIMIT_EXCEEDED | INVALID_PARAMS) || code == 413 {
            return Refusal::FewerBlocks;
        }
    }
    if code == REVERTED || message.contains("revert") || message.contains("invalid opcode") {
        return Refusal::Reverted;
    }
    if code == LIMIT_EXCEEDED || (500..600).contains(&code) || says(BEHIND) {
        return Refusal::Later;
    }
    Refusal::Final
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_understood() {
        let wide = [
            (-32005, "query returned more than 10000 results"),
            (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range"),
            (-32602, "query exceeds max block range 100000"),
            (-32614, "eth_getLogs is limited to a 10,000 range"),
            (-32701, "exceed maximum block range: 50000"),
            (-32600, "block range is too wide"),
            (35, "ranges over 10000 blocks are not supported on freetier"),
            (-32000, "query timeout exceeded"),
            (-32602, "invalid params"),
            (-32005, "limit exceeded"),
            (413, "payload too large"),
        ];
        for (code, message) in wide {
            assert_eq!(meaning(LOGS, code, message), Refusal::FewerBlocks, "{message}");
        }
        let later = [
            (-32005, "daily request count exceeded, request rate limited"),
            (429, "Your app has exceeded its compute units per second capacity"),
            (-32000, "block range extends beyond current head block"),
            (-32011, "no backend is currently healthy to serve traffic"),
            (503, "unavailable"),
            (-32000, "One of the blocks specified in filter cannot be found."),
        ];
        for (code, message) in later {
            assert_eq!(meaning(LOGS, code, message), Refusal::Later, "{message}");
        }
        assert_eq!(meaning("eth_blockNumber", -32005, "limit exceeded"), Refusal::Later);
        assert_eq!(meaning("eth_getBlockByNumber", -32600, "batch too large"), Refusal::Final);
        assert_eq!(meaning("eth_call", 3, "execution reverted"), Refusal::Reverted);
        assert_eq!(meaning("eth_chainId", -32601, "the method does not exist"), Refusal::Final);
        assert_eq!(meaning("eth_chainId", 401, "unauthorized"), Refusal::Final);
    }
}
