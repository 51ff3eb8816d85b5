//! The audit's own matrix, over HTTP, against the example's router and its SQLite database.

#[path = "../examples/saas/service/mod.rs"]
#[allow(dead_code, reason = "the example's own main uses the rest")]
mod service;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bailiwick::credit::LedgerEntry;
use bailiwick::http::Gatekeeper;
use bailiwick::id::UserId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::{Overpayment, PolicySettings};
use bailiwick::provider::stripe::SigningSecret;
use bailiwick::{Credits, Policy, Wallet};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use service::{App, Store, Webhooks, seed};
use sha2::Sha256;
use tokio::runtime::Runtime;
use ureq::http;

const HOUR: TimeDelta = TimeDelta::new(3600, 0).unwrap();

/// The service on a port of its own, with its demo tenants.
struct Service {
    app: Arc<App>,
    address: String,
    runtime: Runtime,
    agent: ureq::Agent,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Service {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let app = runtime.block_on(async {
            let app = App::new(Store::open(None).await.unwrap()).unwrap();
            seed::plant(&app).await.unwrap();
            app
        });
        Self::serve(app, runtime)
    }

    fn serve(app: Arc<App>, runtime: Runtime) -> Self {
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = app.clone();
        runtime.spawn(async move { server.serve(listener, std::future::pending()).await });
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .build()
            .into();
        Self {
            app,
            address,
            runtime,
            agent,
        }
    }

    /// Sends a request as it is, and checks what every answer must keep.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(body).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text,
        };
        if answer.status >= 400 {
            // A1: every refusal is a problem, and says in its body what its status line says.
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{answer:?}"
            );
            let problem = answer.json();
            assert_eq!(problem["status"], answer.status);
            for member in ["type", "title", "detail", "code", "remedy"] {
                assert!(
                    problem[member]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{member}: {problem}"
                );
            }
        }
        answer
    }

    fn ask(
        &self,
        bearer: &str,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let authorization = format!("Bearer {bearer}");
        let mut headers = vec![];
        if !bearer.is_empty() {
            headers.push(("authorization", authorization.as_str()));
        }
        headers.extend(key.map(|key| ("idempotency-key", key)));
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.send(
            method,
            path,
            &headers,
            body.map_or(String::new(), |body| body.to_string())
                .as_bytes(),
        )
    }

    fn session(&self, user: i64) -> String {
        self.app
            .auth
            .issue(&UserId::from(user), self.app.now(), HOUR)
            .unwrap()
    }

    fn articles(&self, account: i64) -> Vec<Value> {
        let answer = self.ask(&self.session(account), "GET", "/articles", None, None);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json().as_array().unwrap().clone()
    }

    fn write(&self, account: i64, key: &str, words: u64) -> Answer {
        let draft = json!({ "site": seed::site(account), "title": format!("Of {account}"), "words": words });
        self.ask(
            &self.session(account),
            "POST",
            "/articles",
            Some(key),
            Some(draft),
        )
    }

    fn balance(&self, account: i64) -> BTreeMap<String, Credits> {
        let answer = self.ask(&self.session(account), "GET", "/account", None, None);
        serde_json::from_value(answer.json()["balance"].clone()).unwrap()
    }

    fn sql<T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin>(
        &self,
        sql: &'static str,
    ) -> Vec<T> {
        self.runtime.block_on(async {
            let mut transaction = self.app.store.begin().await.unwrap();
            let rows = sqlx::query_as(sql)
                .fetch_all(&mut *transaction)
                .await
                .unwrap();
            transaction.commit().await.unwrap();
            rows
        })
    }

    /// Everything that is stored, as text.
    fn contents(&self) -> Vec<(String,)> {
        self.sql(
            "SELECT 'account ' || facts FROM accounts UNION ALL SELECT 'user ' || id FROM users \
             UNION ALL SELECT 'site ' || id FROM sites UNION ALL SELECT 'subscription ' || facts FROM subscriptions \
             UNION ALL SELECT 'wallet ' || facts FROM wallets UNION ALL SELECT 'entry ' || entry FROM ledger \
             UNION ALL SELECT 'outcome ' || outcome FROM outcomes UNION ALL SELECT 'transfer ' || record FROM transfers \
             UNION ALL SELECT 'registered ' || record FROM registrations UNION ALL SELECT 'subject ' || record FROM subjects \
             UNION ALL SELECT 'claim ' || record FROM claims UNION ALL SELECT 'deposit ' || record FROM deposits \
             UNION ALL SELECT 'invoice ' || record FROM invoices UNION ALL SELECT 'charge ' || record FROM charges UNION ALL SELECT 'paid time ' || record FROM paid_time UNION ALL SELECT 'article ' || account_id || title || body FROM articles ORDER BY 1",
        )
    }

    /// Every wallet is what its ledger ends in, and its ledger has no gap.
    fn check_books(&self) {
        let wallets: Vec<(i64, String)> = self.sql("SELECT account_id, facts FROM wallets");
        let entries: Vec<(i64, String)> =
            self.sql("SELECT account_id, entry FROM ledger ORDER BY account_id, sequence");
        for (account, facts) in wallets {
            let wallet: Wallet = serde_json::from_str(&facts).unwrap();
            let ledger = entries.iter().filter(|(owner, _)| *owner == account);
            let ledger: Vec<LedgerEntry> = ledger
                .map(|(_, entry)| serde_json::from_str(entry).unwrap())
                .collect();
            assert!(
                ledger
                    .iter()
                    .zip(1..)
                    .all(|(entry, sequence)| entry.sequence == sequence)
            );
            if let Some(last) = ledger.last() {
                assert_eq!(last.balance, wallet.balance(), "account {account}");
            }
        }
    }
}

fn whole(credits: u32) -> Credits {
    Credits::whole(credits)
}

#[test]
fn a_list_holds_the_accounts_own_rows_and_nothing_without_an_account() {
    let service = Service::start();
    assert_eq!(service.write(seed::ACME, "a", 60).status, 201);
    assert_eq!(service.write(seed::ACME, "b", 60).status, 201);
    assert_eq!(service.write(seed::GLOBEX, "a", 60).status, 201);
    let titles = |account| {
        service
            .articles(account)
            .iter()
            .map(|row| row["title"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles(seed::ACME), ["Of 2", "Of 2"]);
    assert_eq!(titles(seed::GLOBEX), ["Of 3"]);
    assert!(service.articles(seed::UMBRELLA).is_empty());

    service.sql::<(i64,)>("INSERT INTO users (id, account_id) VALUES (99, NULL) RETURNING id");
    let before = service.contents();
    let homeless = service.session(99);
    let listed = service.ask(&homeless, "GET", "/articles", None, None);
    assert_eq!(
        (listed.status, listed.code().as_str()),
        (403, "account_missing")
    );
    let draft = json!({ "site": seed::site(seed::ACME), "title": "Nobody's", "words": 60 });
    let refused = service.ask(&homeless, "POST", "/articles", Some("x"), Some(draft));
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "account_missing")
    );
    assert_eq!(service.contents(), before);
    service.check_books();
}

