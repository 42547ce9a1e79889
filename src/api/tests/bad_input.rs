//! Every field of every call, and of every parameter: what can't be right is refused in words that say what to do, nothing
//! is begun, and the key is left unused. The fields are those of the OpenAPI document: a new one without its row fails.
// B11, H7, H8, H11, H12

use super::*;
use crate::api::fake::id;
use crate::api::routes::ROUTES;
use crate::commands::bench::Signer;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// A field, values that it must refuse beyond those of a wrong type, and whether it may be left out.
struct Row {
    call: &'static str,
    field: &'static str,
    bad: Vec<Value>,
    optional: bool,
}

const PAYMENT: &str = "0123456789abcdef0123456789abcdef";

fn good(call: &str) -> Value {
    match call {
        "POST /v1/offers" => json!({
            "give": { "asset": "BTC", "amount": "10000000" }, "want": { "asset": "ETH", "amount": "5" }, "valid_secs": 60,
        }),
        "POST /v1/swaps" => json!({ "peer": "bob", "offer": id(0xc1) }),
        "POST /v1/sends" => json!({ "pay": { "asset": "BTC", "amount": "1" }, "to": "bcrt1qxyz" }),
        "POST /v1/peers" => json!({ "address": format!("0x{}@bob.example:7707", "bb".repeat(20)) }),
        "POST /v1/quotes" => json!({ "give": "ETH", "want": "BTC", "give_amount": "5" }),
        "POST /v1/proposals" => json!(Signer::new().unwrap().take(&id(0x0f)).unwrap()),
        "POST /v1/acceptances" => json!({ "swap": id(0x0f), "signature": "11".repeat(65) }),
        "POST /v1/webhooks" => json!({ "url": "https://exchange.example/", "secret": "s".repeat(32), "kinds": ["swap"] }),
        "POST /v1/webhooks/{id}/replay" => json!({ "after": 5 }),
        "POST /v1/swaps/{id}/approval" => json!({ "approve": true }),
        "POST /v1/swaps/{id}/payment/psbt" => {
            json!({ "coins": [{ "txid": id(7), "vout": 1 }], "change_address": "bcrt1qxyz" })
        }
        "POST /v1/swaps/{id}/payment" => json!({ "psbt": "cHNidP8BAAoCAAAAAAAAAAAA" }),
        "POST /v1/drain" => json!({ "draining": true }),
        "POST /v1/channels" => json!({ "peer": "bob", "deposit": { "asset": "ETH", "amount": "5" } }),
        "POST /v1/channels/{ledger}/{id}/deposit" | "POST /v1/channels/{ledger}/{id}/withdraw" => json!({ "amount": "5" }),
        "POST /v1/channels/{ledger}/{id}/close" => json!({ "how": "together" }),
        "POST /v1/payments" => json!({ "id": PAYMENT, "payee": "bob", "pay": { "asset": "ETH", "amount": "5" } }),
        "POST /v1/payments/batch" => json!({ "payments": [good("POST /v1/payments")] }),
        "POST /v1/requests" => json!({ "asset": "ETH", "amount": "5", "valid_secs": 60 }),
        "POST /v1/requests/{hash}/release" => json!({ "secret": "07".repeat(32) }),
        other => panic!("{other} takes a body, and has no good one here"),
    }
}

fn row(call: &'static str, field: &'static str, bad: Vec<Value>) -> Row {
    Row { call, field, bad, optional: false }
}

fn amounts(call: &'static str, amount: &'static str, asset: &'static str, coins: &'static str) -> [Row; 3] {
    let too_long = "9".repeat(40);
    let beyond = "340282366920938463463374607431768211456";
    let numbers =
        ["", "0", "-1", "+1", "1.5", "1,5", "1e3", "0x10", " 1", "1 ", "١", "NaN", "1_000", "00000000000", &too_long, beyond];
    let assets = ["", "../BTC", "BTC ETH", "BTC\n", "<b>", "B\u{0}C", "bitcoin/BTC", &"A".repeat(65)];
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let coins = Row { optional: true, ..row(call, coins, vec![]) };
    [row(call, amount, texts(&numbers)), row(call, asset, texts(&assets)), coins]
}

