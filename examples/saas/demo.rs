//! The demo: plays a story against the service over HTTP and prints each request with its answer.
//! It succeeds only if every answer is as promised.

mod billing;
mod charges;
mod client;

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Context;
use bailiwick::Credits;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::PolicySettings;
use bailiwick::provider::stripe::SigningSecret;
use client::Story;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::HOUR;
use crate::service::{App, Store, Webhooks, seed};

/// The secret with which the demo signs events, as Stripe would.
const STRIPE_SECRET: &str = "whsec_demo";

/// Plays the story, then its last chapter with Stripe enabled.
pub async fn play() -> anyhow::Result<()> {
    println!(
        "This plays bailiwick's example service against itself, over HTTP. It prints each request, \
         then the answer.\nA ✓ marks a promise that the service kept. The tenants:\n"
    );
    for tenant in seed::TENANTS {
        let site = seed::site(tenant.account);
        println!("  {} (site {site}): {}", tenant.name, tenant.about);
    }

    let app = App::new(Store::open(None).await?)?;
    let mut kept = serve(app, Story::tell).await?;
    kept += serve(with_stripe().await?, Story::tell_of_stripe).await?;
    println!("\nAll {kept} promises were kept.");
    Ok(())
}

/// Starts a service on a free port, tells a story of it, and returns how many promises were kept.
async fn serve(app: Arc<App>, tell: fn(&Story) -> anyhow::Result<()>) -> anyhow::Result<usize> {
    seed::plant(&app).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    println!("\nA service with these tenants listens on {address}.");

    let (stop, stopped) = oneshot::channel::<()>();
    let story = Story::new(app.clone(), address);
    let server = tokio::spawn(async move {
        let stopped = async { stopped.await.unwrap_or(()) };
        app.serve(listener, stopped).await
    });
    let told = tokio::task::spawn_blocking(move || tell(&story).map(|()| story.kept()));
    let told = told.await?;
    stop.send(()).ok();
    server.await??;
    told
}

/// Makes the same service with Stripe enabled, which takes a setting of the policy and a secret.
async fn with_stripe() -> anyhow::Result<Arc<App>> {
    let mut settings: PolicySettings = serde_json::from_str(include_str!("policy.json"))?;
    settings.payment_methods.insert(PaymentMethod::Stripe);
    let webhooks = Webhooks {
        stripe: vec![SigningSecret::new(STRIPE_SECRET)],
        paypal: None,
    };
    App::under(Store::open(None).await?, settings, webhooks)
}

impl Story {
    fn tell(&self) -> anyhow::Result<()> {
        self.tell_of_the_gate()?;
        self.tell_of_articles()?;
        self.tell_of_transfers()?;
        self.tell_of_plans()?;
        self.tell_of_charges()?;

        println!("\n19. Stripe and PayPal are not enabled yet: their events are refused unread.");
        let stripe = self.stranger("stripe");
        let event = json!({ "type": "invoice.paid" });
        stripe.post("/webhooks/stripe", &event).gets(422)?;
        let paypal = self.stranger("paypal");
        let event = json!({ "event_type": "PAYMENT.SALE.COMPLETED" });
        paypal.post("/webhooks/paypal", &event).gets(422)?;
        Ok(())
    }

    fn tell_of_the_gate(&self) -> anyhow::Result<()> {
        println!(
            "\n1. A session and an API key pass the same gate. The key is bound to one site and \
             reaches no other."
        );
        let acme = self.owner("acme, by session", seed::ACME)?;
        acme.get("/articles").gets(200)?;
        let acme_key = self.with_token("acme, by API key", &seed::api_key(seed::ACME));
        acme_key.get(&articles_of(seed::ACME)).gets(200)?;
        acme_key.get("/articles").gets(403)?;

        println!("\n2. A suspended tenant is refused, with either kind of credential.");
        let initech = self.owner("initech, by session", seed::INITECH)?;
        let by_session = initech.get("/articles").gets(403)?;
        let initech_key = self.with_token("initech, by API key", &seed::api_key(seed::INITECH));
        let by_key = initech_key.get(&articles_of(seed::INITECH)).gets(403)?;
        self.says(
            by_session.text == by_key.text,
            "both answers are the same, byte for byte",
        )?;

        println!("\n3. A tenant whose payment is due is refused, but can still see its account.");
        let hooli = self.owner("hooli", seed::HOOLI)?;
        hooli.get("/articles").gets(402)?;
        hooli.get("/account").gets(200)?;

        println!("\n4. A credential that fails is refused, and told apart from a missing one.");
        let broken = self.with_token("a broken token", "eyJhbGciOiJIUzI1NiJ9.broken.token");
        broken.get("/articles").gets(401)?;
        let old = self.session(seed::ACME, -HOUR)?;
        let expired = self.with_token("an expired session", &old);
        expired.get("/articles").gets(401)?;
        let nobody = self.stranger("no credential");
        nobody.get("/articles").gets(401)?;
        Ok(())
    }

