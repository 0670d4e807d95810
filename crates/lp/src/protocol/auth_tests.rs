//! Each refusal, and the published vectors.

use super::super::NonceMemory;
use super::super::seal::{self, SealPlace};
use super::*;

const NOW: u64 = 1_700_000_000_000_000_000;
const TARGET: &str = "/RebalanceQuery";
const BODY: &[u8] = br#"{"job_id":"eth-usdc-1","block_number":123}"#;

fn validator() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn miner() -> String {
    public_key_text(&SigningKey::from_bytes(&[2; 32]))
}

fn signed(nonce: u64) -> Headers {
    sign_request(&validator(), "POST", TARGET, BODY, nonce, &miner()).headers
}

fn read(headers: &Headers) -> Result<Claim, AuthError> {
    Claim::read(headers, &miner(), None, NOW)
}

#[test]
fn the_payload_of_btauth_is_built_to_the_byte() {
    let payload = RequestPayload {
        version: "btauth/1",
        scheme: "sr25519",
        method: "post",
        target: TARGET,
        body: BODY,
        nonce: NOW,
        sender: "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        receiver: "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
    };
    let expected = "btauth/1\nsr25519\nPOST\n/RebalanceQuery\n\
        ae8162ccaea5336af0f31b44ea525846e062d6c0f9349457c021aab5bf054d97\n1700000000000000000\n\
        5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\n5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
    assert_eq!(payload.text(), expected);
}

