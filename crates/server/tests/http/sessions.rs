//! Sessions of browsers.

use serde_json::json;

use crate::support::Site;

#[tokio::test]
async fn a_session_writes_only_with_its_second_token() {
    let site = Site::start().await;
    let answer = site.ask("POST", "/v1/session", &[], Some(&json!({ "key": site.key }))).await.is(200);
    let set = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Strict; Path=/;") && !set.contains("Secure"), "{set}");
    assert!(!answer.text.contains(set.split(['=', ';']).nth(1).unwrap()), "the token is in the body");
    let (cookie, token) = crate::support::cookie_and_token(&answer);
    let (cookie, token) = (cookie.as_str(), token.as_str());
    site.ask("GET", "/v1/users", &[("cookie", cookie)], None).await.is(200);
    let user = json!({ "name": "ada", "role": "viewer" });
    let (other, _) = site.session(&site.key).await;
    let (_, others_token) = site.session(&site.key).await;
    for headers in [
        vec![("cookie", cookie)],
        vec![("cookie", cookie), ("x-csrf-token", "")],
        vec![("cookie", cookie), ("x-csrf-token", &others_token)],
        vec![("cookie", other.as_str()), ("x-csrf-token", token)],
    ] {
        site.ask("POST", "/v1/users", &headers, Some(&user)).await.is_problem(403, "forbidden");
    }
    let headers = [("cookie", cookie), ("x-csrf-token", token)];
    site.ask("POST", "/v1/users", &headers, Some(&user)).await.is(201);
    // A page that is loaded again asks for its token.
    let again = site.ask("GET", "/v1/session", &[("cookie", cookie)], None).await.is(200).json();
    assert_eq!(again["csrf_token"], token);
    site.get("/v1/session").await.is_problem(404, "not_found");

    site.ask("DELETE", "/v1/session", &[("cookie", cookie)], None).await.is_problem(403, "forbidden");
    let out = site.ask("DELETE", "/v1/session", &headers, None).await.is(204);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    site.ask("GET", "/v1/me", &[("cookie", cookie)], None).await.is_problem(401, "unauthenticated");
    site.ask("GET", "/v1/me", &[("cookie", &other)], None).await.is(200);
}

#[tokio::test]
async fn forged_cookies_are_nobody() {
    let site = Site::start().await;
    let (cookie, _) = site.session(&site.key).await;
    let token = cookie.split_once('=').unwrap().1;
    let zeros = "0".repeat(64);
    for value in ["", "x", &token[1..], &zeros, &format!("{token}0"), &format!("../{token}"), "%00", "' OR 1=1 --"] {
        let forged = format!("assay_session={value}");
        site.ask("GET", "/v1/me", &[("cookie", &forged)], None).await.is_problem(401, "unauthenticated");
        site.ask("GET", "/v1/health", &[("cookie", &forged)], None).await.is(200);
    }
    // The name of the cookie over TLS counts over TLS alone.
    let other_name = format!("__Host-assay_session={token}");
    site.ask("GET", "/v1/me", &[("cookie", &other_name)], None).await.is(401);
    // A key that is sent counts, never the cookie beside it.
    let both = [("cookie", cookie.as_str()), ("authorization", "Bearer assay_wrong")];
    site.ask("GET", "/v1/me", &both, None).await.is(401);
}

#[tokio::test]
async fn other_sites_and_other_names_are_refused() {
    let site = Site::start().await;
    let (cookie, token) = site.session(&site.key).await;
    let user = json!({ "name": "ada", "role": "viewer" });
    let own = [("cookie", cookie.as_str()), ("x-csrf-token", token.as_str())];
    for extra in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
        ("host", "localhost.evil.example:8470"),
    ] {
        let headers = [own[0], own[1], extra];
        site.ask("POST", "/v1/users", &headers, Some(&user)).await.is_problem(403, "forbidden");
    }
    site.ask("GET", "/v1/me", &[own[0], ("host", "evil.example")], None).await.is_problem(403, "forbidden");
    let origin = site.server.url();
    site.ask("POST", "/v1/users", &[own[0], own[1], ("origin", &origin)], Some(&user)).await.is(201);
    // No other site may read answers either.
    let answer = site.ask("GET", "/v1/health", &[("origin", "https://evil.example")], None).await.is(200);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    site.ask("OPTIONS", "/v1/users", &[], None).await.is_problem(405, "method_not_allowed");
}