#[test]
fn sessions_and_api_keys_get_the_same_answer_for_every_standing() {
    let service = Service::start();
    for (account, status, code) in [
        (seed::ACME, 200, ""),
        (seed::INITECH, 403, "account_suspended"),
        (seed::STARK, 402, "plan_inactive"),
        (seed::HOOLI, 402, "payment_past_due"),
        (seed::CYBERDYNE, 402, "subscription_canceled"),
        (seed::WAYNE, 402, "payment_pending"),
        (seed::SOYLENT, 200, ""),
    ] {
        let path = format!("/articles?site={}", seed::site(account));
        let by_session = service.ask(&service.session(account), "GET", &path, None, None);
        let by_key = service.ask(&seed::api_key(account), "GET", &path, None, None);
        assert_eq!(
            (by_session.status, by_session.code().as_str()),
            (status, code),
            "account {account}"
        );
        assert_eq!(by_session.text, by_key.text, "account {account}");
        // Who owes can still see what; who is suspended for abuse cannot.
        let billing = service.ask(&service.session(account), "GET", "/account", None, None);
        assert_eq!(
            billing.status,
            if account == seed::INITECH { 403 } else { 200 }
        );
    }
}

#[test]
fn an_api_key_reaches_its_own_site_and_no_other() {
    let service = Service::start();
    service.sql::<(i64,)>(
        "INSERT INTO sites (id, account_id, name) VALUES (22, 2, 'Second site') RETURNING id",
    );
    let key = seed::api_key(seed::ACME);
    assert_eq!(
        service.ask(&key, "GET", "/account", None, None).code(),
        "account_wide_forbidden"
    );
    for (path, status) in [
        ("/articles?site=21", 200),
        ("/articles?site=22", 403),
        ("/articles?site=31", 403),
        ("/articles", 403),
    ] {
        assert_eq!(
            service.ask(&key, "GET", path, None, None).status,
            status,
            "{path}"
        );
    }
    let session = service.session(seed::ACME);
    assert_eq!(
        service
            .ask(&session, "GET", "/articles?site=22", None, None)
            .status,
        200
    );
    let draft = json!({ "site": 22, "title": "Of the second site", "words": 60 });
    let written = service
        .ask(&session, "POST", "/articles", Some("x"), Some(draft))
        .json();
    let article = format!("/articles/{}?site=21", written["article"]["id"]);
    assert_eq!(
        service.ask(&key, "DELETE", &article, None, None).status,
        404,
        "of another site of the same account"
    );
    // A key whose list of sites is empty reaches nothing.
    service.sql::<(i64,)>("UPDATE api_keys SET sites = '[]' WHERE id = 2 RETURNING id");
    let refused = service.ask(&key, "GET", "/articles?site=21", None, None);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "site_not_in_account")
    );
    service.sql::<(i64,)>("UPDATE api_keys SET revoked = 1 WHERE id = 2 RETURNING id");
    assert_eq!(
        service
            .ask(&key, "GET", "/articles?site=21", None, None)
            .status,
        401
    );
}

#[test]
fn another_tenants_row_is_as_absent_as_one_that_never_was() {
    let service = Service::start();
    let written = service.write(seed::ACME, "a", 60).json();
    let mine = format!("/articles/{}", written["article"]["id"]);
    let before = service.contents();
    let globex = service.session(seed::GLOBEX);
    let edit = || Some(json!({ "title": "Taken" }));
    for path in [
        mine.as_str(),
        &format!("{mine}?site={}", seed::site(seed::GLOBEX)),
    ] {
        let foreign = service.ask(&globex, "PATCH", path, None, edit());
        let absent = service.ask(&globex, "PATCH", "/articles/424242", None, edit());
        assert_eq!((foreign.status, &foreign.text), (404, &absent.text));
        assert_eq!(
            service.ask(&globex, "DELETE", path, None, None).text,
            absent.text
        );
    }
    let trespass = format!("{mine}?site={}", seed::site(seed::ACME));
    assert_eq!(
        service.ask(&globex, "DELETE", &trespass, None, None).code(),
        "site_not_in_account"
    );
    assert_eq!(service.contents(), before, "nothing was touched");
    let acme = service.session(seed::ACME);
    assert_eq!(service.ask(&acme, "PATCH", &mine, None, edit()).status, 204);
    assert_eq!(service.articles(seed::ACME)[0]["title"], "Taken");
    assert_eq!(service.ask(&acme, "DELETE", &mine, None, None).status, 204);
    assert_eq!(service.ask(&acme, "DELETE", &mine, None, None).status, 404);
    assert!(service.articles(seed::ACME).is_empty());
}

#[test]
fn the_throttle_holds_for_whoever_is_logged_in_and_for_nobody_else() {
    let service = Service::start();
    let answers: Vec<Answer> = (0..8)
        .map(|number| service.write(seed::ACME, &number.to_string(), 20))
        .collect();
    let passed = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(
        (3..8).contains(&passed),
        "a burst of three, and what refilled meanwhile: {passed}"
    );
    let throttled = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(throttled.code(), "quota_exceeded");
    assert!((1..=10).contains(&throttled.header("retry-after").parse::<u64>().unwrap()));
    assert!(
        throttled
            .header("ratelimit-policy")
            .starts_with(r#""ai";q="#),
        "{throttled:?}"
    );
    assert_eq!(throttled.json()["violated-policies"], json!(["ai"]));
    assert_eq!(
        service.write(seed::GLOBEX, "calm", 20).status,
        201,
        "the neighbour goes on"
    );
    assert_eq!(
        service.articles(seed::ACME).len(),
        passed,
        "what was throttled was neither written nor charged"
    );
    service.check_books();
}

#[test]
fn a_call_without_credits_is_refused_before_the_writer_is_called() {
    let service = Service::start();
    let refused = service.write(seed::UMBRELLA, "a", 60);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (402, "credits_insufficient")
    );
    assert_eq!(service.app.writer.calls(), 0);
    // A denial does not burn the key: with less to pay, the same key works once there is enough.
    assert_eq!(service.balance(seed::UMBRELLA)["free"], whole(1));
    assert!(service.articles(seed::UMBRELLA).is_empty());
}

#[test]
fn a_failed_call_gives_the_credits_back() {
    let service = Service::start();
    let draft = json!({ "site": seed::site(seed::ACME), "title": "outage", "words": 60 });
    let session = service.session(seed::ACME);
    let failed = service.ask(
        &session,
        "POST",
        "/articles",
        Some("a"),
        Some(draft.clone()),
    );
    assert_eq!(
        (failed.status, failed.code().as_str()),
        (503, "upstream_unavailable")
    );
    let balance = service.balance(seed::ACME);
    assert_eq!(
        (balance["free"], balance["held"], balance["spent"]),
        (whole(1000), whole(0), whole(0))
    );
    // The outage does not use the key up: the same request is a fresh attempt.
    let again = service.ask(&session, "POST", "/articles", Some("a"), Some(draft));
    assert_eq!(
        (again.status, again.code().as_str()),
        (503, "upstream_unavailable")
    );
    assert_eq!(service.app.writer.calls(), 2);
    service.check_books();
}

