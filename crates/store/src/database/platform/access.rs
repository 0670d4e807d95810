//! Users, API keys, sessions, nonces, the audit log and replies to repeated requests.
