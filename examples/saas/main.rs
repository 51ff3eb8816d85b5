//! A multi-tenant service on bailiwick: axum for HTTP, SQLite for rows.
//!
//! ```text
//! cargo run --example saas            # serves demo tenants on port 3000, and prints curl lines to try
//! cargo run --example saas -- demo    # plays a story against itself over HTTP and checks every answer
//! cargo run --example saas -- --help
//! ```

mod demo;
mod service;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Context;
use bailiwick::http::Gatekeeper;
use chrono::TimeDelta;
use clap::{Parser, Subcommand};
use service::{App, Store, seed};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// The life of a session.
const HOUR: TimeDelta = TimeDelta::new(3600, 0).unwrap();

/// A multi-tenant service on bailiwick, with axum and SQLite. It starts with no setup.
#[derive(Parser)]
#[command(name = "saas")]
struct Arguments {
    /// The port to listen on, at 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The database file, created if it does not exist; without it, the database is in memory
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a story against the service over HTTP, and fails unless every answer is as promised
    Demo,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let demo = matches!(arguments.command, Some(Command::Demo));
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| if demo { "off" } else { "info" }.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .init();

    if demo {
        return demo::play().await;
    }

    let store = Store::open(arguments.database.as_deref())
        .await
        .context("the database cannot be opened")?;
    let app = App::new(store)?;
    seed::plant(&app).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .await
        .with_context(|| {
            format!(
                "port {} cannot be used; choose another with --port, or 0 for any",
                arguments.port
            )
        })?;
    welcome(&app, &format!("http://{}", listener.local_addr()?))?;

    let jobs = tokio::spawn({
        let app = app.clone();
        async move { app.run_jobs().await }
    });
    app.serve(listener, stop_signal()).await?;
    jobs.abort();
    println!("Stopped.");
    Ok(())
}

/// Resolves at Ctrl-C, or at the signal by which a supervisor asks to stop.
async fn stop_signal() {
    let interrupt = async { tokio::signal::ctrl_c().await.ok() };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<Option<()>>();
    tokio::select! {
        _ = interrupt => {}
        _ = terminate => {}
    }
}