/// Made with another implementation of Ed25519 and SHA-256.
#[test]
fn the_published_vector_holds_and_is_what_the_book_says() {
    let book = include_str!("../../../../docs/book/miners.md");
    let published = |texts: &[&str]| texts.iter().for_each(|text| assert!(book.contains(text), "{text}"));
    let request = sign_request(&validator(), "POST", TARGET, BODY, NOW, &miner());
    let signature = "71d3673c966b2eba99264b01cddd51b610c2ad0a3d7c8aa0b880323578f293b4\
                     46dfd4d84071467ca70370a635fb34a19580fb0a07e726cf19d12cfc780c1a06";
    let digest = "c511b8d9ccb70e4ef841823a8919e1412f764b78fe6b8a22b3dac453adaf56b9";
    assert_eq!(request.headers.signature.as_deref(), Some(signature));
    assert_eq!(request.digest.to_string(), digest);
    published(&[signature, digest, &public_key_text(&validator()), &miner()]);

    let answer = r#"{"accepted":true,"desired_positions":[{"tick_lower":-200,"tick_upper":200,"allocation0":"5","allocation1":"7"}]}"#;
    let (job_id, round_id) = ("eth-usdc-1", "eth-usdc-1_evaluation_7");
    let place = SealPlace { job_id, round_id, checkpoint: 123, miner: &miner() };
    let commitment = "7a07361fb675eafbfdac45aeef1508118e7a7fbee6a464407a0928357f5f5033";
    assert_eq!(seal::commit(&place, &[5; 32], answer).to_string(), commitment);
    published(&[answer, commitment, round_id]);

    let body = format!(r#"{{"commitment":"{commitment}"}}"#);
    let us = public_key_text(&validator());
    let response = sign_response(&SigningKey::from_bytes(&[2; 32]), request.digest, 200, body.as_bytes(), &us);
    let signature = "3c1c9987ea84aa8c2c6dbfea0316d56d970f2696f2c0c689bba512e9eeffdda6\
                     4cd54d30f63ebebb70f0ee2677bfcce2f882c4722bcfc29ea893a566d1ce8b04";
    assert_eq!(response.signature.as_deref(), Some(signature));
    let text = response_payload(request.digest, 200, body.as_bytes(), &miner(), &us);
    published(&[signature, &body, &text]);
}

#[test]
fn an_honest_request_passes_once() {
    let request = sign_request(&validator(), "POST", TARGET, BODY, NOW, &miner());
    let allowed = BTreeSet::from([public_key_text(&validator())]);
    let mut memory = NonceMemory::default();
    for now in [NOW, NOW + WINDOW_BACK_NS, NOW - WINDOW_AHEAD_NS] {
        let claim = Claim::read(&request.headers, &miner(), Some(&allowed), now).unwrap();
        let checked = claim.verify("POST", TARGET, BODY, now).unwrap();
        match memory.remember(checked, now) {
            Ok(verified) => {
                assert_eq!((now, verified.digest), (NOW, request.digest));
                assert_eq!(verified.sender, public_key_text(&validator()));
            }
            Err(error) => assert_eq!(error, AuthError::Replayed(NOW)),
        }
    }
}

#[test]
fn an_unsigned_request_is_refused() {
    assert_eq!(read(&Headers::default()), Err(AuthError::Unsigned));
    assert_eq!(read(&Headers { signature: None, ..signed(NOW) }), Err(AuthError::Unsigned));
}

#[test]
fn a_change_of_any_signed_part_is_tampering() {
    let claim = || read(&signed(NOW)).unwrap();
    assert!(claim().verify("post", TARGET, BODY, NOW).is_ok(), "a method has no case");
    assert_eq!(claim().verify("PUT", TARGET, BODY, NOW), Err(AuthError::Tampered));
    assert_eq!(claim().verify("POST", "/Reveal", BODY, NOW), Err(AuthError::Tampered));
    assert_eq!(claim().verify("POST", "/RebalanceQuery?a=1", BODY, NOW), Err(AuthError::Tampered));
    assert_eq!(claim().verify("POST", TARGET, b"{}", NOW), Err(AuthError::Tampered));
    let renumbered = Headers { nonce: Some((NOW + 1).to_string()), ..signed(NOW) };
    assert_eq!(read(&renumbered).unwrap().verify("POST", TARGET, BODY, NOW), Err(AuthError::Tampered));
    let other = public_key_text(&SigningKey::from_bytes(&[3; 32]));
    let claimed = Headers { key: Some(other.clone()), ..signed(NOW) };
    assert_eq!(read(&claimed).unwrap().verify("POST", TARGET, BODY, NOW), Err(AuthError::Tampered));
    // Signed for another miner and re-addressed to us.
    let theirs = sign_request(&validator(), "POST", TARGET, BODY, NOW, &other).headers;
    let ours = Headers { receiver: Some(miner()), ..theirs };
    assert_eq!(read(&ours).unwrap().verify("POST", TARGET, BODY, NOW), Err(AuthError::Tampered));
}

#[test]
fn the_window_is_ten_seconds_back_and_two_ahead() {
    assert!(read(&signed(NOW - WINDOW_BACK_NS)).is_ok());
    assert_eq!(read(&signed(NOW - WINDOW_BACK_NS - 1_000_000)), Err(AuthError::Stale { age_ms: 10_001 }));
    assert!(read(&signed(NOW + WINDOW_AHEAD_NS)).is_ok());
    assert_eq!(read(&signed(NOW + WINDOW_AHEAD_NS + 1_000_000)), Err(AuthError::Future { ahead_ms: 2_001 }));
    // A body that arrives too late.
    let claim = read(&signed(NOW)).unwrap();
    let late = NOW + WINDOW_BACK_NS + 5_000_000;
    assert_eq!(claim.verify("POST", TARGET, BODY, late), Err(AuthError::Stale { age_ms: 10_005 }));
    assert_eq!(read(&signed(0)), Err(AuthError::Stale { age_ms: NOW / 1_000_000 }));
    assert!(matches!(read(&signed(u64::MAX)), Err(AuthError::Future { .. })));
}

#[test]
fn only_our_own_mail_is_opened() {
    let other = public_key_text(&SigningKey::from_bytes(&[3; 32]));
    let headers = sign_request(&validator(), "POST", TARGET, BODY, NOW, &other).headers;
    assert_eq!(read(&headers), Err(AuthError::WrongReceiver { found: other, expected: miner() }));
    let nobody = Headers { receiver: Some("-".into()), ..signed(NOW) };
    assert!(matches!(read(&nobody), Err(AuthError::Malformed { header: RECEIVER_HEADER, .. })));
}

#[test]
fn only_expected_senders_are_heard() {
    let allowed = BTreeSet::from([miner()]);
    let refused = Claim::read(&signed(NOW), &miner(), Some(&allowed), NOW);
    assert_eq!(refused, Err(AuthError::UnknownSender(public_key_text(&validator()))));
}

#[test]
fn every_header_has_one_spelling() {
    let upper = public_key_text(&validator()).to_uppercase();
    for (headers, header) in [
        (Headers { version: None, ..signed(NOW) }, VERSION_HEADER),
        (Headers { version: Some("assay/2".into()), ..signed(NOW) }, VERSION_HEADER),
        (Headers { key: None, ..signed(NOW) }, KEY_HEADER),
        (Headers { key: Some(upper), ..signed(NOW) }, KEY_HEADER),
        (Headers { receiver: None, ..signed(NOW) }, RECEIVER_HEADER),
        (Headers { nonce: None, ..signed(NOW) }, NONCE_HEADER),
        (Headers { nonce: Some(format!("+{NOW}")), ..signed(NOW) }, NONCE_HEADER),
        (Headers { nonce: Some("NaN".into()), ..signed(NOW) }, NONCE_HEADER),
    ] {
        match read(&headers) {
            Err(AuthError::Malformed { header: found, .. }) => assert_eq!(found, header),
            other => panic!("{header}: {other:?}"),
        }
    }
    let short = Headers { signature: Some("00".into()), ..signed(NOW) };
    let refused = read(&short).unwrap().verify("POST", TARGET, BODY, NOW);
    assert!(matches!(refused, Err(AuthError::Malformed { header: SIGNATURE_HEADER, .. })));
}

#[test]
fn a_refused_request_leaves_no_nonce_behind() {
    let forged = Headers { signature: Some("00".repeat(64)), ..signed(NOW) };
    assert_eq!(read(&forged).unwrap().verify("POST", TARGET, BODY, NOW), Err(AuthError::Tampered));
    let mut memory = NonceMemory::default();
    let honest = read(&signed(NOW)).unwrap().verify("POST", TARGET, BODY, NOW).unwrap();
    assert!(memory.remember(honest, NOW).is_ok());
}

#[test]
fn a_response_belongs_to_one_request_status_and_body() {
    let key = SigningKey::from_bytes(&[2; 32]);
    let us = public_key_text(&validator());
    let request = Hash::of(b"request");
    let headers = sign_response(&key, request, 200, b"{}", &us);
    let check = |headers: &Headers, request, status, body: &[u8]| {
        verify_response(headers, &miner(), &us, request, status, body)
    };
    assert_eq!(check(&headers, request, 200, b"{}"), Ok(()));
    assert_eq!(check(&headers, Hash::of(b"another"), 200, b"{}"), Err(AuthError::Tampered));
    assert_eq!(check(&headers, request, 404, b"{}"), Err(AuthError::Tampered));
    assert_eq!(check(&headers, request, 200, b"{ }"), Err(AuthError::Tampered));
    assert_eq!(check(&Headers::default(), request, 200, b"{}"), Err(AuthError::Unsigned));
    let other = SigningKey::from_bytes(&[3; 32]);
    let theirs = sign_response(&other, request, 200, b"{}", &us);
    assert_eq!(check(&theirs, request, 200, b"{}"), Err(AuthError::UnknownSender(public_key_text(&other))));
    let addressed = sign_response(&key, request, 200, b"{}", &miner());
    assert!(matches!(check(&addressed, request, 200, b"{}"), Err(AuthError::WrongReceiver { .. })));
    // A request's signature is never a response's.
    assert!(matches!(check(&signed(NOW), request, 200, b"{}"), Err(AuthError::Malformed { .. })));
}
