//! Completes the description of the interface with what every route has in common: how to
//! authenticate, what any request may be refused with, keys for repeats.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::problem::{Code, Problem};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

/// Refusals that any route may answer with.
const COMMON: [Code; 6] =
    [Code::BadRequest, Code::Forbidden, Code::Timeout, Code::TooMany, Code::Internal, Code::Unavailable];
/// Those of routes that need a credential.
const WITH_CREDENTIAL: [Code; 1] = [Code::Unauthenticated];
/// Those of routes that take a body.
const WITH_BODY: [Code; 2] = [Code::TooLarge, Code::UnsupportedMediaType];
/// Those of writes with an `Idempotency-Key`.
const WITH_KEY: [Code; 2] = [Code::Conflict, Code::CheckFailed];

/// The whole description.
pub(super) fn complete(description: &utoipa::openapi::OpenApi) -> Value {
    let mut description = serde_json::to_value(description).unwrap_or_default();
    description["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    description["components"]["securitySchemes"] = json!({
        "key": { "type": "http", "scheme": "bearer", "bearerFormat": "assay_ID_SECRET",
            "description": "An API key. Its scopes bound what it is good for." },
        "session": { "type": "apiKey", "in": "cookie", "name": "assay_session",
            "description": "A session, from POST /v1/session or /v1/siwe/verify. Writes also send X-CSRF-Token. \
                            Over TLS the cookie is named __Host-assay_session." },
    });
    description["security"] = json!([{ "key": [] }, { "session": [] }]);
    if description["components"]["schemas"]["Problem"].is_null() {
        description["components"]["schemas"]["Problem"] = problem_schema();
    }
    super::jobs::merge_kinds(&mut description["components"]["schemas"]);
    let Some(paths) = description["paths"].as_object_mut() else { return description };
    let mut names = BTreeSet::new();
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        for (method, operation) in item.iter_mut().filter(|(name, _)| METHODS.contains(&name.as_str())) {
            if let Some(operation) = operation.as_object_mut() {
                complete_operation(method, operation);
                name_once(&mut names, operation);
            }
        }
    }
    description
}

/// Handlers of two areas may have the same name; clients are generated from it.
fn name_once(names: &mut BTreeSet<String>, operation: &mut Map<String, Value>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut name = operation.get("operationId").map(text).unwrap_or_default();
    if names.contains(&name) {
        let tag = operation.get("tags").map(|tags| text(&tags[0])).unwrap_or_default();
        name = format!("{tag}_{name}");
    }
    names.insert(name.clone());
    operation.insert("operationId".to_owned(), name.into());
}

fn complete_operation(method: &str, operation: &mut Map<String, Value>) {
    let is_open = operation.get("security").is_some_and(|security| security == &json!([{}]) || security == &json!([]));
    let is_write = !matches!(method, "get" | "head" | "options");
    let mut codes = COMMON.to_vec();
    // Also an open route refuses a credential that does not hold.
    codes.extend(WITH_CREDENTIAL);
    if operation.contains_key("requestBody") {
        codes.extend(WITH_BODY);
    }
    if is_write && !is_open {
        codes.extend(WITH_KEY);
        codes.push(Code::TooLarge);
        let header = json!({ "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key with the same request gives the same reply for a day.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" } });
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(header);
        }
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    for code in codes {
        let status = code.status().as_u16().to_string();
        if responses[&status].is_null() {
            responses[&status] = response(code);
        }
    }
}

fn response(code: Code) -> Value {
    json!({
        "description": code.explanation(),
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn problem_schema() -> Value {
    use utoipa::PartialSchema as _;
    serde_json::to_value(Problem::schema()).unwrap_or_default()
}