#[test]
fn one_request_sent_many_times_at_once_is_one_article_and_one_charge() {
    let service = Service::start();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| service.write(seed::ACME, "same", 60)))
            .collect();
        sent.into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for answer in &answers {
        assert!(
            answer.status == 201 || answer.code() == "request_in_progress",
            "{answer:?}"
        );
    }
    assert!(answers.iter().any(|answer| answer.status == 201));
    let other = json!({ "site": seed::site(seed::GLOBEX), "title": "Of another", "words": 60 });
    let globex = service.session(seed::GLOBEX);
    assert_eq!(
        service
            .ask(&globex, "POST", "/articles", Some("same"), Some(other))
            .status,
        201,
        "a key is an account's"
    );
    assert_eq!(service.articles(seed::ACME).len(), 1);
    assert_eq!(service.app.writer.calls(), 2);
    let charged: Credits = serde_json::from_value(
        answers
            .iter()
            .find(|answer| answer.status == 201)
            .unwrap()
            .json()["receipt"]["charged"]
            .clone(),
    )
    .unwrap();
    assert_eq!(service.balance(seed::ACME)["spent"], charged);
    service.check_books();
}

#[test]
fn the_same_key_with_another_draft_is_another_request() {
    let service = Service::start();
    let session = service.session(seed::ACME);
    let draft =
        |title: &str| Some(json!({ "site": seed::site(seed::ACME), "title": title, "words": 60 }));
    assert_eq!(
        service
            .ask(&session, "POST", "/articles", Some("a"), draft("On bread"))
            .status,
        201
    );
    let refused = service.ask(&session, "POST", "/articles", Some("a"), draft("On wine"));
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (422, "idempotency_key_reused")
    );
}

