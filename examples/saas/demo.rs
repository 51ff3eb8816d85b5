//! The demo: plays the story of the service against itself over HTTP, prints each request and its
//! answer, and ends well only if every answer is as promised.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, ensure};
use bailiwick::Credits;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::PolicySettings;
use bailiwick::provider::stripe::SigningSecret;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use ureq::http;

use crate::HOUR;
use crate::service::{App, Store, Webhooks, seed};

/// Plays the story, then its end with Stripe enabled.
pub async fn play() -> anyhow::Result<()> {
    let app = App::new(Store::open(None).await?)?;
    seed::plant(&app).await?;
    let kept =
        serve(app, Story::tell).await? + serve(with_stripe().await?, Story::tell_of_stripe).await?;
    println!("\nAll {kept} promises were kept.");
    Ok(())
}

/// Starts a service on a free port and tells a story of it; how many promises were kept.
async fn serve(app: App, tell: fn(&Story) -> anyhow::Result<()>) -> anyhow::Result<usize> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn({
        let app = app.clone();
        async move {
            app.serve(listener, async { stopped.await.unwrap_or(()) })
                .await
        }
    });
    println!("The service listens on {address}. Each request below is sent to it over HTTP.");
    let told = tokio::task::spawn_blocking(move || {
        let story = Story::new(app, address);
        tell(&story).map(|()| story.promises.load(Ordering::Relaxed))
    });
    let told = told.await?;
    stop.send(()).ok();
    server.await??;
    told
}

/// The secret with which the demo plays Stripe's part.
const STRIPE_SECRET: &str = "whsec_demo";

/// The same service with Stripe enabled: a setting of the policy and a secret.
async fn with_stripe() -> anyhow::Result<App> {
    let mut settings: PolicySettings = serde_json::from_str(include_str!("policy.json"))?;
    settings.payment_methods.insert(PaymentMethod::Stripe);
    let webhooks = Webhooks {
        stripe: vec![SigningSecret::new(STRIPE_SECRET)],
        paypal: None,
    };
    let app = App::under(Store::open(None).await?, settings, webhooks)?;
    seed::plant(&app).await?;
    Ok(app)
}

/// An answer, as a client sees it.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

struct Story {
    app: App,
    address: String,
    agent: ureq::Agent,
    promises: AtomicUsize,
}

/// A request, told as it is sent.
struct Ask<'a> {
    story: &'a Story,
    who: &'a str,
    request: http::request::Builder,
    line: String,
    body: Option<Value>,
}

impl Ask<'_> {
    fn bearer(mut self, token: &str) -> Self {
        self.request = self
            .request
            .header("authorization", format!("Bearer {token}"));
        self
    }

    fn key(mut self, key: &str) -> Self {
        self.request = self.request.header("idempotency-key", key);
        self.line += &format!("  (Idempotency-Key: {key})");
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// An event as Stripe sends it, signed with a secret.
    fn signed(mut self, event: &Value, secret: &str, now: i64) -> anyhow::Result<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
        mac.update(format!("{now}.{event}").as_bytes());
        let digest: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.request = self
            .request
            .header("stripe-signature", format!("t={now},v1={digest}"));
        self.line += &format!("  (signed with {secret})");
        Ok(self.body(event.clone()))
    }

    /// Sends it and prints both sides; the answer must have this status.
    fn gets(self, status: u16) -> anyhow::Result<Answer> {
        let story = self.story;
        let answer = self.send()?;
        story.promise(answer.status == status, &format!("the status is {status}"))?;
        Ok(answer)
    }

    /// Sends it and prints both sides.
    fn send(self) -> anyhow::Result<Answer> {
        let Self {
            story,
            who,
            request,
            line,
            body,
        } = self;
        println!("  {who}: {line}");
        if let Some(body) = &body {
            println!("      {body}");
        }
        let text = body.map(|body| body.to_string());
        let request = match &text {
            Some(_) => request.header("content-type", "application/json"),
            None => request,
        };
        let mut response = story.agent.run(request.body(text.unwrap_or_default())?)?;
        let text = response.body_mut().read_to_string()?;
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text,
        };
        println!("    {} {}", answer.status, summary(&answer));
        Ok(answer)
    }
}

