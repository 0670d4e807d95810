//! The loopback matrix of the reference, without a socket.

use super::*;

const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const BOB: &str = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
const UUID: &str = "00000000-0000-1000-8000-000000000000";
const NOW: u64 = 1_700_000_000_000_000_000;
/// Made by the SDK 10.2.0 for ALICE, BOB, UUID and NOW.
const SIGNATURE: &str = "0x36e28a714f3f9afee57b6838c8d467d53f1c1a5ca27f4169a0ac0d58b9bd4a1a\
                         2f9e07a1775b601876b92251063900abf096e9d8ad82a4fa0d8a8a5b51619688";

fn call() -> Call<'static> {
    Call {
        axon_ip: "127.0.0.1",
        axon_port: 8091,
        axon_hotkey: BOB,
        dendrite_ip: "127.0.0.1",
        dendrite_hotkey: ALICE,
        uuid: UUID,
        nonce: NOW,
        timeout_s: 60.0,
    }
}

/// The headers with some changed, or left out where the value is `None`.
fn read(changes: &[(&str, Option<&str>)]) -> Result<AxonHeaders, AxonError> {
    let headers: BTreeMap<String, String> = call().headers(SIGNATURE, 0).into_iter().collect();
    AxonHeaders::read(|name| match changes.iter().find(|(changed, _)| *changed == name) {
        Some((_, value)) => value.map(str::to_owned),
        None => headers.get(name).cloned(),
    })
}

fn verify(changes: &[(&str, Option<&str>)], now_ns: u64) -> Result<bool, AxonError> {
    read(changes)?.verify(BOB, None, &mut AxonNonces::default(), now_ns)
}

fn refused(result: Result<bool, AxonError>, status: u16) -> bool {
    result.is_err_and(|error| error.status() == status)
}

