//! What is served beside the routes.

use serde_json::Value;

use crate::support::Site;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

#[tokio::test]
async fn the_description_is_whole() {
    let site = Site::start().await;
    let answer = site.ask("GET", "/openapi.json", &[], None).await.is(200);
    assert_eq!(answer.headers["content-type"], "application/json");
    let description = answer.json();
    assert_eq!(description["components"]["securitySchemes"]["key"]["scheme"], "bearer");
    assert_eq!(description["components"]["securitySchemes"]["session"]["in"], "cookie");
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| METHODS.contains(&name.as_str()))
        {
            let place = format!("{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            // A socket answers 101.
            assert!(responses.keys().any(|status| status.starts_with('2') || status == "101"), "{place}");
            for status in ["400", "401", "403", "408", "429", "500", "503"] {
                assert!(responses.contains_key(status), "{place} lacks {status}");
            }
            for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{place} {status}");
            }
            let tags = operation["tags"].as_array().unwrap();
            assert!(!tags.is_empty() && operation["summary"].is_string(), "{place}");
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}: its name is taken");
            let writes = matches!(method.as_str(), "post" | "put" | "delete");
            let is_open = operation.get("security").is_some();
            let keyed =
                operation["parameters"].as_array().into_iter().flatten().any(|p| p["name"] == "Idempotency-Key");
            assert_eq!(keyed, writes && !is_open, "{place}");
        }
    }
    // Each reference leads somewhere.
    let text = description.to_string();
    for part in text.split("\"#/").skip(1) {
        let pointer = format!("/{}", part.split('"').next().unwrap());
        assert!(description.pointer(&pointer).is_some_and(|value| *value != Value::Null), "{pointer}");
    }
    // What is described needs a credential unless it says otherwise.
    for (path, item) in description["paths"].as_object().unwrap() {
        let Some(operation) = item.get("get").filter(|operation| operation.get("security").is_none()) else { continue };
        let answer = site.ask("GET", &path.replace(['{', '}'], ""), &[], None).await;
        assert!(matches!(answer.status.as_u16(), 401 | 400), "{path}: {} {}", answer.status, operation["summary"]);
    }
}

#[tokio::test]
async fn each_code_is_explained_where_its_problem_points() {
    let site = Site::start().await;
    let problem = site.ask("GET", "/v1/me", &[], None).await.is_problem(401, "unauthenticated");
    let (path, anchor) = problem["type"].as_str().unwrap().split_once('#').unwrap();
    let page = site.ask("GET", path, &[], None).await.is(200);
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.text.contains(&format!("<h2 id={anchor}>")));
    for code in assay_server::Code::ALL {
        assert!(page.text.contains(&format!("<h2 id={}>", code.as_str())), "{}", code.as_str());
    }
}

#[tokio::test]
async fn metrics_count_routes_and_never_paths() {
    let site = Site::start().await;
    site.get("/v1/users/canary-in-a-path").await.is(404);
    site.get("/canary-in-no-path").await.is(404);
    site.with_key(&site.key, "CANARY", "/v1/users", None).await.is(405);
    let page = site.ask("GET", "/metrics", &[], None).await.is(200);
    for line in [
        "assay_http_requests_total{method=\"GET\",route=\"/v1/users/{user_id}\",status=\"404\"}",
        "assay_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
        "assay_http_request_seconds_bucket{method=\"GET\",route=\"/v1/users/{user_id}\",le=\"0.02\"}",
        "assay_http_connections",
    ] {
        assert!(page.text.contains(line), "{line} is not in\n{}", page.text);
    }
    assert!(!page.text.to_lowercase().contains("canary"), "{}", page.text);
    let answer = site.get("/v1/me").await;
    assert_eq!(answer.headers["x-request-id"].len(), 16);
}