/// What of an answer is worth a line.
fn summary(answer: &Answer) -> String {
    let mut line = String::new();
    for name in ["retry-after", "ratelimit", "www-authenticate"] {
        let value = answer.header(name);
        if !value.is_empty() {
            line += &format!("[{name}: {value}] ");
        }
    }
    let json = answer.json();
    match (json.get("code"), json.get("detail"), json.get("remedy")) {
        (Some(Value::String(code)), Some(Value::String(detail)), Some(Value::String(remedy))) => {
            line += &format!("{code}: {detail} {remedy}");
        }
        _ => line += &answer.text,
    }
    match line.char_indices().nth(240) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

impl Story {
    fn new(app: App, address: String) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        Self {
            app,
            address,
            agent,
            promises: AtomicUsize::new(0),
        }
    }

    fn chapter(&self, title: &str) {
        println!("\n{title}");
    }

    fn promise(&self, kept: bool, what: &str) -> anyhow::Result<()> {
        ensure!(kept, "not as promised: {what}");
        self.promises.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn says(&self, kept: bool, what: &str) -> anyhow::Result<()> {
        println!(
            "    {} {what}",
            if kept {
                "as promised:"
            } else {
                "NOT as promised:"
            }
        );
        self.promise(kept, what)
    }

    fn ask<'a>(&'a self, who: &'a str, method: &str, path: &str) -> Ask<'a> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address));
        Ask {
            story: self,
            who,
            request,
            line: format!("{method} {path}"),
            body: None,
        }
    }

    /// A session, as the identity provider issues it.
    fn session(&self, account: i64, life: TimeDelta) -> anyhow::Result<String> {
        self.app
            .auth
            .issue(&seed::user(account), self.app.now(), life)
    }

    fn free_credits(&self, session: &str) -> anyhow::Result<String> {
        let answer = self
            .ask("  its balance", "GET", "/account")
            .bearer(session)
            .gets(200)?;
        Ok(answer.json()["balance"]["free"]
            .as_str()
            .context("a balance")?
            .to_owned())
    }

    fn tell(&self) -> anyhow::Result<()> {
        let acme = self.session(seed::ACME, HOUR)?;
        let globex = self.session(seed::GLOBEX, HOUR)?;
        let draft = |account: i64, title: &str| json!({ "site": seed::site(account), "title": title, "words": 60 });

        self.chapter(
            "1. A session and an API key are admitted alike; the key sees its site and no more.",
        );
        self.ask("acme's session", "GET", "/articles")
            .bearer(&acme)
            .gets(200)?;
        let by_site = format!("/articles?site={}", seed::site(seed::ACME));
        let key = seed::api_key(seed::ACME);
        self.ask("acme's API key", "GET", &by_site)
            .bearer(&key)
            .gets(200)?;
        self.ask("acme's API key", "GET", "/articles")
            .bearer(&key)
            .gets(403)?;

        self.chapter("2. A suspended tenant is refused, whatever the kind of credential.");
        let initech = self.session(seed::INITECH, HOUR)?;
        let by_session = self
            .ask("initech's session", "GET", "/articles")
            .bearer(&initech)
            .gets(403)?;
        let path = format!("/articles?site={}", seed::site(seed::INITECH));
        let by_key = self
            .ask("initech's API key", "GET", &path)
            .bearer(&seed::api_key(seed::INITECH))
            .gets(403)?;
        self.says(
            by_session.text == by_key.text,
            "both answers are the same, byte for byte",
        )?;

        self.chapter("3. A tenant who owes is refused, and yet can see what is owed.");
        let hooli = self.session(seed::HOOLI, HOUR)?;
        self.ask("hooli", "GET", "/articles")
            .bearer(&hooli)
            .gets(402)?;
        self.ask("hooli", "GET", "/account")
            .bearer(&hooli)
            .gets(200)?;

        self.chapter(
            "4. A credential that fails is refused; it never becomes \"nobody in particular\".",
        );
        self.ask("a broken token", "GET", "/articles")
            .bearer("eyJhbGciOiJIUzI1NiJ9.broken.token")
            .gets(401)?;
        let old = self.session(seed::ACME, -HOUR)?;
        self.ask("an expired session", "GET", "/articles")
            .bearer(&old)
            .gets(401)?;
        self.ask("no credential at all", "GET", "/articles")
            .gets(401)?;

        self.chapter("5. An article is written by an \"AI\" call, charged by its words, once for each request.");
        let before = self.free_credits(&acme)?;
        let calls = self.app.writer.calls();
        let post = || {
            self.ask("acme", "POST", "/articles")
                .bearer(&acme)
                .key("first")
                .body(draft(seed::ACME, "On bailiffs"))
        };
        let first = post().gets(201)?;
        let again = post().gets(201)?;
        self.says(
            first.text == again.text,
            "the same request again: the same answer, byte for byte",
        )?;
        self.says(
            self.app.writer.calls() == calls + 1,
            "the writer was called once",
        )?;
        let articles = self
            .ask("acme", "GET", "/articles")
            .bearer(&acme)
            .gets(200)?
            .json();
        self.says(
            articles.as_array().is_some_and(|all| all.len() == 1),
            "there is one article",
        )?;
        let after = self.free_credits(&acme)?;
        let charged = first.json()["receipt"]["charged"]
            .as_str()
            .context("a receipt")?
            .to_owned();
        let [paid, kept, had] = [&charged, &after, &before].map(|amount| amount.parse::<Credits>());
        let sum = paid?.checked_add(kept?);
        self.says(
            sum == Some(had?),
            &format!("charged once: {before} - {charged} = {after}"),
        )?;
        let other = json!({ "site": seed::site(seed::ACME), "title": "On bailiffs", "words": 61 });
        self.ask("acme", "POST", "/articles")
            .bearer(&acme)
            .key("first")
            .body(other)
            .gets(422)?;

        self.chapter("6. Another tenant's article is as absent as one that never was.");
        let article = first.json()["article"]["id"].to_string();
        let title = || json!({ "title": "Mine now" });
        let foreign = format!("/articles/{article}");
        let foreign = self
            .ask("globex", "PATCH", &foreign)
            .bearer(&globex)
            .body(title())
            .gets(404)?;
        let absent = self
            .ask("globex", "PATCH", "/articles/999999")
            .bearer(&globex)
            .body(title())
            .gets(404)?;
        self.says(
            foreign.text == absent.text,
            "both answers are the same, byte for byte",
        )?;
        let delete = format!("/articles/{article}");
        self.ask("globex", "DELETE", &delete)
            .bearer(&globex)
            .gets(404)?;
        self.ask("globex", "POST", "/articles")
            .bearer(&globex)
            .key("trespass")
            .body(draft(seed::ACME, "Trespass"))
            .gets(403)?;
        self.ask("acme", "PATCH", &delete)
            .bearer(&acme)
            .body(title())
            .gets(204)?;

        self.chapter("7. A call that cannot be paid is refused before it is made.");
        let umbrella = self.session(seed::UMBRELLA, HOUR)?;
        let calls = self.app.writer.calls();
        let poor = draft(seed::UMBRELLA, "On credit");
        self.ask("umbrella", "POST", "/articles")
            .bearer(&umbrella)
            .key("poor")
            .body(poor)
            .gets(402)?;
        self.says(
            self.app.writer.calls() == calls,
            "the writer was not called",
        )?;

        self.chapter("8. A tenant in a hurry is slowed down; its neighbour is not.");
        let mut throttled = None;
        for number in 0..10 {
            let hurry = draft(seed::ACME, "In a hurry");
            let key = format!("hurry-{number}");
            let answer = self
                .ask("acme", "POST", "/articles")
                .bearer(&acme)
                .key(&key)
                .body(hurry)
                .send()?;
            if answer.status == 429 {
                throttled = Some(answer);
                break;
            }
        }
        let throttled = throttled.context("ten calls in a row were let through")?;
        let wait: u64 = throttled.header("retry-after").parse()?;
        self.says(
            (1..=10).contains(&wait),
            &format!("acme is told to wait {wait} s"),
        )?;
        self.ask("globex", "POST", "/articles")
            .bearer(&globex)
            .key("calm")
            .body(draft(seed::GLOBEX, "No hurry"))
            .gets(201)?;

        self.chapter("9. A bank transfer opens an account: confirmed twice, credited once.");
        let wayne = self.session(seed::WAYNE, HOUR)?;
        let staff = self.session(seed::STAFF, HOUR)?;
        self.ask("wayne", "GET", "/articles")
            .bearer(&wayne)
            .gets(402)?;
        let transfer = json!({ "account": seed::WAYNE, "transfer": {
            "receiving_account": "DE02120300000000202051", "transaction": "tx-1",
            "amount": { "amount": "49", "currency": "EUR" }, "payer": "Wayne Ltd",
            "proof": "https://bank.example/statements/1" } });
        let path = "/billing/confirm-bank-transfer";
        self.ask("wayne", "POST", path)
            .bearer(&wayne)
            .body(transfer.clone())
            .gets(403)?;
        let first = self
            .ask("the operator", "POST", path)
            .bearer(&staff)
            .body(transfer.clone())
            .gets(200)?;
        let again = self
            .ask("the operator", "POST", path)
            .bearer(&staff)
            .body(transfer)
            .gets(200)?;
        self.says(first.text == again.text, "the same answer, byte for byte")?;
        self.ask("wayne", "GET", "/articles")
            .bearer(&wayne)
            .gets(200)?;
        self.says(self.free_credits(&wayne)? == "500", "500 credits, not 1000")?;

        self.chapter("10. A registration repeated with its key makes one account.");
        let newcomer = |plan: i64, method: &str| json!({ "email": "someone@example.com", "plan": plan, "payment_method": method });
        let register = |key| self.ask("someone", "POST", "/register").key(key);
        let first = register("newcomer")
            .body(newcomer(seed::FREE, "bank_transfer"))
            .gets(201)?;
        let again = register("newcomer")
            .body(newcomer(seed::FREE, "bank_transfer"))
            .gets(201)?;
        self.says(first.text == again.text, "the same account, byte for byte")?;
        register("another")
            .body(newcomer(seed::FREE, "bank_transfer"))
            .gets(409)?;
        let by_card =
            json!({ "email": "else@example.com", "plan": seed::PRO, "payment_method": "stripe" });
        register("by-card").body(by_card).gets(422)?;
        let account = first.json()["account"].as_i64().context("an account")?;
        let session = self.session(account, HOUR)?;
        self.says(
            self.free_credits(&session)? == "50",
            "it began with 50 credits",
        )?;

        self.chapter(
            "11. A tenant who owes claims a transfer; it comes in two parts, and the second opens the service.",
        );
        let claim = json!({ "reference": "inv-7", "amount": { "amount": "49", "currency": "EUR" },
            "payer": "Hooli Ltd", "proof": "https://hooli.example/receipts/7" });
        self.ask("hooli", "POST", "/billing/claims")
            .bearer(&hooli)
            .body(claim.clone())
            .gets(201)?;
        self.ask("hooli", "POST", "/billing/claims")
            .bearer(&hooli)
            .body(claim)
            .gets(201)?;
        let part = |transaction: &str, amount: &str, claim: Option<&str>| {
            json!({ "account": seed::HOOLI, "claim": claim, "transfer": {
                "receiving_account": "DE02120300000000202051", "transaction": transaction,
                "amount": { "amount": amount, "currency": "EUR" }, "payer": "Hooli Ltd",
                "proof": "https://bank.example/statements/2" } })
        };
        let confirm = "/billing/confirm-bank-transfer";
        self.ask("the operator", "POST", confirm)
            .bearer(&staff)
            .body(part("tx-2", "20", None))
            .gets(200)?;
        let billing = self
            .ask("hooli", "GET", "/billing")
            .bearer(&hooli)
            .gets(200)?
            .json();
        self.says(
            billing["deposit"]["amount"] == "20",
            "20 EUR are kept, and count",
        )?;
        self.ask("hooli", "GET", "/articles")
            .bearer(&hooli)
            .gets(402)?;
        self.ask("the operator", "POST", confirm)
            .bearer(&staff)
            .body(part("tx-3", "29", Some("inv-7")))
            .gets(200)?;
        self.ask("hooli", "GET", "/articles")
            .bearer(&hooli)
            .gets(200)?;
        let billing = self
            .ask("hooli", "GET", "/billing")
            .bearer(&hooli)
            .gets(200)?
            .json();
        self.says(
            billing["claims"][0]["state"]["state"] == "confirmed",
            "the claim is answered",
        )?;

        self.chapter(
            "12. A refund says what becomes of the service; sent twice, it gives back once.",
        );
        let refund = json!({ "receiving_account": "DE02120300000000202051", "transaction": "tx-3",
            "total": { "amount": "29", "currency": "EUR" }, "then": "end_service" });
        let path = "/billing/refund-bank-transfer";
        let first = self
            .ask("the operator", "POST", path)
            .bearer(&staff)
            .body(refund.clone())
            .gets(200)?;
        let again = self
            .ask("the operator", "POST", path)
            .bearer(&staff)
            .body(refund)
            .gets(200)?;
        self.says(first.text == again.text, "the same answer, byte for byte")?;
        self.ask("hooli", "GET", "/articles")
            .bearer(&hooli)
            .gets(402)?;
        let choice = json!({ "plan": seed::PRO, "payment_method": "bank_transfer" });
        self.ask("hooli", "POST", "/billing/subscribe")
            .bearer(&hooli)
            .body(choice)
            .gets(201)?;

        self.chapter("13. Stripe and PayPal are coming soon: their events are refused, and nothing of them is read.");
        self.ask("stripe", "POST", "/webhooks/stripe")
            .body(json!({ "type": "invoice.paid" }))
            .gets(422)?;
        self.ask("paypal", "POST", "/webhooks/paypal")
            .body(json!({ "event_type": "PAYMENT.SALE.COMPLETED" }))
            .gets(422)?;
        Ok(())
    }

    fn tell_of_stripe(&self) -> anyhow::Result<()> {
        self.chapter("14. With Stripe enabled, its events open the service in whatever order they come, and once.");
        let by_card =
            json!({ "email": "card@example.com", "plan": seed::PRO, "payment_method": "stripe" });
        let registered = self
            .ask("someone", "POST", "/register")
            .key("by-card")
            .body(by_card)
            .gets(201)?;
        let account = registered.json()["account"]
            .as_i64()
            .context("an account")?;
        let session = self.session(account, HOUR)?;
        self.ask("the new tenant", "GET", "/articles")
            .bearer(&session)
            .gets(402)?;
        let now = self.app.now().timestamp();
        let month = now + 30 * 24 * 3600;
        let metadata = json!({ "subscription": account.to_string() });
        let subscription = |created: i64, status: &str| {
            json!({ "id": format!("evt_{status}"), "type": "customer.subscription.updated", "created": created, "data": {
                "object": { "id": "sub_1", "status": status, "billing_cycle_anchor": now, "metadata": metadata,
                    "items": { "data": [{ "current_period_start": now, "current_period_end": month,
                        "price": { "id": "price_1" } }] } } } })
        };
        let paid = json!({ "id": "evt_paid", "type": "invoice.paid", "created": now, "data": { "object": {
            "id": "in_1", "status": "paid", "currency": "eur", "amount_paid": 4900,
            "parent": { "subscription_details": { "subscription": "sub_1", "metadata": metadata } },
            "lines": { "data": [{ "amount": 4900, "period": { "start": now, "end": month },
                "parent": { "subscription_item_details": { "proration": false } },
                "pricing": { "price_details": { "price": "price_1" } } }] } } } });
        let stripe = |event: &Value, secret: &str| {
            self.ask("stripe", "POST", "/webhooks/stripe")
                .signed(event, secret, now)
        };
        stripe(&subscription(now, "active"), "whsec_guess")?.gets(401)?;
        stripe(&paid, STRIPE_SECRET)?.gets(200)?;
        stripe(&paid, STRIPE_SECRET)?.gets(204)?;
        stripe(&subscription(now + 1, "active"), STRIPE_SECRET)?.gets(200)?;
        stripe(&subscription(now, "incomplete"), STRIPE_SECRET)?.gets(204)?;
        self.ask("the new tenant", "GET", "/articles")
            .bearer(&session)
            .gets(200)?;
        self.says(
            self.free_credits(&session)? == "550",
            "50 credits at first and 500 for the month, once",
        )?;
        stripe(&subscription(now + 2, "canceled"), STRIPE_SECRET)?.gets(200)?;
        self.ask("the new tenant", "GET", "/articles")
            .bearer(&session)
            .gets(402)?;
        Ok(())
    }
}