fn rows() -> Vec<Row> {
    let long = "x".repeat(400);
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(amounts("POST /v1/offers", "give.amount", "give.asset", "give.coins"));
    rows.extend(amounts("POST /v1/offers", "want.amount", "want.asset", "want.coins"));
    rows.extend(amounts("POST /v1/sends", "pay.amount", "pay.asset", "pay.coins"));
    let times = vec![json!(0), json!(9), json!(604_801), json!(-60), json!(60.5), json!(u64::MAX), json!(1e300)];
    rows.push(row("POST /v1/offers", "valid_secs", times));
    let offers = [json!(""), json!("3fa9"), json!("Z".repeat(64)), json!("AB".repeat(32)), json!("ab".repeat(33))];
    rows.push(row("POST /v1/swaps", "offer", offers.to_vec()));
    let peers = vec![json!(""), json!("bob\r\nX: y"), json!("a b"), json!("../bob"), json!("<b>"), json!(long)];
    rows.push(row("POST /v1/swaps", "peer", peers));
    let funding = vec![json!("bank"), json!(""), json!("WALLET")];
    rows.push(Row { optional: true, ..row("POST /v1/swaps", "funding", funding) });
    let to = vec![json!(""), json!("../x"), json!("bc1 q"), json!("bc1\u{0}q"), json!("bitcoin:bc1q?amount=1"), json!(long)];
    rows.push(row("POST /v1/sends", "to", to));
    let addresses = vec![json!(""), json!("bob"), json!("0xbb host:1"), json!("0xbb@host:1/../"), json!(long)];
    rows.push(row("POST /v1/peers", "address", addresses));
    let aliases = vec![json!(""), json!("a b"), json!("<script>"), json!("a/b"), json!("x".repeat(33)), json!("é")];
    rows.push(Row { optional: true, ..row("POST /v1/peers", "alias", aliases) });
    let [give_amount, give, _] = amounts("POST /v1/quotes", "give_amount", "give", "");
    let [want_amount, want, _] = amounts("POST /v1/quotes", "want_amount", "want", "");
    rows.extend([give_amount, give, want, Row { optional: true, ..want_amount }]);
    let makers = vec![json!(""), json!("bob\r\nX: y"), json!("a b"), json!("../bob"), json!("x".repeat(400))];
    rows.push(Row { optional: true, ..row("POST /v1/quotes", "peer", makers) });
    let signatures = || vec![json!(""), json!("11"), json!("zz".repeat(65)), json!("11".repeat(66)), json!("0x".repeat(65))];
    rows.extend(taker_rows());
    rows.push(row("POST /v1/proposals", "signature", signatures()));
    rows.push(row("POST /v1/acceptances", "signature", signatures()));
    let swaps = [json!(""), json!("3fa9"), json!("Z".repeat(64)), json!("AB".repeat(32)), json!("ab".repeat(33))];
    rows.push(row("POST /v1/acceptances", "swap", swaps.to_vec()));
    let urls = vec![json!(""), json!("https://a b/"), json!("https://a/\n"), json!(format!("https://{}", "x".repeat(512)))];
    rows.push(row("POST /v1/webhooks", "url", urls));
    rows.push(row(
        "POST /v1/webhooks",
        "secret",
        vec![json!(""), json!("s".repeat(31)), json!("s".repeat(129)), json!("\u{0}".repeat(40))],
    ));
    rows.push(Row {
        optional: true,
        ..row("POST /v1/webhooks", "kinds", vec![json!(["swaps"]), json!([5]), json!(["swap", "swap"])])
    });
    rows.extend(channel_rows());
    rows.extend(payment_rows());
    rows.push(row("POST /v1/swaps/{id}/approval", "approve", vec![json!("true"), json!(1)]));
    rows.push(row("POST /v1/drain", "draining", vec![json!("false"), json!(0)]));
    rows.push(row("POST /v1/webhooks/{id}/replay", "after", vec![json!(-1), json!(1.5), json!("5")]));
    rows
}

