//! The page of metrics, compared with the table that documents it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use assay_store::database::NewStream;
use futures::StreamExt as _;
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::support::Site;

/// Labels by name of metric, as the book says.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/server.md");
    let text = std::fs::read_to_string(page).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `assay_"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let name = cells.next().unwrap().trim_end_matches('`');
        let labels = cells.next().unwrap().split(',').map(str::trim).filter(|label| !label.is_empty());
        (format!("assay_{name}"), labels.map(str::to_owned).collect())
    })
    .collect()
}

/// Labels by name of metric, as a scrape shows them.
fn scraped(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (head, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = head.split_once('{').unwrap_or((head, ""));
        let suffixes = ["_bucket", "_sum", "_count"];
        let base = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let is_label = |label: &&str| !label.is_empty() && *label != "le";
        // Values hold no commas.
        let labels = labels.trim_end_matches('}').split(',').filter_map(|pair| Some(pair.split_once('=')?.0));
        found.entry(base.to_owned()).or_default().extend(labels.filter(is_label).map(str::to_owned));
    }
    found
}

/// Every name that the source counts something under.
fn counted() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.components().any(|part| part.as_os_str() == "src")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let counts = text.contains("metrics::");
                let is_name = |part: &&str| {
                    part.starts_with("assay_") && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                };
                names.extend(text.split('"').filter(|_| counts).filter(is_name).map(str::to_owned));
            }
        }
    }
    names
}

#[tokio::test]
async fn the_table_of_metrics_is_what_is_counted() {
    let site = Site::start().await;
    let me = site.get("/v1/me").await.json()["user_id"].as_str().unwrap().to_owned();
    let stream = NewStream {
        stream_id: "stream".to_owned(),
        model_id: "m".to_owned(),
        run_id: "run".to_owned(),
        owner: me,
        source: "{}".to_owned(),
        feed: "feed".to_owned(),
        limits: "{}".to_owned(),
        after: None,
    };
    site.server.state().platform.insert_stream(&stream, 10, 1).await.unwrap();
    site.user("ada", "viewer", None).await;
    for _ in 0..70 {
        site.ask("POST", "/v1/users", &[], Some(&json!({}))).await;
    }
    let mut sockets = Vec::new();
    for path in ["/v1/events", "/v1/stream/m"] {
        let mut request = format!("ws://{}{path}", site.server.address()).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", site.key).parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        socket.next().await.unwrap().unwrap();
        sockets.push(socket);
    }
    let documented = documented();
    let page = site.ask("GET", "/metrics", &[], None).await.is(200).text;
    let scraped = scraped(&page);
    for (name, labels) in &scraped {
        assert_eq!(documented.get(name), Some(labels), "{name}: as documented, and as scraped");
    }
    for name in ["http_requests_total", "http_request_seconds", "http_connections", "sockets", "audit_unnoted_total"] {
        assert!(scraped.contains_key(&format!("assay_{name}")), "{name} is not on the page:\n{page}");
    }
    for stream in ["events", "signals"] {
        assert!(page.contains(&format!("assay_sockets{{stream=\"{stream}\"}} ")), "{stream}: {page}");
    }
    assert_eq!(documented.into_keys().collect::<BTreeSet<_>>(), counted(), "the table and the source");
}
