//! The dependencies between crates are those that docs/ARCHITECTURE.md draws.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The arrows of the code map: `name -> other other`.
fn drawn() -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).expect("docs/ARCHITECTURE.md");
    let map = text.split("## Code map").nth(1).expect("a section named Code map");
    let block = map.split("```text").nth(1).and_then(|rest| rest.split("```").next()).expect("its text block");
    let arrows = block.lines().filter_map(|line| line.split_once("->"));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    arrows.map(|(from, to)| (from.trim().to_owned(), words(to))).collect()
}

/// Everything that `from` reaches; `types` is open to all.
fn reach(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::from(["types".to_owned()]);
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        for next in &graph[&name] {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached
}

/// Crate names and their dependencies within the workspace, without dev-dependencies.
fn real() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let short = |name: &serde_json::Value| name.as_str().and_then(|n| n.strip_prefix("assay-")).map(str::to_owned);
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let normal = dependencies.iter().filter(|d| d["kind"].as_str() != Some("dev"));
            let name = short(&package["name"]).expect("every crate is named assay-…");
            (name, normal.filter_map(|d| short(&d["name"])).collect())
        })
        .collect()
}

#[test]
fn no_crate_depends_on_what_the_layout_does_not_draw() {
    let drawn = drawn();
    for (name, dependencies) in real() {
        assert!(drawn.contains_key(&name), "crate {name} is not in the code map of docs/ARCHITECTURE.md");
        let allowed = reach(&drawn, &name);
        let extra: Vec<_> = dependencies.difference(&allowed).collect();
        assert!(extra.is_empty(), "{name} depends on {extra:?}, which the code map does not draw");
        for kit in ["testkit", "bytecode"] {
            assert!(!dependencies.contains(kit), "{name} ships the {kit}");
        }
    }
}

#[test]
fn the_pure_half_never_reaches_an_edge() {
    let drawn = drawn();
    for pure in ["types", "features", "sim", "model", "registry", "amm", "train"] {
        let reached = reach(&drawn, pure);
        for edge in ["lake", "store", "engine", "server", "cli", "testkit", "bytecode"] {
            assert!(!reached.contains(edge), "{pure} reaches {edge}");
        }
    }
}