/// What a taker with keys of its own says, and pays.
fn taker_rows() -> Vec<Row> {
    let call = "POST /v1/proposals";
    let hashes = || vec![json!(""), json!("3fa9"), json!("Z".repeat(64)), json!("ab".repeat(33))];
    let parties = || vec![json!({}), json!({ "key": "02" }), json!({ "account": "0x12" }), json!({ "moon": "0x12" })];
    let coin = |txid: &str, vout: i64| json!({ "txid": txid, "vout": vout });
    let coins = vec![
        json!([]),
        json!([5]),
        json!([{}]),
        json!([coin("3fa9", 0)]),
        json!([coin(&id(7), -1)]),
        json!([coin(&id(7), 1), coin(&id(7), 1)]),
        json!((0..33).map(|vout| coin(&id(7), vout)).collect::<Vec<_>>()),
    ];
    let changes = vec![json!(""), json!("../x"), json!("bc1 q"), json!("bc1\u{0}q"), json!("x".repeat(129))];
    vec![
        row(call, "take.offer", hashes()),
        row(call, "take.taker", vec![json!(""), json!("0x12"), json!("bb".repeat(20)), json!("zz")]),
        row(call, "take.salt", vec![json!(""), json!("00"), json!("zz".repeat(16)), json!("00".repeat(17))]),
        row(call, "take.secret_hash", hashes()),
        row(call, "take.alpha_refundee", parties()),
        row(call, "take.beta_redeemer", parties()),
        row(call, "take.offline_secs", vec![json!(-1), json!(1.5), json!("5")]),
        row("POST /v1/swaps/{id}/payment/psbt", "coins", coins),
        row("POST /v1/swaps/{id}/payment/psbt", "change_address", changes),
        row("POST /v1/swaps/{id}/payment", "psbt", vec![json!(""), json!("cHNid"), json!("a b c d e f"), json!("<b>psbt</b>")]),
    ]
}

fn channel_rows() -> Vec<Row> {
    let optional = |call, field, bad| Row { optional: true, ..row(call, field, bad) };
    let mut rows: Vec<Row> = amounts("POST /v1/channels", "deposit.amount", "deposit.asset", "deposit.coins").into();
    let peers = vec![json!(""), json!("bob\r\nX: y"), json!("a b"), json!("../bob"), json!("<b>"), json!("x".repeat(400))];
    rows.push(row("POST /v1/channels", "peer", peers));
    let windows = vec![json!(0), json!(9), json!(43_201), json!(-10), json!(10.5), json!(65_536), json!("60")];
    rows.push(optional("POST /v1/channels", "window_minutes", windows));
    for call in ["POST /v1/channels/{ledger}/{id}/deposit", "POST /v1/channels/{ledger}/{id}/withdraw"] {
        let [amount, _, _] = amounts(call, "amount", "", "");
        rows.push(amount);
    }
    let ways = vec![json!("force"), json!(""), json!("TOGETHER")];
    rows.push(optional("POST /v1/channels/{ledger}/{id}/close", "how", ways));
    let times = vec![json!(0), json!(9), json!(604_801), json!(-60), json!(60.5), json!(u64::MAX)];
    rows.push(optional("POST /v1/channels/{ledger}/{id}/close", "alone_after_secs", times));
    rows
}

