//! Answers against figures worked out by hand, and what is refused.

use serde_json::{Value, json};

use crate::testing::Routes;

async fn ask(routes: &Routes, path: &str, body: Value) -> Value {
    let (status, answer) = routes.ask(None, "POST", path, Some(&body)).await;
    assert!(status.is_success() || answer["code"] == "bad_request", "{status} {answer}");
    answer
}

fn close(answer: &Value, field: &str, printed: &str) {
    let digits = printed.split('.').nth(1).unwrap().len();
    let found = answer[field].as_f64().unwrap_or_else(|| panic!("{field} in {answer}"));
    assert_eq!(format!("{found:.digits$}"), printed, "{field}");
}

#[tokio::test]
async fn the_documented_figures_come_out() {
    let routes = Routes::start().await;
    let (status, health) = routes.ask(None, "GET", "/api/health", None).await;
    assert!(status.is_success() && health["status"] == "ok" && health["uptime"].as_f64().unwrap() >= 0.0);
    let loan = |reserve_in: Value, reserve_out: Value| json!({ "reserveInBuy": 1_000_000, "reserveOutBuy": "2000000", "reserveInSell": reserve_in, "reserveOutSell": reserve_out });
    for (reserve_in, reserve_out, amount, profit) in [
        (json!(1.8e6), json!(1e6), "24010.835", "1112.6213"),
        (json!("1900000"), json!(1_000_000), "10982.31", "146.67"),
        (json!(1_500_000), json!("1000000.0"), "64899.36", "9690.35"),
        (json!(1_800_000), json!(1_100_000), "48409.00", "4829.05"),
    ] {
        let answer = ask(&routes, "/api/calculate-flashloan", loan(reserve_in, reserve_out)).await;
        close(&answer, "flashloanAmount", amount);
        close(&answer, "expectedProfit", profit);
        assert_eq!((&answer["success"], &answer["profitable"]), (&json!(true), &json!(true)));
        assert_eq!((&answer["gasCost"], &answer["flashloanFee"]), (&json!(100), &json!(0.0009)));
    }
    for reserve_in in [2_000_000, 2_100_000, 2_200_000] {
        let answer = ask(&routes, "/api/calculate-flashloan", loan(json!(reserve_in), json!(1_000_000))).await;
        assert_eq!((&answer["flashloanAmount"], &answer["profitable"]), (&json!(0), &json!(false)));
    }
    let pair = |amount: u32| json!({ "reserveIn": 1e6, "reserveOut": 2e6, "tradeAmount": amount });
    let impact = ask(&routes, "/api/calculate-impact", pair(50_000)).await;
    close(&impact, "marketImpact", "9.2840927");
    assert_eq!(impact["marketImpactPct"], "9.2841%");
    let impact = ask(&routes, "/api/calculate-impact", pair(10_000)).await;
    close(&impact, "marketImpact", "1.9674832");
    close(&impact, "slippage", "1.2841966");
    let path = json!([[1e6, 2e6], [2e6, 2e6], [2e6, 1e6]]);
    let hops = json!({ "path": path, "flashloanAmount": 25_000, "tokens": ["A", "B", "C", "A"] });
    let slippage = ask(&routes, "/api/calculate-multihop-slippage", hops).await;
    close(&slippage, "totalSlippage", "7.9834430");
    assert_eq!((&slippage["totalSlippagePct"], &slippage["hops"]), (&json!("7.9834%"), &json!(3)));
    assert!(slippage["compoundSlippage"].as_f64() < slippage["totalSlippage"].as_f64());
}

#[tokio::test]
async fn the_best_path_is_the_first_of_the_most_profitable() {
    let routes = Routes::start().await;
    let (good, poor) = (json!([[1e6, 2e6], [1.8e6, 1e6]]), json!([[1e6, 2e6], [2.1e6, 1e6]]));
    let question = json!({ "paths": [poor, good, good], "flashloanAmounts": ["24010.835", "24010.835", "24010.835"],
        "gasCosts": [0, 100, 100] });
    let answer = ask(&routes, "/api/simulate-paths", question).await;
    assert_eq!((&answer["bestPathIndex"], &answer["totalPathsSimulated"]), (&json!(1), &json!(3)));
    close(&answer, "bestProfit", "1112.6213");
    assert!(answer["results"][0]["profit"].as_f64().unwrap() < 0.0);
    let best: Vec<bool> = (0..3).map(|path| answer["results"][path]["isBest"].as_bool().unwrap()).collect();
    assert_eq!(best, [false, true, false]);
}

#[tokio::test]
async fn what_has_no_answer_is_named() {
    let routes = Routes::start().await;
    let pair = json!([[1, 1]]);
    let many = |count: usize| vec![json!(1); count];
    for (path, body, field) in [
        ("calculate-impact", json!({ "reserveIn": 0, "reserveOut": 1, "tradeAmount": 1 }), "reserveIn"),
        ("calculate-impact", json!({ "reserveIn": "NaN", "reserveOut": 1, "tradeAmount": 1 }), "reserveIn"),
        ("calculate-impact", json!({ "reserveIn": 1, "reserveOut": -2, "tradeAmount": 1 }), "reserveOut"),
        ("calculate-multihop-slippage", json!({ "path": [], "flashloanAmount": 1 }), "path"),
        ("calculate-multihop-slippage", json!({ "path": vec![[1, 1]; 17], "flashloanAmount": 1 }), "path"),
        ("calculate-multihop-slippage", json!({ "path": pair, "flashloanAmount": 0 }), "flashloanAmount"),
        ("calculate-multihop-slippage", json!({ "path": [[1, 0]], "flashloanAmount": 1 }), "path[0][1]"),
        ("calculate-multihop-slippage", json!({ "path": pair, "flashloanAmount": 1, "tokens": ["A", "a"] }), "tokens"),
        ("simulate-paths", json!({ "paths": [], "flashloanAmounts": [], "gasCosts": [] }), "paths"),
        ("simulate-paths", json!({ "paths": [pair], "flashloanAmounts": [], "gasCosts": [1] }), "flashloanAmounts"),
        ("simulate-paths", json!({ "paths": [pair], "flashloanAmounts": [1], "gasCosts": [-1] }), "gasCosts[0]"),
        (
            "simulate-paths",
            json!({ "paths": vec![&pair; 257], "flashloanAmounts": many(257), "gasCosts": many(257) }),
            "paths",
        ),
        (
            "simulate-paths",
            json!({ "paths": [pair], "flashloanAmounts": [1], "gasCosts": [1], "flashloanFee": 1 }),
            "flashloanFee",
        ),
        (
            "simulate-paths",
            json!({ "paths": [pair], "flashloanAmounts": [1], "gasCosts": [1], "tokens": [["A", "B"]] }),
            "tokens[0]",
        ),
    ] {
        let answer = ask(&routes, &format!("/api/{path}"), body.clone()).await;
        assert_eq!((&answer["status"], &answer["field"]), (&json!(400), &json!(field)), "{body}: {answer}");
    }
}