/// Prints the tenants and what can be tried.
fn welcome(app: &App, address: &str) -> anyhow::Result<()> {
    println!("bailiwick's example service listens on {address}\n");
    println!("Its tenants, each with one user and one site. These tokens are good for an hour:\n");
    for tenant in seed::TENANTS {
        let user = seed::user(tenant.account);
        let token = app.auth.issue(&user, app.now(), HOUR)?;
        println!("  # {}: {}", tenant.name, tenant.about);
        println!("  {}={token}", tenant.name.to_uppercase());
    }

    println!(
        r#"
Paste the lines above into a shell, then try these in their order:

  # acme writes an article and pays by the word. Send it again: the same answer, and no second charge
  curl -i {address}/articles -H "Authorization: Bearer $ACME" -H 'Idempotency-Key: first' \
       --json '{{ "site": {site}, "title": "On bailiffs", "words": 60 }}'

  # what acme sees, by its session and by its API key, which is bound to one site
  curl -i {address}/articles -H "Authorization: Bearer $ACME"
  curl -i '{address}/articles?site={site}' -H 'Authorization: Bearer {acme_key}'

  # globex cannot edit acme's article: the same 404 as for an article that does not exist
  curl -i -X PATCH {address}/articles/1 -H "Authorization: Bearer $GLOBEX" --json '{{ "title": "Mine now" }}'

  # nor can it write into acme's site: 403 before anything is charged
  curl -i {address}/articles -H "Authorization: Bearer $GLOBEX" -H 'Idempotency-Key: second' \
       --json '{{ "site": {site}, "title": "Trespass", "words": 60 }}'

  # initech is suspended: 403 by session and by API key alike
  curl -i {address}/articles -H "Authorization: Bearer $INITECH"
  curl -i '{address}/articles?site={initech_site}' -H 'Authorization: Bearer {initech_key}'

  # hooli's payment is due: 402, but it can see its account
  curl -i {address}/articles -H "Authorization: Bearer $HOOLI"
  curl -i {address}/account -H "Authorization: Bearer $HOOLI"

  # umbrella has too few credits: 402 before the writer is called
  curl -i {address}/articles -H "Authorization: Bearer $UMBRELLA" -H 'Idempotency-Key: third' \
       --json '{{ "site": {umbrella_site}, "title": "On credit", "words": 60 }}'

  # the operator confirms wayne's bank transfer. Send it again: nothing more is credited
  curl -i {address}/billing/confirm-bank-transfer -H "Authorization: Bearer $STAFF" \
       --json '{{ "account": {wayne}, "transfer": {{ "receiving_account": "DE02120300000000202051",
                "transaction": "tx-1", "booked_on": "2026-11-02", "amount": {{ "amount": "49", "currency": "EUR" }}, "payer": "Wayne Ltd",
                "proof": "https://bank.example/statements/1" }} }}'

  # hooli sees how it can pay, and announces a transfer, which the operator then confirms
  curl -i {address}/billing -H "Authorization: Bearer $HOOLI"
  curl -i {address}/billing/claims -H "Authorization: Bearer $HOOLI" \
       --json '{{ "reference": "inv-7", "amount": {{ "amount": "49", "currency": "EUR" }}, "payer": "Hooli Ltd",
                "proof": "https://hooli.example/receipts/7" }}'
  curl -i {address}/billing/confirm-bank-transfer -H "Authorization: Bearer $STAFF" \
       --json '{{ "account": {hooli}, "claim": "inv-7", "transfer": {{ "receiving_account": "DE02120300000000202051",
                "transaction": "tx-2", "booked_on": "2026-11-02", "amount": {{ "amount": "49", "currency": "EUR" }}, "payer": "Hooli Ltd",
                "proof": "https://bank.example/statements/2" }} }}'

  # that one bounced: the operator takes it back, and hooli is as it was before
  curl -i {address}/billing/retract-bank-transfer -H "Authorization: Bearer $STAFF" \
       --json '{{ "receiving_account": "DE02120300000000202051", "transaction": "tx-2", "booked_on": "2026-11-02" }}'

  # acme asks for the free plan, from the end of what it has paid
  curl -i {address}/billing/subscription -H "Authorization: Bearer $ACME" --json '{{ "next_plan": {free} }}'

  # soylent did so, and its paid month is over: the free plan serves it, with 20 credits a month
  curl -i {address}/articles -H "Authorization: Bearer $SOYLENT" -H 'Idempotency-Key: fourth' \
       --json '{{ "site": {soylent_site}, "title": "For nothing", "words": 60 }}'
  curl -i {address}/account -H "Authorization: Bearer $SOYLENT"

  # Stripe and PayPal are not enabled yet: their events are refused unread
  curl -i {address}/webhooks/stripe --json '{{ "type": "invoice.paid" }}'

  # a newcomer registers
  curl -i {address}/register -H 'Idempotency-Key: newcomer' \
       --json '{{ "email": "someone@example.com", "plan": {free}, "payment_method": "bank_transfer" }}'

  # another one tries the plan that is paid, for two weeks. A person has one trial
  curl -i {address}/register -H 'Idempotency-Key: trial' \
       --json '{{ "email": "other@example.com", "plan": {pro}, "payment_method": "bank_transfer", "trial": true }}'

  # the gate's answers to all of this, counted by route and code
  curl {address}/metrics

Ctrl-C stops the service."#,
        site = seed::site(seed::ACME),
        acme_key = seed::api_key(seed::ACME),
        initech_site = seed::site(seed::INITECH),
        initech_key = seed::api_key(seed::INITECH),
        umbrella_site = seed::site(seed::UMBRELLA),
        wayne = seed::WAYNE,
        hooli = seed::HOOLI,
        free = seed::FREE,
        pro = seed::PRO,
        soylent_site = seed::site(seed::SOYLENT),
    );
    Ok(())
}