fn payment_rows() -> Vec<Row> {
    let optional = |call, field, bad| Row { optional: true, ..row(call, field, bad) };
    let mut rows: Vec<Row> = amounts("POST /v1/payments", "pay.amount", "pay.asset", "pay.coins").into();
    let hashes = || vec![json!(""), json!("3fa9"), json!("Z".repeat(64)), json!("ab".repeat(33))];
    let ids = vec![json!(""), json!("3fa9"), json!("AB".repeat(16)), json!("zz".repeat(16)), json!("ab".repeat(17))];
    rows.push(row("POST /v1/payments", "id", ids));
    let peers = vec![json!(""), json!("bob\r\nX: y"), json!("a b"), json!("../bob"), json!("<b>"), json!("x".repeat(400))];
    rows.push(row("POST /v1/payments", "payee", peers));
    // Beside a payee a request is one too many, whatever it says.
    rows.push(optional(
        "POST /v1/payments",
        "request",
        vec![json!(""), json!("photon1q"), json!("a b"), json!("x".repeat(1025))],
    ));
    let [fee, _, _] = amounts("POST /v1/payments", "most_fee", "", "");
    // No fee at all is a fair wish.
    let fees = fee.bad.into_iter().filter(|bad| !["0", "00000000000"].map(|zero| json!(zero)).contains(bad)).collect();
    rows.push(optional("POST /v1/payments", "most_fee", fees));
    let memos = |most: usize| vec![json!("x".repeat(most + 1)), json!("a\nb"), json!("a\u{0}b"), json!("\u{1b}[2J")];
    rows.push(optional("POST /v1/payments", "memo", memos(256)));
    rows.push(optional("POST /v1/payments", "secret_hash", hashes()));
    let one = good("POST /v1/payments");
    let broken = |field: &str, value: Value| {
        let mut broken = one.clone();
        broken[field] = value;
        broken
    };
    let batches = vec![
        json!([]),
        json!([5]),
        json!([one, one]),
        json!([broken("id", json!("3fa9"))]),
        json!([broken("extra", json!(1))]),
        json!(vec![&one; 1025]),
    ];
    rows.push(row("POST /v1/payments/batch", "payments", batches));
    let [amount, asset, _] = amounts("POST /v1/requests", "amount", "asset", "");
    rows.extend([amount, asset, optional("POST /v1/requests", "memo", memos(128))]);
    let times = vec![json!(0), json!(9), json!(2_592_001), json!(-60), json!(60.5), json!(u64::MAX)];
    rows.push(row("POST /v1/requests", "valid_secs", times));
    rows.push(optional("POST /v1/requests", "secret_hash", hashes()));
    let secrets = vec![json!(""), json!("07"), json!("zz".repeat(32)), json!("07".repeat(33)), json!("08".repeat(32))];
    rows.push(row("POST /v1/requests/{hash}/release", "secret", secrets));
    rows
}

fn document() -> Value {
    serde_json::from_str(&crate::api::document()).unwrap()
}

/// Every place in a request's body where a value stands, as the document says.
fn leaves(document: &Value, schema: &Value, path: String, out: &mut BTreeSet<String>) {
    // What may be left out is there as one of its forms.
    let forms = schema["oneOf"].as_array().into_iter().flatten();
    let schema = forms.into_iter().find(|form| !form["$ref"].is_null()).unwrap_or(schema);
    let schema = match schema["$ref"].as_str() {
        Some(reference) => &document["components"]["schemas"][reference.rsplit('/').next().unwrap()],
        None => schema,
    };
    match schema["properties"].as_object() {
        None => {
            out.insert(path);
        }
        Some(properties) => {
            for (name, inner) in properties {
                let inner_path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(document, inner, inner_path, out);
            }
        }
    }
}

fn place<'v>(body: &'v mut Value, field: &str) -> (&'v mut serde_json::Map<String, Value>, String) {
    let mut here = body;
    let mut names = field.split('.').peekable();
    loop {
        let name = names.next().unwrap();
        if names.peek().is_none() {
            return (here.as_object_mut().unwrap(), name.to_owned());
        }
        here = &mut here[name];
    }
}