#[test]
fn clients_that_hang_up_cost_the_others_nothing() {
    use std::io::Write;
    let service = Service::start();
    let host = service.address.trim_start_matches("http://").to_owned();
    let session = service.session(seed::GLOBEX);
    for number in 0..400 {
        let bearer = if number % 2 == 0 {
            "bw_2_wrong"
        } else {
            session.as_str()
        };
        let mut socket = std::net::TcpStream::connect(&host).unwrap();
        write!(
            socket,
            "GET /account HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\n\r\n"
        )
        .unwrap();
        drop(socket);
    }
    // Nor do they get a call for nothing: what has begun is finished, and charged.
    let body =
        json!({ "site": seed::site(seed::GLOBEX), "title": "Gone", "words": 60 }).to_string();
    let mut socket = std::net::TcpStream::connect(&host).unwrap();
    write!(
        socket,
        "POST /articles HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {session}\r\nidempotency-key: gone\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    // Hangs up once the call has begun; should it never begin, what follows says so.
    for _ in 0..5_000 {
        if service.app.writer.calls() > 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    drop(socket);
    // The same request waits for the first one's end, and gets its answer.
    let draft: Value = serde_json::from_str(&body).unwrap();
    let answer = loop {
        let answer = service.ask(
            &session,
            "POST",
            "/articles",
            Some("gone"),
            Some(draft.clone()),
        );
        match answer.code().as_str() {
            "request_in_progress" | "quota_exceeded" => {
                std::thread::sleep(std::time::Duration::from_millis(200))
            }
            _ => break answer,
        }
    };
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(service.app.writer.calls(), 1);
    assert_eq!(service.articles(seed::GLOBEX).len(), 1);
    assert!(
        service.balance(seed::GLOBEX)["held"].is_zero()
            && !service.balance(seed::GLOBEX)["spent"].is_zero()
    );
    service.check_books();
}

#[test]
fn registration_seeds_credits_once_and_half_happens_never() {
    let service = Service::start();
    let newcomer = |email: &str, plan: i64, method: &str| {
        Some(json!({ "email": email, "plan": plan, "payment_method": method }))
    };
    let register = |key: &str, body| service.ask("", "POST", "/register", Some(key), body);
    let first = register(
        "one",
        newcomer("a@example.com", seed::FREE, "bank_transfer"),
    );
    assert_eq!(first.status, 201, "{first:?}");
    let account = first.json()["account"].as_i64().unwrap();
    let owner = first.json()["owner"].as_i64().unwrap();
    let view = service
        .ask(&service.session(owner), "GET", "/account", None, None)
        .json();
    assert_eq!(
        (view["id"].as_i64(), view["status"].as_str()),
        (Some(account), Some("active"))
    );
    assert_eq!(view["balance"]["free"], "50");

    let stored = service.contents();
    assert_eq!(
        register(
            "one",
            newcomer("a@example.com", seed::FREE, "bank_transfer")
        )
        .text,
        first.text
    );
    for (key, body, status, code) in [
        (
            "one",
            newcomer("a@example.com", seed::PRO, "bank_transfer"),
            422,
            "idempotency_key_reused",
        ),
        (
            "two",
            newcomer(" A@Example.com ", seed::FREE, "bank_transfer"),
            409,
            "already_registered",
        ),
        (
            "two",
            newcomer("b@example.com", seed::FREE, "stripe"),
            422,
            "payment_method_coming_soon",
        ),
        (
            "two",
            newcomer("b@example.com", seed::FREE, "paypal"),
            422,
            "payment_method_coming_soon",
        ),
        (
            "two",
            newcomer("b@example.com", 3, "bank_transfer"),
            422,
            "registration_invalid",
        ),
        (
            "two",
            newcomer("b@example.com", 404, "bank_transfer"),
            404,
            "not_found",
        ),
        (
            "two",
            newcomer("nonsense", seed::FREE, "bank_transfer"),
            422,
            "registration_invalid",
        ),
        (
            "two",
            Some(json!({ "email": "b@example.com", "plan": seed::FREE })),
            400,
            "input_invalid",
        ),
    ] {
        let refused = register(key, body);
        assert_eq!((refused.status, refused.code().as_str()), (status, code));
    }
    assert_eq!(service.contents(), stored, "nothing half-happened");

    // Another person's key does not meet this one.
    assert_eq!(
        register(
            "one",
            newcomer("z@example.com", seed::FREE, "bank_transfer")
        )
        .status,
        201
    );

    // A plan with a price: registered, and awaiting the payment.
    let paying = register(
        "three",
        newcomer("c@example.com", seed::PRO, "bank_transfer"),
    )
    .json();
    let view = service
        .ask(
            &service.session(paying["owner"].as_i64().unwrap()),
            "GET",
            "/account",
            None,
            None,
        )
        .json();
    assert_eq!(
        (view["status"].as_str(), view["subscription"].as_str()),
        (Some("pending_payment"), Some("incomplete"))
    );
    service.check_books();
}

fn transfer(account: i64, transaction: &str, amount: &str, currency: &str) -> Value {
    json!({ "account": account, "transfer": {
        "receiving_account": "DE02120300000000202051", "transaction": transaction, "booked_on": "2026-11-02",
        "payer": "Wayne Ltd", "amount": { "amount": amount, "currency": currency }, "proof": "https://bank.example/statements/1" } })
}

#[test]
fn a_transfer_is_confirmed_by_an_operator_and_credited_once() {
    let service = Service::start();
    let confirm = |user: i64, body: Value| {
        service.ask(
            &service.session(user),
            "POST",
            "/billing/confirm-bank-transfer",
            None,
            Some(body),
        )
    };
    let before = service.contents();
    for (user, body, status, code) in [
        (
            seed::WAYNE,
            transfer(seed::WAYNE, "tx-1", "49", "EUR"),
            403,
            "privilege_missing",
        ),
        (
            seed::ACME,
            transfer(seed::WAYNE, "tx-1", "49", "EUR"),
            403,
            "privilege_missing",
        ),
        (
            seed::STAFF,
            transfer(seed::STAFF, "tx-1", "49", "EUR"),
            403,
            "own_account",
        ),
        (
            seed::STAFF,
            transfer(seed::WAYNE, "tx-1", "0", "EUR"),
            422,
            "transfer_invalid",
        ),
        (
            seed::STAFF,
            transfer(seed::WAYNE, "tx-1", "49", "USD"),
            422,
            "currency_mismatch",
        ),
        (
            seed::STAFF,
            transfer(seed::CYBERDYNE, "tx-1", "49", "EUR"),
            409,
            "transition_refused",
        ),
        (
            seed::STAFF,
            transfer(4242, "tx-1", "49", "EUR"),
            404,
            "not_found",
        ),
        (
            seed::STAFF,
            transfer(seed::WAYNE, "tx-1", "-49", "EUR"),
            400,
            "input_invalid",
        ),
        (
            seed::STAFF,
            transfer(seed::WAYNE, "tx-1", "1e30", "EUR"),
            400,
            "input_invalid",
        ),
        (
            seed::STAFF,
            transfer(seed::WAYNE, "", "49", "EUR"),
            400,
            "input_invalid",
        ),
    ] {
        let refused = confirm(user, body);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{refused:?}"
        );
    }
    assert_eq!(service.contents(), before);

    let first = confirm(seed::STAFF, transfer(seed::WAYNE, "tx-1", "49.00", "EUR"));
    assert_eq!(first.status, 200, "{first:?}");
    let stored = service.contents();
    let again = confirm(seed::STAFF, transfer(seed::WAYNE, " TX-1 ", "49", "EUR"));
    assert_eq!((again.status, &again.text), (200, &first.text));
    for other in [
        transfer(seed::ACME, "tx-1", "49", "EUR"),
        transfer(seed::WAYNE, "tx-1", "50", "EUR"),
    ] {
        assert_eq!(confirm(seed::STAFF, other).code(), "transfer_conflict");
    }
    assert_eq!(service.contents(), stored);
    assert_eq!(service.balance(seed::WAYNE)["granted"], whole(500));
    assert!(service.articles(seed::WAYNE).is_empty(), "and admitted");
    service.check_books();
}

#[test]
fn a_claim_is_answered_by_its_transfer_and_a_refund_takes_back_what_it_paid() {
    let service = Service::start();
    let (wayne, staff) = (service.session(seed::WAYNE), service.session(seed::STAFF));
    let ask = |who: &str, path: &str, body: Value| service.ask(who, "POST", path, None, Some(body));
    let claim = |reference: &str, amount: &str| {
        json!({ "reference": reference, "amount": { "amount": amount, "currency": "EUR" }, "payer": "Wayne Ltd",
                "proof": "https://wayne.example/receipts/1" })
    };
    let made = ask(&wayne, "/billing/claims", claim("inv-1", "49"));
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        ask(&wayne, "/billing/claims", claim("INV-1", "49.00")).text,
        made.text
    );
    assert_eq!(
        ask(&wayne, "/billing/claims", claim("inv-1", "50")).code(),
        "claim_conflict"
    );
    // A reference is unique within its account: nobody can take another's.
    assert_eq!(
        ask(
            &service.session(seed::HOOLI),
            "/billing/claims",
            claim("inv-1", "49")
        )
        .status,
        201
    );
    assert_eq!(
        ask(
            &seed::api_key(seed::WAYNE),
            "/billing/claims",
            claim("inv-2", "49")
        )
        .code(),
        "account_wide_forbidden"
    );

    let reject =
        json!({ "account": seed::WAYNE, "reference": "inv-1", "reason": "nothing arrived" });
    assert_eq!(
        ask(&wayne, "/billing/reject-claim", reject.clone()).code(),
        "privilege_missing"
    );
    assert_eq!(
        ask(&staff, "/billing/reject-claim", reject).json()["state"]["state"],
        "rejected"
    );
    assert_eq!(
        ask(&wayne, "/billing/claims", claim("inv-1", "49")).json()["state"]["state"],
        "submitted"
    );

    // In two parts: the first is kept, the second completes the price and answers the claim.
    let part = |transaction: &str, amount: &str| {
        let mut body = transfer(seed::WAYNE, transaction, amount, "EUR");
        if transaction == "part-2" {
            body["claim"] = "inv-1".into();
        }
        ask(&staff, "/billing/confirm-bank-transfer", body)
    };
    assert_eq!(part("part-1", "20").json()["periods"], 0);
    let billing = |who: &str| service.ask(who, "GET", "/billing", None, None).json();
    assert_eq!(billing(&wayne)["deposit"]["amount"], "20");
    assert_eq!(billing(&wayne)["subscription"], "incomplete");
    assert_eq!(part("part-2", "29").json()["periods"], 1);
    let paid = billing(&wayne);
    assert_eq!(
        (&paid["subscription"], &paid["deposit"]["amount"]),
        (&json!("active"), &json!("0"))
    );
    assert_eq!(paid["claims"][0]["state"]["state"], "confirmed");
    assert_eq!(service.balance(seed::WAYNE)["free"], whole(500));

    let refund = |who: &str, total: &str| {
        let transfer = json!({ "receiving_account": "DE02120300000000202051", "transaction": "part-2",
                               "booked_on": "2026-11-02" });
        let body = json!({ "transfer": transfer,
                           "total": { "amount": total, "currency": "EUR" }, "then": "end_service" });
        ask(who, "/billing/refund-bank-transfer", body)
    };
    assert_eq!(refund(&wayne, "29").code(), "privilege_missing");
    assert_eq!(refund(&staff, "30").code(), "refund_invalid");
    let sent_back = refund(&staff, "29");
    assert_eq!(
        sent_back.json()["refunded"]["amount"],
        "29",
        "{sent_back:?}"
    );
    assert_eq!(refund(&staff, "29").text, sent_back.text);
    assert_eq!(billing(&wayne)["subscription"], "canceled");
    // Of the month's credits stays what the moment before the refund has earned.
    let kept = service.balance(seed::WAYNE)["free"];
    assert!(kept < whole(1), "{kept}");

    // A new subscription, and its own credits.
    let choice = |method: &str| json!({ "plan": seed::PRO, "payment_method": method });
    assert_eq!(
        ask(
            &service.session(seed::ACME),
            "/billing/subscribe",
            choice("bank_transfer")
        )
        .code(),
        "transition_refused"
    );
    assert_eq!(
        ask(&wayne, "/billing/subscribe", choice("paypal")).code(),
        "payment_method_coming_soon"
    );
    assert_eq!(
        ask(&wayne, "/billing/subscribe", choice("bank_transfer")).status,
        201
    );
    assert_eq!(billing(&wayne)["subscription"], "incomplete");
    assert_eq!(part("again", "49").json()["periods"], 1);
    let free = service.balance(seed::WAYNE)["free"];
    assert_eq!(Some(free), kept.checked_add(whole(500)));
    service.check_books();
}

