//! Reads over GraphQL: the same things that REST shows, with the same rules of who may see
//! what, joined in one question. There are no mutations.

mod connect;
mod query;
mod types;

use async_graphql::{EmptyMutation, EmptySubscription, Request, Response, Schema};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Scope};
use crate::extract::ApiJson;
use crate::problem::{Code, Problem};
use crate::state::ServerState;
use query::Query;

/// Deepest nesting of a question; that of the usual introspection is 13.
const MAX_DEPTH: usize = 16;
/// Most fields of a question, the items of lists counted.
const MAX_COMPLEXITY: usize = 10_000;
/// Longest text of a question, in bytes.
const MAX_QUERY: usize = 32 * 1024;

pub(crate) type ReadSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// The schema over what `state` works with.
pub(crate) fn schema() -> ReadSchema {
    Schema::build(Query, EmptyMutation, EmptySubscription)
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_COMPLEXITY)
        .disable_suggestions()
        .finish()
}

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(graphql))
}

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Question {
    /// The document.
    #[schema(max_length = 32768)]
    query: String,
    /// Which operation of the document.
    #[serde(default)]
    operation_name: Option<String>,
    /// Its variables.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    variables: Option<Map<String, Value>>,
}

/// The answer to a question, as GraphQL has it.
#[derive(Debug, serde::Serialize, ToSchema)]
struct Answer {
    /// What was asked for; null when the question could not be answered.
    #[schema(required, value_type = Option<Object>)]
    data: Value,
    /// What went wrong, if anything did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    errors: Vec<Value>,
}

/// Answers a question.
#[utoipa::path(post, path = "/graphql", tag = "start", request_body = Question, responses(
    (status = 200, description = "The answer; what is wrong with the question is under `errors`", body = Answer),
    (status = 400, description = "The body does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
))]
async fn graphql(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(question): ApiJson<Question>,
) -> Result<ApiJson<Answer>, Problem> {
    caller.require(Scope::Read)?;
    if question.query.len() > MAX_QUERY {
        let detail = format!("the query has {} bytes; it has at most {MAX_QUERY}", question.query.len());
        return Err(Problem::new(Code::BadRequest, detail).field("query"));
    }
    let mut request = Request::new(question.query).data(state.clone()).data(caller);
    if let Some(variables) = question.variables {
        request = request.variables(async_graphql::Variables::from_json(Value::Object(variables)));
    }
    if let Some(name) = question.operation_name {
        request = request.operation_name(name);
    }
    let response: Response = state.graphql.execute(request).await;
    let json = serde_json::to_value(&response).unwrap_or_default();
    let errors = json["errors"].as_array().cloned().unwrap_or_default();
    Ok(ApiJson(Answer { data: json["data"].clone(), errors }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::Role;
    use crate::testing::{MODEL, Routes, caller};

    async fn ask(routes: &Routes, caller: &Caller, query: &str) -> Value {
        let (status, answer) = routes.post(caller, "/graphql", &json!({ "query": query })).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    #[tokio::test]
    async fn who_may_see_what_is_as_over_rest() {
        let routes = Routes::start().await;
        let public = MODEL.replace('0', "f");
        routes.store_model(MODEL, "ann", true).await;
        routes.store_model(&public, "ann", false).await;
        let list = "{ models { edges { cursor node { modelId name card } } pageInfo { hasNextPage } } }";
        for (user, count) in [("ann", 2), ("bob", 1)] {
            let who = caller(user, Role::Viewer);
            let answer = ask(&routes, &who, list).await;
            assert_eq!(answer["data"]["models"]["edges"].as_array().unwrap().len(), count, "{answer}");
            let one = ask(&routes, &who, &format!("{{ model(modelId: \"{MODEL}\") {{ modelId }} }}")).await;
            assert_eq!(one["data"]["model"].is_object(), user == "ann");
            let signals =
                ask(&routes, &who, &format!("{{ signals(modelId: \"{MODEL}\") {{ edges {{ cursor }} }} }}")).await;
            assert_eq!(signals["errors"][0]["extensions"]["code"] == "not_found", user == "bob", "{signals}");
        }
        let ann = caller("ann", Role::Viewer);
        let page =
            ask(&routes, &ann, "{ models(first: 1) { edges { cursor node { modelId } } pageInfo { hasNextPage } } }")
                .await;
        let page = &page["data"]["models"];
        assert_eq!(
            (&page["edges"][0]["node"]["modelId"], &page["pageInfo"]["hasNextPage"]),
            (&json!(public), &json!(true))
        );
        let next = format!("{{ models(after: {}) {{ edges {{ node {{ modelId }} }} }} }}", page["edges"][0]["cursor"]);
        let next = ask(&routes, &ann, &next).await;
        assert_eq!(next["data"]["models"]["edges"], json!([{ "node": { "modelId": MODEL } }]));
        assert_eq!(routes.ask(None, "POST", "/graphql", Some(&json!({ "query": list }))).await.0, 401);
    }

    #[tokio::test]
    async fn questions_are_bounded_and_only_read() {
        let routes = Routes::start().await;
        let who = caller("ann", Role::Owner);
        let error =
            async |query: &str| ask(&routes, &who, query).await["errors"][0]["message"].as_str().map(str::to_owned);
        for query in [
            "mutation { stop }",
            "{",
            "{ nothing }",
            "{ models(first: 0) { edges { cursor } } }",
            "{ models(first: -1) { edges { cursor } } }",
            "{ models(first: 201) { edges { cursor } } }",
            "{ models(after: \"x\") { edges { cursor } } }",
        ] {
            assert!(error(query).await.is_some(), "{query}");
        }
        let deep = format!(
            "{{ __schema {{ types {{ fields {{ type {} name {} }} }} }} }}",
            "{ ofType ".repeat(20),
            "}".repeat(20)
        );
        assert!(error(&deep).await.unwrap().contains("deep"), "{:?}", error(&deep).await);
        let wide = (0..3_000).fold(String::new(), |text, n| text + &format!("a{n}:models(first:1){{edges{{cursor}}}}"));
        assert!(error(&format!("{{{}}}", &wide[..31_000])).await.is_some());
        let many = (0..600).fold(String::new(), |text, n| text + &format!("a{n}:models{{edges{{node{{modelId}}}}}}"));
        assert!(error(&format!("{{{many}}}")).await.unwrap().contains("complex"));
        let long = json!({ "query": " ".repeat(MAX_QUERY + 1) });
        assert_eq!(routes.post(&who, "/graphql", &long).await.0, 400);
        let kinds = ask(&routes, &who, "{ __schema { queryType { name } mutationType { name } } }").await;
        assert_eq!(kinds["data"]["__schema"], json!({ "queryType": { "name": "Query" }, "mutationType": null }));
        // Every list of an empty database answers.
        let lists = "{ jobs { edges { cursor } } runs { edges { cursor } } datasets { edges { cursor } } \
                     streams { edges { cursor } } job(jobId: \"x\") { status } }";
        assert_eq!(ask(&routes, &who, lists).await["errors"], Value::Null);
    }
}