fn with(call: &str, field: &str, value: Option<&Value>) -> Value {
    let mut body = good(call);
    let (map, name) = place(&mut body, field);
    match value {
        Some(value) => drop(map.insert(name, value.clone())),
        None => drop(map.remove(&name)),
    }
    body
}

/// Values of every type of JSON but those that the good one has.
fn wrong_types(good: &Value) -> Vec<Value> {
    let all =
        [json!(true), json!(5), json!(-5), json!(1.5), json!("text"), json!([]), json!(["BTC"]), json!({}), json!({"a": 1})];
    let same = |value: &Value| std::mem::discriminant(value) == std::mem::discriminant(good);
    all.into_iter().filter(|value| !same(value)).collect()
}

async fn everything(world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    for path in ["/v1/offers", "/v1/swaps", "/v1/peers", "/v1/balances", "/v1/channels", "/v1/payments", "/v1/requests"] {
        all.push(world.get(path).await.json().await.unwrap());
    }
    all
}

async fn assert_refused(world: &World, call: &str, body: &Value) {
    let (_, path) = call.split_once(' ').unwrap();
    let scope = ROUTES.iter().find(|route| route.method == "POST" && route.path == path).unwrap().scope;
    let answer = world.post(scope, &filled(path), "same", body).send().await.unwrap();
    // 400: not readable as that field's type; 422: readable, and not possible.
    let status = answer.status().as_u16();
    assert!([400, 422].contains(&status), "{call} {body}: {status}");
    let problem = problem(answer, status).await;
    assert!(problem.detail.len() > 20, "{call} {body}: {}", problem.detail);
    let shown = problem.detail.replace(|c: char| c.is_ascii_graphic() || c == ' ', "");
    assert!(!shown.chars().any(char::is_control), "{call}: {:?}", problem.detail);
}

#[test]
fn every_field_of_every_body_has_its_row() {
    let document = document();
    let mut said = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let mut fields = BTreeSet::new();
            if !schema.is_null() {
                leaves(&document, schema, String::new(), &mut fields);
            }
            said.extend(fields.into_iter().map(|field| format!("{} {path} {field}", method.to_uppercase())));
        }
    }
    let tested: BTreeSet<String> = rows().iter().map(|row| format!("{} {}", row.call, row.field)).collect();
    assert_eq!(said, tested);
}

#[tokio::test]
async fn a_bad_value_in_any_field_is_refused_and_nothing_is_begun() {
    let world = World::new().await;
    let before = everything(&world).await;
    for Row { call, field, bad, optional } in rows() {
        let mut whole = good(call);
        let (map, name) = place(&mut whole, field);
        let sample = map.get(&name).cloned().unwrap_or_else(|| json!("text"));
        let mut values = [bad, wrong_types(&sample)].concat();
        values.extend((!optional).then_some(Value::Null));
        for value in &values {
            assert_refused(&world, call, &with(call, field, Some(value))).await;
        }
        if !optional {
            assert_refused(&world, call, &with(call, field, None)).await;
        }
        let beside = format!("{}x", field);
        assert_refused(&world, call, &with(call, &beside, Some(&json!(1)))).await;
    }
    assert_eq!(everything(&world).await, before);
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 0);
    assert_eq!(world.fake.answer("same"), None, "a refused body leaves its key unused");
}