#[test]
fn what_time_has_made_due_is_carried_out_once_and_a_deposit_first() {
    let runtime = Runtime::new().unwrap();
    let settings = PolicySettings {
        overpayment: Overpayment::Deposit,
        ..PolicySettings::default()
    };
    let policy = Policy::load(settings).unwrap();
    let app = runtime.block_on(async {
        let settings = PolicySettings {
            overpayment: Overpayment::Deposit,
            ..PolicySettings::default()
        };
        let app = App::under(
            Store::open(None).await.unwrap(),
            settings,
            Webhooks::default(),
        )
        .unwrap();
        seed::plant(&app).await.unwrap();
        app
    });
    let service = Service::serve(app, runtime);
    let (wayne, staff) = (service.session(seed::WAYNE), service.session(seed::STAFF));
    let paid = transfer(seed::WAYNE, "tx-1", "98", "EUR");
    let confirmed = service.ask(
        &staff,
        "POST",
        "/billing/confirm-bank-transfer",
        None,
        Some(paid),
    );
    assert_eq!(confirmed.json()["periods"], 1, "{confirmed:?}");
    let billing = || service.ask(&wayne, "GET", "/billing", None, None).json();
    let carry_out = |days: i64| {
        let now = service.app.now() + TimeDelta::try_days(days).unwrap();
        service
            .runtime
            .block_on(service.app.store.carry_out_due(&policy, now))
            .unwrap();
    };
    assert_eq!(billing()["deposit"]["amount"], "49");
    let first = billing()["paid_until"].clone();
    carry_out(1);
    assert_eq!(
        (&billing()["paid_until"], &billing()["deposit"]["amount"]),
        (&first, &json!("49")),
        "nothing is due"
    );
    carry_out(32);
    let renewed = billing();
    assert_eq!(
        (&renewed["subscription"], &renewed["deposit"]["amount"]),
        (&json!("active"), &json!("0"))
    );
    assert_ne!(renewed["paid_until"], first);
    let stored = service.contents();
    carry_out(32);
    assert_eq!(service.contents(), stored, "once");
    // A row that cannot be read holds nobody else up.
    service.sql::<(i64,)>("UPDATE subscriptions SET facts = '{}' WHERE account_id = 2 RETURNING 2");
    carry_out(70);
    assert_eq!(billing()["subscription"], "unpaid");
    let stored: Vec<(String,)> =
        service.sql("SELECT facts FROM subscriptions WHERE account_id = 7");
    assert!(stored[0].0.contains(r#""status":"unpaid""#), "{stored:?}");
    service.check_books();
}

#[test]
fn a_transfer_of_the_wrong_account_is_retracted_and_confirmed_for_the_right_one() {
    let service = Service::start();
    let staff = service.session(seed::STAFF);
    let ask = |path: &str, body: Value| service.ask(&staff, "POST", path, None, Some(body));
    let confirm = |account| {
        let paid = transfer(account, "tx-1", "49", "EUR");
        ask("/billing/confirm-bank-transfer", paid)
    };
    let view = |account, path: &str| {
        let session = service.session(account);
        service.ask(&session, "GET", path, None, None).text
    };
    let before = ["/account", "/billing"].map(|path| view(seed::GLOBEX, path));

    assert_eq!(confirm(seed::GLOBEX).json()["periods"], 1);
    assert_eq!(confirm(seed::WAYNE).code(), "transfer_conflict");
    let key = json!({ "receiving_account": "DE02120300000000202051", "transaction": "tx-1",
                      "booked_on": "2026-11-02" });
    let mut absent = key.clone();
    absent["retractions"] = 1.into();
    let path = "/billing/retract-bank-transfer";
    let by_globex = service.ask(
        &service.session(seed::GLOBEX),
        "POST",
        path,
        None,
        Some(key.clone()),
    );
    assert_eq!(by_globex.code(), "privilege_missing");
    assert_eq!(ask(path, absent).status, 404);
    let retracted = ask(path, key.clone());
    assert_eq!(retracted.status, 200, "{retracted:?}");
    assert_eq!(
        ["/account", "/billing"].map(|path| view(seed::GLOBEX, path)),
        before
    );

    assert_eq!(confirm(seed::WAYNE).json()["retractions"], 1);
    assert_eq!(service.balance(seed::WAYNE)["free"], whole(500));
    let stored = service.contents();
    assert_eq!(
        ask(path, key).text,
        retracted.text,
        "a late repetition meets the first one"
    );
    assert_eq!(service.contents(), stored);
    service.check_books();
}

#[test]
fn a_charge_is_paid_by_the_transfer_that_names_it_and_is_owed_again_when_that_never_was() {
    let service = Service::start();
    let (tyrell, staff) = (service.session(seed::TYRELL), service.session(seed::STAFF));
    let ask = |path: &str, key: &str, plan: Option<i64>| {
        let body = plan.map(|plan| json!({ "plan": plan }));
        service.ask(&tyrell, "POST", path, Some(key), body)
    };
    let bill = || service.ask(&tyrell, "GET", "/billing", None, None).json();
    let free = || service.balance(seed::TYRELL)["free"];
    let desk = |path: &str, body: Value| service.ask(&staff, "POST", path, None, Some(body));
    let pay = |transaction: &str, amount: &str, member: &str, reference: &Value| {
        let mut paid = transfer(seed::TYRELL, transaction, amount, "EUR");
        paid[member] = reference.clone();
        desk("/billing/confirm-bank-transfer", paid)
    };
    let retract = |transaction: &str| {
        let key = json!({ "receiving_account": "DE02120300000000202051",
            "transaction": transaction, "booked_on": "2026-11-02" });
        desk("/billing/retract-bank-transfer", key)
    };
    let text = |value: &Value| value["amount"]["amount"].as_str().unwrap().to_owned();
    let is_near = |credits: Credits, other: Credits| {
        credits.max(other).saturating_sub(credits.min(other)) < whole(1)
    };

    // What is refused changes nothing.
    let untouched = service.contents();
    let up = "/billing/upgrade";
    for (path, plan, status, code) in [
        (up, seed::PRO, 409, "charge_refused"),
        (up, seed::FREE, 409, "charge_refused"),
        (up, 99, 404, "not_found"),
        ("/billing/downgrade", seed::BUSINESS, 409, "charge_refused"),
    ] {
        let refused = ask(path, "refused", Some(plan));
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{path} {plan}"
        );
    }
    assert_eq!(service.contents(), untouched);

    // An upgrade is quoted once, and nothing changes until it is paid in full.
    let quote = ask(up, "larger", Some(seed::BUSINESS));
    assert_eq!(quote.status, 201, "{quote:?}");
    let quoted = bill();
    assert_eq!(ask(up, "larger", Some(seed::BUSINESS)).text, quote.text);
    let another = ask("/billing/credit-pack", "larger", None);
    assert_eq!(another.code(), "charge_conflict");
    assert_eq!((&quoted["plan"], free()), (&json!(seed::PRO), whole(500)));
    assert_eq!(quoted["charges"][0], quote.json());
    let (due, reference) = (text(&quote.json()), quote.json()["reference"].clone());
    let stored = service.contents();
    let mut foreign = transfer(seed::GLOBEX, "tx-0", &due, "EUR");
    foreign["charge"] = reference.clone();
    let foreign = desk("/billing/confirm-bank-transfer", foreign);
    assert_eq!(foreign.code(), "not_found", "another account's charge");
    assert_eq!(service.contents(), stored);
    assert_eq!(pay("tx-1", "1", "charge", &reference).status, 200);
    let short = bill();
    assert_eq!((&short["plan"], free()), (&json!(seed::PRO), whole(500)));
    assert_eq!(short["deposit"]["amount"], "1");
    assert_eq!(retract("tx-1").status, 200);

    // A month of the larger plan costs 100 EUR more, and brings 1500 credits more.
    let first = pay("tx-2", &due, "charge", &reference);
    assert_eq!(first.status, 200, "{first:?}");
    let share = due.parse::<Credits>().unwrap().checked_mul(15).unwrap();
    let raised = free();
    assert!(is_near(raised.saturating_sub(whole(500)), share));
    assert!(share > whole(900), "18 to 21 days of a month are left");
    let paid = bill();
    assert_eq!(paid["plan"], seed::BUSINESS);
    assert_eq!(paid["charges"][0]["state"], "paid");
    assert_eq!(paid["paid_until"], quoted["paid_until"]);
    let stored = service.contents();
    assert_eq!(pay("tx-2", &due, "charge", &reference).text, first.text);
    let again = ask(up, "larger", Some(seed::BUSINESS)).json();
    assert_eq!(again, paid["charges"][0]);
    assert_eq!(service.contents(), stored, "once");

    // The transfer bounces: the charge is owed again, and a claim that carries its reference pays it.
    assert_eq!(retract("tx-2").status, 200);
    let mut bounced = bill();
    bounced["deposit"] = quoted["deposit"].clone();
    assert_eq!((bounced, free()), (quoted, whole(500)));
    let claim = json!({ "reference": reference, "amount": quote.json()["amount"],
        "payer": "Tyrell Ltd", "proof": "https://tyrell.example/receipts/1" });
    let claimed = service.ask(&tyrell, "POST", "/billing/claims", None, Some(claim));
    assert_eq!(claimed.status, 201, "{claimed:?}");
    assert_eq!(pay("tx-3", &due, "claim", &reference).status, 200);
    assert_eq!((&bill()["plan"], free()), (&json!(seed::BUSINESS), raised));

    // A pack of credits comes with its money, and goes with it.
    let pack = ask("/billing/credit-pack", "pack", None).json();
    assert_eq!((text(&pack).as_str(), free()), ("20", raised));
    let with_pack = raised.checked_add(whole(1_000)).unwrap();
    let pay_pack = |transaction: &str| pay(transaction, "20", "charge", &pack["reference"]);
    assert_eq!((pay_pack("tx-4").status, free()), (200, with_pack));
    assert_eq!((retract("tx-4").status, free()), (200, raised));
    assert_eq!((pay_pack("tx-5").status, free()), (200, with_pack));

    // A smaller plan at once: the rest of the money is a deposit, once.
    let smaller = ask("/billing/downgrade", "smaller", Some(seed::PRO));
    assert_eq!(smaller.status, 201, "{smaller:?}");
    let stored = service.contents();
    let again = ask("/billing/downgrade", "smaller", Some(seed::PRO));
    assert_eq!((again.text, service.contents()), (smaller.text, stored));
    let back = bill();
    assert_eq!(back["plan"], seed::PRO);
    let rest: Credits = back["deposit"]["amount"].as_str().unwrap().parse().unwrap();
    assert!(is_near(rest, due.parse().unwrap()), "{rest} of {due}");
    assert!(is_near(free(), whole(1_500)));
    service.check_books();
}

#[test]
fn a_free_plan_follows_by_time_and_gives_its_credits_once_with_a_job_or_without() {
    let service = Service::start();
    let soylent = seed::SOYLENT;
    let carry_out = || {
        let now = service.app.now();
        let due = service.app.store.carry_out_due(service.app.policy(), now);
        service.runtime.block_on(due).unwrap();
    };
    let session = service.session(soylent);
    let plan = || {
        let account = service.ask(&session, "GET", "/account", None, None);
        account.json()["plan"].clone()
    };
    assert_eq!(plan(), seed::FREE, "before any job");
    assert_eq!(service.balance(soylent)["granted"], whole(0));
    assert_eq!(service.write(soylent, "a", 60).status, 201);
    assert_eq!(service.balance(soylent)["granted"], whole(20));

    carry_out();
    let stored = service.contents();
    carry_out();
    assert_eq!(service.contents(), stored, "once");
    assert_eq!(plan(), seed::FREE);
    let stored: Vec<(i64,)> = service.sql("SELECT plan_id FROM accounts WHERE id = 10");
    assert_eq!(stored, [(seed::FREE,)], "the job has written it");
    assert_eq!(service.balance(soylent)["granted"], whole(20));
    assert_eq!(service.write(soylent, "b", 60).status, 201);
    assert_eq!(service.balance(soylent)["granted"], whole(20));

    // A paying tenant changes to it with the end of what it paid.
    let acme = service.session(seed::ACME);
    let ask = |wish| service.ask(&acme, "POST", "/billing/subscription", None, Some(wish));
    let next = json!({ "next_plan": seed::FREE });
    assert_eq!(ask(next.clone()).status, 200);
    assert_eq!(ask(next).code(), "transition_refused");
    assert_eq!(service.balance(seed::ACME)["free"], whole(1000));
    assert_eq!(ask(json!("cancel_now")).status, 200);
    let facts: Vec<(String,)> = service.sql("SELECT record FROM paid_time WHERE account_id = 2");
    assert!(facts[0].0.contains("stop/"), "{facts:?}");
    service.check_books();
}

#[test]
fn a_trial_is_given_once() {
    let service = Service::start();
    let application = |email: &str, trial: bool| {
        let body = json!({ "email": email, "plan": seed::PRO, "payment_method": "bank_transfer", "trial": trial });
        service.ask("", "POST", "/register", Some(email), Some(body))
    };
    let registered = application("a@example.com", true);
    assert_eq!(registered.status, 201, "{registered:?}");
    let owner = |answer: &Answer| answer.json()["account"].as_i64().unwrap();
    let first = owner(&registered);
    assert!(service.articles(first).is_empty(), "and admitted");
    assert_eq!(service.balance(first)["free"], whole(150));

    let ask = |account, path: &str, body: Value| {
        service.ask(&service.session(account), "POST", path, None, Some(body))
    };
    let trial = |account| ask(account, "/billing/trial", json!(null));
    assert_eq!(trial(first).code(), "trial_used");
    let ended = ask(first, "/billing/subscription", json!("cancel_now"));
    assert_eq!(ended.status, 200);
    let choice = json!({ "plan": seed::PRO, "payment_method": "bank_transfer" });
    assert_eq!(ask(first, "/billing/subscribe", choice).status, 201);
    assert_eq!(trial(first).code(), "trial_used");

    let second = owner(&application("b@example.com", false));
    assert_eq!(trial(second).status, 200);
    assert_eq!(service.balance(second)["free"], whole(150));
    assert_eq!(trial(second).code(), "trial_used");
    service.check_books();
}

#[test]
fn a_provider_is_coming_soon_and_its_events_change_nothing() {
    let service = Service::start();
    let before = service.contents();
    for path in ["/webhooks/stripe", "/webhooks/paypal"] {
        let refused = service.ask("", "POST", path, None, Some(json!({ "id": "evt_1" })));
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (422, "payment_method_coming_soon")
        );
    }
    let methods = service
        .ask(&service.session(seed::HOOLI), "GET", "/billing", None, None)
        .json()["methods"]
        .clone();
    let state = |which: usize| {
        (
            methods[which]["method"].clone(),
            methods[which]["state"].clone(),
        )
    };
    assert_eq!(state(0), (json!("stripe"), json!("coming_soon")));
    assert_eq!(state(2), (json!("bank_transfer"), json!("enabled")));
    assert_eq!(service.contents(), before);
}