#[test]
fn a_signed_request_of_the_sdk_verifies() {
    assert_eq!(verify(&[], NOW), Ok(true));
    assert_eq!(computed_body_hash(&[]), "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
    assert!(!signature_holds("another message", SIGNATURE, ALICE));
    assert!(!signature_holds(&call().message(), SIGNATURE, BOB));
    assert!(!signature_holds(&call().message(), &SIGNATURE[2..], ALICE));
}

#[test]
fn what_the_wire_lets_through_is_marked_unsigned() {
    assert_eq!(verify(&[("bt_header_dendrite_signature", None)], NOW), Ok(false));
    let bare = [("bt_header_axon_ip", None), ("bt_header_axon_port", None), ("bt_header_axon_hotkey", None)];
    assert_eq!(verify(&bare, NOW), Ok(true), "no axon headers");
    assert_eq!(verify(&[("name", None), ("timeout", None)], NOW), Ok(true));
    assert_eq!(verify(&[("bt_header_dendrite_version", None)], NOW), Ok(true));
    assert_eq!(verify(&[], NOW - 3_600_000_000_000), Ok(true), "a nonce far in the future");
}

#[test]
fn a_first_nonce_may_be_as_old_as_the_time_out_and_four_seconds() {
    let second = 1_000_000_000;
    assert_eq!(verify(&[], NOW + 50 * second), Ok(true));
    assert_eq!(verify(&[], NOW + 64 * second - 1), Ok(true));
    assert!(refused(verify(&[], NOW + 64 * second), 401));
    assert!(refused(verify(&[("timeout", None)], NOW + 16 * second), 401), "12 s when none is named");
    assert_eq!(verify(&[("bt_header_dendrite_version", None)], NOW + 70 * second), Ok(true), "old clients");
}

#[test]
fn nonces_of_a_caller_rise_once_they_were_signed() {
    let mut nonces = AxonNonces::default();
    let mut ask = |changes: &[(&str, Option<&str>)]| read(changes).unwrap().verify(BOB, None, &mut nonces, NOW);
    let poison = (NOW + 1_000_000_000_000).to_string();
    let unsigned = [("bt_header_dendrite_signature", None), ("bt_header_dendrite_nonce", Some(poison.as_str()))];
    assert_eq!(ask(&unsigned), Ok(false));
    assert_eq!(ask(&[]), Ok(true), "an unsigned request does not lock the caller out");
    assert!(refused(ask(&[]), 401), "a replay");
    let last = nonces.last.values().copied().collect::<Vec<_>>();
    assert_eq!(last, [NOW]);
}

#[test]
fn remembered_callers_are_bounded() {
    let mut nonces = AxonNonces::default();
    for n in 0..=MAX_CALLERS as u64 {
        nonces.remember(format!("caller {n}"), n);
    }
    assert_eq!(nonces.last.len(), MAX_CALLERS);
    assert!(!nonces.last.contains_key("caller 0"));
}

#[test]
fn every_other_fault_has_its_status() {
    assert!(refused(verify(&[("bt_header_dendrite_nonce", None)], NOW), 401));
    assert!(refused(verify(&[("bt_header_dendrite_nonce", Some("1"))], NOW), 401));
    assert!(refused(verify(&[("bt_header_dendrite_nonce", Some("x"))], NOW), 500));
    assert!(refused(verify(&[("bt_header_dendrite_hotkey", None)], NOW), 401));
    assert!(refused(verify(&[("bt_header_dendrite_hotkey", Some(BOB))], NOW), 401));
    assert!(refused(verify(&[("computed_body_hash", None)], NOW), 401));
    assert!(refused(verify(&[("computed_body_hash", Some(""))], NOW), 401));
    assert!(refused(verify(&[("timeout", Some("NaN"))], NOW), 500));
    for (field, _) in INPUT_OBJECTS {
        assert!(refused(verify(&[(format!("bt_header_input_obj_{field}").as_str(), None)], NOW), 500), "{field}");
    }
    assert!(refused(verify(&[("bt_header_input_obj_job_id", Some("?"))], NOW), 500));
    let allowed = BTreeSet::from([BOB.to_owned()]);
    let stranger = read(&[]).unwrap().verify(BOB, Some(&allowed), &mut AxonNonces::default(), NOW);
    assert!(refused(stranger, 403));
    assert_eq!(synapse_of("/RebalanceQuery"), Ok(()));
    assert_eq!(synapse_of("/Other").unwrap_err().status(), 404);
    assert_eq!(synapse_of("/").unwrap_err().status(), 400);
    assert_eq!(synapse_of("/a%20b").unwrap_err().status(), 400);
}

#[test]
fn queries_and_answers_keep_their_fields() {
    let query: RebalanceQuery = serde_json::from_value(json!({
        "job_id": "eth-usdc-1", "sn_liquidity_manager_address": "0x11", "pair_address": "0x22", "chain_id": 8453,
        "round_id": "r1", "round_type": "live", "block_number": 7, "current_price": 2500.25,
        "sqrt_price_x96": "3961408125713216879677197516",
        "current_positions": [{"tick_lower": -200, "tick_upper": 200, "allocation0": "1", "allocation1": "2"}],
        "inventory_remaining": {"amount0": "10", "amount1": "20"}, "rebalances_so_far": 2, "tick_spacing": 200
    }))
    .unwrap();
    let body = query_body(&query);
    assert_eq!(body["current_price"], json!(3.961_408_125_713_217e27));
    let back = read_query(body.to_string().as_bytes()).unwrap();
    assert_eq!(back, RebalanceQuery { current_price: 3.961_408_125_713_217e27, ..query.clone() });

    let mut foreign = body;
    foreign.as_object_mut().unwrap().remove("sqrt_price_x96");
    let foreign = read_query(foreign.to_string().as_bytes()).unwrap();
    // The float nearest to the price, to its last digit.
    assert_eq!(foreign.sqrt_price_x96.to_string(), "3961408125713217099579523072");

    let answer = RebalanceAnswer::positions(query.current_positions.clone());
    let said = answer_body(&query, &answer);
    assert_eq!(RebalanceAnswer::read(said.to_string().as_bytes()), Ok(answer));
    for wrong in ["{}", "NaN", r#"{"job_id": 1}"#] {
        assert_eq!(read_query(wrong.as_bytes()).unwrap_err().status(), 422);
    }
}