/// Parameters, by their places, with what they must refuse.
fn parameters() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let ids = vec!["3fa9", "..%2f..%2fetc%2fpasswd", "%00", "%ff", "%F0%9F%98%80", "a%0d%0ab"];
    let ledgers = vec!["doge", "ETHEREUM%00", "..%2f", "%ff", "smt%20"];
    vec![
        ("get /v1/channels", "state", vec!["open", "", "LIVE", "live%00"]),
        ("get /v1/channels", "peer", vec!["bob", "0x12", "%00", ""]),
        ("get /v1/channels", "limit", vec!["0", "201", "-1", "x", ""]),
        ("get /v1/channels", "after", vec!["%00", "a%20b", "%ff"]),
        ("get /v1/channels/{ledger}/{id}", "ledger", ledgers.clone()),
        ("get /v1/channels/{ledger}/{id}", "id", ids.clone()),
        ("post /v1/channels/{ledger}/{id}/deposit", "ledger", ledgers.clone()),
        ("post /v1/channels/{ledger}/{id}/deposit", "id", ids.clone()),
        ("post /v1/channels/{ledger}/{id}/withdraw", "ledger", ledgers.clone()),
        ("post /v1/channels/{ledger}/{id}/withdraw", "id", ids.clone()),
        ("post /v1/channels/{ledger}/{id}/close", "ledger", ledgers.clone()),
        ("post /v1/channels/{ledger}/{id}/close", "id", ids.clone()),
        ("post /v1/channels/{ledger}/{id}/settle", "ledger", ledgers),
        ("post /v1/channels/{ledger}/{id}/settle", "id", ids.clone()),
        ("post /v1/channels/{ledger}/{id}/deposit", "Idempotency-Key", vec!["", "a b"]),
        ("post /v1/channels/{ledger}/{id}/withdraw", "Idempotency-Key", vec!["", "a b"]),
        ("post /v1/channels/{ledger}/{id}/close", "Idempotency-Key", vec!["", "a b"]),
        ("post /v1/channels", "Idempotency-Key", vec!["", "a b"]),
        ("post /v1/requests", "Idempotency-Key", vec!["", "a b"]),
        ("get /v1/payments", "direction", vec!["both", "", "SENT"]),
        ("get /v1/payments", "state", vec!["pending", "", "PAID"]),
        ("get /v1/payments", "limit", vec!["0", "201", "-1", "x", ""]),
        ("get /v1/payments", "after", vec!["%00", "a%20b", "%ff"]),
        ("get /v1/payments/{payment}", "payment", ids.clone()),
        ("post /v1/payments/{payment}/cancel", "payment", ids.clone()),
        ("get /v1/requests/{hash}", "hash", ids.clone()),
        ("delete /v1/requests/{hash}", "hash", ids.clone()),
        ("post /v1/requests/{hash}/release", "hash", ids.clone()),
        ("get /v1/routes", "payee", vec!["", "a%20b&asset=ETH&amount=5", "%00&asset=ETH&amount=5"]),
        ("get /v1/routes", "asset", vec!["", "..%2f&payee=bob&amount=5", "%00&payee=bob&amount=5"]),
        ("get /v1/routes", "amount", vec!["", "0&payee=bob&asset=ETH", "-1&payee=bob&asset=ETH", "1.5&payee=bob&asset=ETH"]),
        ("get /v1/offers", "of", vec!["", "all", "US", "network%00"]),
        ("get /v1/offers", "give", vec!["", "..%2f", "%00", "BTC%20"]),
        ("get /v1/offers", "want", vec!["", "..%2f", "%00", "BTC%20"]),
        ("get /v1/peers/{peer}/offers", "give", vec!["", "..%2f", "%00", "BTC%20"]),
        ("get /v1/peers/{peer}/offers", "want", vec!["", "..%2f", "%00", "BTC%20"]),
        ("delete /v1/offers/{id}", "id", ids.clone()),
        ("get /v1/swaps/{id}", "id", ids.clone()),
        ("get /v1/sends/{id}", "id", ids.clone()),
        ("delete /v1/webhooks/{id}", "id", ids.clone()),
        ("get /v1/swaps/{id}/receipt", "id", ids.clone()),
        ("get /v1/swaps/{id}/payment", "id", ids.clone()),
        ("post /v1/swaps/{id}/payment", "id", ids.clone()),
        ("post /v1/swaps/{id}/payment/psbt", "id", ids.clone()),
        ("post /v1/swaps/{id}/approval", "id", ids.clone()),
        ("get /v1/swaps", "peer", vec!["bob", "0x12", "%00", ""]),
        ("get /v1/statements", "from", vec!["x", "-1", "1.5"]),
        ("get /v1/statements", "until", vec!["x", "-1", "1.5"]),
        ("get /v1/statements", "after", vec!["x", "-1", "1.5"]),
        ("get /v1/statements", "limit", vec!["0", "501", "-1", "x"]),
        ("get /v1/statements", "format", vec!["xml", "", "CSV"]),
        ("post /v1/webhooks/{id}/replay", "id", ids),
        ("post /v1/webhooks", "Idempotency-Key", vec!["", "a b"]),
        ("get /v1/peers/{peer}/offers", "peer", vec!["a%2fb", "%00", "a%20b", "%3Cb%3E", "%ff"]),
        ("post /v1/addresses/{ledger}", "ledger", vec!["doge", "BITCOIN%00", "..%2f", "%ff", "bitcoin%20"]),
        ("get /v1/swaps", "state", vec!["open", "", "LIVE", "live%00"]),
        ("get /v1/swaps", "limit", vec!["0", "201", "-1", "x", "1.5", "1e2", "99999999999999999999", ""]),
        ("get /v1/swaps", "after", vec!["%00", "a%20b", "%ff"]),
        ("get /v1/events", "kinds", vec!["", "moon", "swap,", "swap,swap", "SWAP", "swap%20"]),
        ("get /v1/events/ws", "kinds", vec!["", "moon", "swap,swap"]),
        ("get /v1/events/ws", "after", vec!["x", "-1", "1.5", "99999999999999999999999"]),
        ("get /v1/events/ws", "Last-Event-ID", vec!["x", "-1", "1.5", "99999999999999999999999"]),
        ("get /v1/events", "after", vec!["x", "-1", "1.5", "99999999999999999999999"]),
        ("get /v1/events", "Last-Event-ID", vec!["x", "-1", "1.5", "99999999999999999999999"]),
        ("post /v1/offers", "Idempotency-Key", vec!["", "a b"]),
        ("post /v1/peers", "Idempotency-Key", vec!["", "a b"]),
        ("post /v1/sends", "Idempotency-Key", vec!["", "a b"]),
        ("post /v1/swaps", "Idempotency-Key", vec!["", "a b"]),
    ]
}