    fn tell_of_articles(&self) -> anyhow::Result<()> {
        println!(
            "\n5. Writing an article calls an \"AI\", and costs credits by the word. The same \
             request sent again costs nothing more."
        );
        let acme = self.owner("acme", seed::ACME)?;
        let before = acme.free_credits()?;
        let calls = self.app.writer.calls();
        let draft = draft_of(seed::ACME, "On bailiffs");
        let first = acme.post("/articles", &draft).key("first").gets(201)?;
        let again = acme.post("/articles", &draft).key("first").gets(201)?;
        self.says(
            first.text == again.text,
            "the same request has the same answer, byte for byte",
        )?;
        self.says(
            self.app.writer.calls() == calls + 1,
            "the writer was called once",
        )?;
        let articles = acme.get("/articles").gets(200)?.json();
        self.says(
            articles.as_array().is_some_and(|all| all.len() == 1),
            "there is one article",
        )?;
        let after = acme.free_credits()?;
        let written = first.json();
        let charged = written["receipt"]["charged"]
            .as_str()
            .context("a receipt")?;
        self.says(
            charged.parse::<Credits>()?.checked_add(after) == Some(before),
            &format!("it was charged once: {before} - {charged} = {after}"),
        )?;
        let other = json!({ "site": seed::site(seed::ACME), "title": "On bailiffs", "words": 61 });
        acme.post("/articles", &other).key("first").gets(422)?;

        println!("\n6. Another tenant's article is not found, just like one that never was.");
        let globex = self.owner("globex", seed::GLOBEX)?;
        let title = json!({ "title": "Mine now" });
        let article = format!("/articles/{}", written["article"]["id"]);
        let foreign = globex.patch(&article, &title).gets(404)?;
        let absent = globex.patch("/articles/999999", &title).gets(404)?;
        self.says(
            foreign.text == absent.text,
            "both answers are the same, byte for byte",
        )?;
        globex.delete(&article).gets(404)?;
        let trespass = draft_of(seed::ACME, "Trespass");
        let trespass = globex.post("/articles", &trespass).key("trespass");
        trespass.gets(403)?;
        acme.patch(&article, &title).gets(204)?;

        println!("\n7. Without enough credits, a request is refused before the writer is called.");
        let umbrella = self.owner("umbrella", seed::UMBRELLA)?;
        let calls = self.app.writer.calls();
        let dear = draft_of(seed::UMBRELLA, "On credit");
        umbrella.post("/articles", &dear).key("dear").gets(402)?;
        self.says(
            self.app.writer.calls() == calls,
            "the writer was not called",
        )?;

        println!(
            "\n8. When the writer breaks down, nothing is charged. The same key may be used again, \
             and tries anew."
        );
        let before = globex.free_credits()?;
        let calls = self.app.writer.calls();
        let outage = draft_of(seed::GLOBEX, "outage");
        let outage = || globex.post("/articles", &outage).key("outage");
        outage().gets(503)?;
        outage().gets(503)?;
        self.says(
            self.app.writer.calls() == calls + 2,
            "the writer was called both times",
        )?;
        self.says(globex.free_credits()? == before, "nothing was charged")?;

        println!("\n9. A tenant in a hurry is slowed down. Its neighbour is not.");
        let hurry = draft_of(seed::ACME, "In a hurry");
        let mut throttled = None;
        for number in 0..10 {
            let key = format!("hurry-{number}");
            let answer = acme.post("/articles", &hurry).key(&key).send()?;
            println!("    {} {}", answer.status, answer.summary());
            if answer.status == 429 {
                throttled = Some(answer);
                break;
            }
        }
        let throttled = throttled.context("ten calls in a row were let through")?;
        let wait: u64 = throttled.header("retry-after").parse()?;
        self.says(
            (1..=10).contains(&wait),
            &format!("acme is told to wait for {wait} s"),
        )?;
        let calm = draft_of(seed::GLOBEX, "No hurry");
        globex.post("/articles", &calm).key("calm").gets(201)?;
        Ok(())
    }
}

fn articles_of(account: i64) -> String {
    format!("/articles?site={}", seed::site(account))
}

fn draft_of(account: i64, title: &str) -> Value {
    json!({ "site": seed::site(account), "title": title, "words": 60 })
}