#[test]
fn an_enabled_provider_opens_and_ends_service_whatever_the_order_of_its_events() {
    let runtime = Runtime::new().unwrap();
    let app = runtime.block_on(async {
        let settings = PolicySettings {
            payment_methods: [PaymentMethod::Stripe, PaymentMethod::BankTransfer].into(),
            ..PolicySettings::default()
        };
        let webhooks = Webhooks {
            stripe: vec![SigningSecret::new("whsec_test")],
            paypal: None,
        };
        let app = App::under(Store::open(None).await.unwrap(), settings, webhooks).unwrap();
        seed::plant(&app).await.unwrap();
        app
    });
    let service = Service::serve(app, runtime);
    let application =
        json!({ "email": "card@example.com", "plan": seed::PRO, "payment_method": "stripe" });
    let registered = service.ask("", "POST", "/register", Some("card"), Some(application));
    assert_eq!(registered.status, 201, "{registered:?}");
    let account = registered.json()["account"].as_i64().unwrap();
    let session = service.session(account);
    assert_eq!(
        service.ask(&session, "GET", "/articles", None, None).code(),
        "payment_pending"
    );

    let now = service.app.now().timestamp();
    let month = 30 * 86_400;
    let subscription = |created: i64, status: &str| {
        json!({ "id": format!("evt_{created}"), "type": "customer.subscription.updated", "created": created, "data": {
            "object": { "id": "sub_1", "status": status, "billing_cycle_anchor": now, "metadata": { "subscription": account.to_string() },
                "items": { "data": [{ "current_period_start": now, "current_period_end": now + month, "price": { "id": "price_1" } }] } } } })
    };
    let paid = json!({ "id": "evt_paid", "type": "invoice.paid", "created": now, "data": { "object": {
        "id": "in_1", "status": "paid", "created": now, "currency": "eur", "subtotal": 4900, "amount_paid": 4900, "parent": { "subscription_details": {
            "subscription": "sub_1", "metadata": { "subscription": account.to_string() } } },
        "lines": { "data": [{ "id": "il_1", "amount": 4900, "period": { "start": now, "end": now + month }, "parent": { "subscription_item_details": { "proration": false } },
            "pricing": { "price_details": { "price": "price_1" } } }] } } } });
    let send = |event: &Value, secret: &str| {
        let body = event.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{now}.{body}").as_bytes());
        let hex: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        service.send(
            "POST",
            "/webhooks/stripe",
            &[("stripe-signature", &format!("t={now},v1={hex}"))],
            body.as_bytes(),
        )
    };
    let before = service.contents();
    assert_eq!(
        send(&subscription(now, "active"), "whsec_guess").code(),
        "signature_invalid"
    );
    assert_eq!(
        service
            .ask("", "POST", "/webhooks/paypal", None, Some(json!({})))
            .code(),
        "payment_method_coming_soon"
    );
    assert_eq!(service.contents(), before);

    // The payment comes first, then what is newer, then what is older, each twice.
    for (event, status) in [
        (paid.clone(), 200),
        (paid.clone(), 204),
        (subscription(now + 1, "active"), 200),
        (subscription(now + 1, "active"), 204),
        (subscription(now, "incomplete"), 204),
        (
            json!({ "id": "evt_x", "type": "customer.created", "created": now, "data": { "object": {} } }),
            204,
        ),
    ] {
        let answer = send(&event, "whsec_test");
        assert_eq!(answer.status, status, "{answer:?} {event}");
    }
    assert_eq!(
        service.ask(&session, "GET", "/articles", None, None).status,
        200
    );
    assert_eq!(service.balance(account)["free"], whole(500));
    let explained = service.ask(&session, "GET", "/billing", None, None).json()["credits"].clone();
    let sentences = explained.as_array().unwrap();
    assert!(
        matches!(sentences.as_slice(), [one] if one.as_str().unwrap().starts_with("500 credits: 500 from ")),
        "{explained}"
    );

    // What is authentic and not ours is not to be sent again, and changes nothing.
    let stored = service.contents();
    let mut foreign = subscription(now + 5, "active");
    foreign["data"]["object"]["id"] = "sub_foreign".into();
    foreign["data"]["object"]["metadata"] = json!({});
    let mut other_price = subscription(now + 5, "active");
    other_price["data"]["object"]["items"]["data"][0]["price"]["id"] = "price_404".into();
    let mut other_facts = paid.clone();
    other_facts["data"]["object"]["amount_paid"] = 4800.into();
    let refund = |invoice: Option<&str>, created: i64, amount: i64| {
        let charge = json!({ "id": "ch_1", "invoice": invoice, "payment_intent": "pi_1", "currency": "eur",
                             "amount_refunded": amount });
        json!({ "id": "evt_r", "type": "charge.refunded", "created": created, "data": { "object": charge } })
    };
    for (event, status) in [
        (foreign, 204),
        (other_price, 204),
        (other_facts, 204),
        (refund(Some("in_1"), now, 100), 204),
        (refund(Some("in_404"), now - 2 * 86_400, 4900), 204),
        // Its invoice is to be asked for at the provider.
        (refund(None, now, 4900), 202),
        // Its payment may be on its way.
        (refund(Some("in_404"), now, 4900), 404),
    ] {
        let answer = send(&event, "whsec_test");
        assert_eq!(answer.status, status, "{answer:?} {event}");
    }
    assert_eq!(service.contents(), stored);

    // A refund in full takes the month's credits with it.
    for status in [200, 204] {
        let event = refund(Some("in_1"), now, 4900);
        assert_eq!(send(&event, "whsec_test").status, status);
    }
    assert_eq!(service.balance(account)["free"], whole(0));
    assert_eq!(
        send(&subscription(now + 2, "canceled"), "whsec_test").status,
        200
    );
    assert_eq!(
        service.ask(&session, "GET", "/articles", None, None).code(),
        "subscription_canceled"
    );
    let strange =
        json!({ "id": "evt_y", "type": "invoice.paid", "created": now, "data": { "object": {} } });
    assert_eq!(
        send(&strange, "whsec_test").code(),
        "provider_event_invalid"
    );
    service.check_books();
}

