//! The recorded requests of two Bittensor SDKs against our builders and checks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use assay_lp::protocol::auth::RequestPayload;
use assay_lp::protocol::axon_v10::{AxonHeaders, AxonNonces, Call, read_query};
use serde_json::Value;

fn golden(name: &str) -> Value {
    let root = std::env::var_os("ASSAY_TEST_DATA").map(PathBuf::from);
    let root = root.expect("ASSAY_TEST_DATA names the folder of recordings: run `make test-data`");
    serde_json::from_slice(&std::fs::read(root.join("liquidity").join(name)).unwrap()).unwrap()
}

#[test]
fn the_payload_of_sdk_11_is_built_to_the_byte() {
    let golden = golden("btauth1-golden.json");
    let expected = golden["payload"].as_str().unwrap();
    let lines: Vec<&str> = expected.split('\n').collect();
    let payload = RequestPayload {
        version: golden["protocol"].as_str().unwrap(),
        scheme: lines[1],
        method: golden["method"].as_str().unwrap(),
        target: golden["path"].as_str().unwrap(),
        body: golden["body"].as_str().unwrap().as_bytes(),
        nonce: lines[5].parse().unwrap(),
        sender: lines[6],
        receiver: lines[7],
    };
    assert_eq!(payload.text(), expected);
}

#[test]
fn a_request_of_sdk_10_is_built_to_the_header_read_and_verified() {
    let golden = golden("axon-v10-rebalancequery-golden.json");
    let headers: BTreeMap<String, String> = serde_json::from_value(golden["headers"].clone()).unwrap();
    let get = |name: &str| headers[name].as_str();
    let call = Call {
        axon_ip: get("bt_header_axon_ip"),
        axon_port: get("bt_header_axon_port").parse().unwrap(),
        axon_hotkey: get("bt_header_axon_hotkey"),
        dendrite_ip: get("bt_header_dendrite_ip"),
        dendrite_hotkey: get("bt_header_dendrite_hotkey"),
        uuid: get("bt_header_dendrite_uuid"),
        nonce: get("bt_header_dendrite_nonce").parse().unwrap(),
        timeout_s: 60.0,
    };
    assert_eq!(call.message(), golden["signing_message"].as_str().unwrap());
    let mut built: BTreeMap<String, String> =
        call.headers(get("bt_header_dendrite_signature"), 0).into_iter().collect();
    // The sizes are Python's own and nobody reads them.
    for size in ["header_size", "total_size"] {
        built.insert(size.into(), get(size).into());
    }
    assert_eq!(built, headers);

    let read = AxonHeaders::read(|name| headers.get(name).cloned()).unwrap();
    assert_eq!(read.verify(call.axon_hotkey, None, &mut AxonNonces::default(), call.nonce), Ok(true));
    assert!(read.verify(call.dendrite_hotkey, None, &mut AxonNonces::default(), call.nonce).is_err());

    let query = read_query(golden["body"].to_string().as_bytes()).unwrap();
    assert_eq!((query.job_id.as_str(), query.block_number, query.tick_spacing), ("eth-usdc-1", 123, 200));
    assert_eq!(query.inventory_remaining.to_string(), "10 / 20");
}