#[test]
fn every_parameter_has_its_row() {
    let document = document();
    let mut said = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                said.insert(format!("{method} {path} {}", parameter["name"].as_str().unwrap()));
            }
        }
    }
    let tested: BTreeSet<String> = parameters().iter().map(|(call, name, _)| format!("{call} {name}")).collect();
    assert_eq!(said, tested);
}

#[tokio::test]
async fn a_bad_parameter_is_refused_and_nothing_is_begun() {
    let world = World::new().await;
    let before = everything(&world).await;
    for (call, name, values) in parameters() {
        let (method, path) = call.split_once(' ').unwrap();
        let method: Method = method.to_uppercase().parse().unwrap();
        let scope = ROUTES.iter().find(|route| route.method == method.as_str() && route.path == path).unwrap().scope;
        for value in values {
            let in_path = path.contains(&format!("{{{name}}}"));
            let request = if in_path {
                world.ask(scope, method.clone(), &filled(&path.replace(&format!("{{{name}}}"), value)))
            } else if name.contains('-') {
                let request = world.ask(scope, method.clone(), &filled(path)).header(name, value);
                if method == Method::POST { request.json(&good(&format!("POST {path}"))) } else { request }
            } else {
                world.ask(scope, method.clone(), &format!("{path}?{name}={value}"))
            };
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            assert!([400, 404, 422].contains(&status), "{call} {name}={value:?}: {status}");
            let problem = problem(answer, status).await;
            assert!(problem.detail.len() > 10, "{call} {name}={value:?}: {}", problem.detail);
        }
    }
    assert_eq!(everything(&world).await, before);
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 0);
}