#[test]
fn a_credential_that_fails_is_never_nobody() {
    let service = Service::start();
    let acme = service.session(seed::ACME);
    let expired = service
        .app
        .auth
        .issue(&seed::user(seed::ACME), service.app.now(), -HOUR)
        .unwrap();
    let (head, _) = acme.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(43));
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", acme.split('.').nth(1).unwrap());
    let ghost = service.session(4242);
    let long = "x".repeat(5_000);
    let wrong_secret = format!("bw_{}_guess", seed::ACME);
    for bearer in [
        expired.as_str(),
        &forged,
        &unsigned,
        &ghost,
        "garbage",
        "bw_",
        "bw_2",
        "bw_2_",
        &wrong_secret,
        "bw_4242_x",
        "bw_x y_z",
        &long,
    ] {
        for (method, path) in [
            ("GET", "/articles"),
            ("GET", "/account"),
            ("DELETE", "/articles/1"),
        ] {
            let refused = service.ask(bearer, method, path, None, None);
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (401, "credential_rejected"),
                "{bearer}"
            );
            assert_eq!(
                refused.header("www-authenticate"),
                r#"Bearer error="invalid_token""#
            );
        }
    }
    for headers in [
        vec![("authorization", "Basic YTpi")],
        vec![("authorization", "Bearer")],
        vec![("authorization", "")],
        vec![("authorization", "Bearer a"), ("authorization", "Bearer b")],
    ] {
        assert_eq!(
            service.send("GET", "/articles", &headers, b"").code(),
            "credential_rejected",
            "{headers:?}"
        );
    }
    let nothing = service.send("GET", "/articles", &[], b"");
    assert_eq!(
        (nothing.status, nothing.code().as_str()),
        (401, "credential_missing")
    );
    assert_eq!(nothing.header("www-authenticate"), "Bearer");
}

#[test]
fn whatever_is_sent_the_answer_is_a_problem_and_nothing_is_written() {
    let service = Service::start();
    let session = format!("Bearer {}", service.session(seed::ACME));
    let before = service.contents();
    let huge = format!(
        r#"{{"site":21,"title":"{}","words":10}}"#,
        "x".repeat(100_000)
    );
    let long_title = format!(r#"{{"site":21,"title":"{}","words":10}}"#, "x".repeat(201));
    let json = "application/json";
    for (method, path, kind, body, status, code) in [
        ("POST", "/articles", json, "", 400, "input_invalid"),
        ("POST", "/articles", json, "{", 400, "input_invalid"),
        ("POST", "/articles", json, "[]", 400, "input_invalid"),
        ("POST", "/articles", json, "null", 400, "input_invalid"),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":21,"title":"x","words":10,"role":"admin"}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":21,"title":"x"}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":21,"title":"x","words":-1}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":21,"title":"x","words":1e99}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":21,"title":"x","words":0}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":21,"title":"x","words":18446744073709551615}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":21,"title":"","words":10}"#,
            400,
            "input_invalid",
        ),
        ("POST", "/articles", json, &long_title, 400, "input_invalid"),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":{},"title":"x","words":10}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":2.5,"title":"x","words":10}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":"a b","title":"x","words":10}"#,
            400,
            "input_invalid",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":"twenty-one","title":"x","words":10}"#,
            403,
            "site_not_in_account",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":"021","title":"x","words":10}"#,
            403,
            "site_not_in_account",
        ),
        (
            "POST",
            "/articles",
            json,
            r#"{"site":31,"title":"x","words":10}"#,
            403,
            "site_not_in_account",
        ),
        ("POST", "/articles", json, &huge, 413, "payload_too_large"),
        (
            "POST",
            "/articles",
            "text/plain",
            r#"{"site":21,"title":"x","words":10}"#,
            415,
            "media_type_unsupported",
        ),
        (
            "POST",
            "/articles",
            "",
            r#"{"site":21,"title":"x","words":10}"#,
            415,
            "media_type_unsupported",
        ),
        ("GET", "/articles?site=", json, "", 400, "input_invalid"),
        (
            "GET",
            "/articles?site=a%20b",
            json,
            "",
            400,
            "input_invalid",
        ),
        (
            "GET",
            "/articles?site=21&admin=true",
            json,
            "",
            400,
            "input_invalid",
        ),
        (
            "GET",
            "/articles?site=21%27%20OR%201=1",
            json,
            "",
            400,
            "input_invalid",
        ),
        (
            "PATCH",
            "/articles/x",
            json,
            r#"{"title":"x"}"#,
            400,
            "id_invalid",
        ),
        (
            "PATCH",
            "/articles/99999999999999999999",
            json,
            r#"{"title":"x"}"#,
            400,
            "id_invalid",
        ),
        (
            "PATCH",
            "/articles/-1",
            json,
            r#"{"title":"x"}"#,
            404,
            "not_found",
        ),
        ("PATCH", "/articles/1", json, "{}", 400, "nothing_to_set"),
        (
            "PATCH",
            "/articles/1",
            json,
            r#"{"account_id":3}"#,
            400,
            "input_invalid",
        ),
        ("DELETE", "/articles/1%27--", json, "", 400, "id_invalid"),
        ("PUT", "/articles", json, "", 405, "method_not_allowed"),
        ("GET", "/nowhere", json, "", 404, "not_found"),
    ] {
        let mut headers = vec![
            ("authorization", session.as_str()),
            ("idempotency-key", "bad"),
        ];
        if !kind.is_empty() {
            headers.push(("content-type", kind));
        }
        let refused = service.send(method, path, &headers, body.as_bytes());
        let shown = &body[..body.len().min(80)];
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{method} {path} {shown}: {refused:?}"
        );
    }
    let draft = br#"{"site":21,"title":"x","words":10}"#;
    let long = "k".repeat(256);
    for keys in [
        vec![],
        vec![""],
        vec!["a b"],
        vec![long.as_str()],
        vec!["a", "b"],
    ] {
        let mut headers = vec![("authorization", session.as_str()), ("content-type", json)];
        headers.extend(keys.iter().map(|key| ("idempotency-key", *key)));
        let refused = service.send("POST", "/articles", &headers, draft);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "idempotency_key_invalid"),
            "{keys:?}"
        );
    }
    assert_eq!(service.contents(), before);
    assert_eq!(service.app.writer.calls(), 0);
}

#[test]
fn the_metrics_count_admissions_and_denials_by_code_and_name_nobody() {
    let service = Service::start();
    let metrics = || {
        let answer = service.send("GET", "/metrics", &[], b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            answer
                .header("content-type")
                .starts_with("application/openmetrics-text"),
            "{answer:?}"
        );
        answer.text
    };
    let count = |route: &str, code: &str| {
        let line = format!("gate_decisions_total{{route=\"{route}\",code=\"{code}\"}} ");
        metrics()
            .lines()
            .find_map(|text| text.strip_prefix(&line)?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    assert_eq!(
        (
            count("tenant_read", "admitted"),
            count("tenant_read", "account_suspended")
        ),
        (0, 0)
    );

    assert_eq!(
        service
            .ask(&service.session(seed::ACME), "GET", "/articles", None, None)
            .status,
        200
    );
    for bearer in [service.session(seed::INITECH), seed::api_key(seed::INITECH)] {
        assert_eq!(
            service.ask(&bearer, "GET", "/articles", None, None).status,
            403
        );
    }
    assert_eq!(
        service
            .ask("nonsense", "DELETE", "/articles/1", None, None)
            .status,
        401
    );
    // Refused by the throttle's or the wallet's word, not by the gate's: that is an admission
    // still.
    assert_eq!(service.write(seed::UMBRELLA, "poor", 60).status, 402);
    for (route, code, times) in [
        ("tenant_read", "admitted", 1),
        ("tenant_read", "account_suspended", 2),
        ("tenant_write", "credential_rejected", 1),
        ("tenant_write", "admitted", 1),
        ("billing", "admitted", 0),
    ] {
        assert_eq!(count(route, code), times, "{route} {code}: {}", metrics());
    }
    let series = metrics()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .count();
    assert_eq!(series, 4, "one for each route and code, none for a tenant");
}

#[test]
fn a_file_keeps_what_was_written() {
    let file = std::env::temp_dir().join(format!("bailiwick-saas-{}.db", std::process::id()));
    for round in 0..2 {
        let runtime = Runtime::new().unwrap();
        let app = runtime.block_on(async {
            let app = App::new(Store::open(Some(&file)).await.unwrap()).unwrap();
            seed::plant(&app).await.unwrap();
            app
        });
        let service = Service::serve(app, runtime);
        assert_eq!(service.articles(seed::ACME).len(), round);
        assert_eq!(
            service
                .write(seed::ACME, &format!("round-{round}"), 60)
                .status,
            201
        );
        service.check_books();
    }
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(format!("{}{suffix}", file.display())).ok();
    }
}
