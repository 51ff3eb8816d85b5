//! A multi-tenant service on bailiwick: axum for HTTP, SQLite for rows.
//!
//! ```text
//! cargo run --example saas            # serves on port 3000, seeds its tenants, prints curl lines to try
//! cargo run --example saas -- demo    # plays the story against itself over HTTP and checks every answer
//! cargo run --example saas -- --help
//! ```

mod demo;
mod service;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Context;
use chrono::TimeDelta;
use clap::{Parser, Subcommand};
use service::{App, Store, seed};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// How long a session of the demo lasts.
const HOUR: TimeDelta = TimeDelta::new(3600, 0).unwrap();

/// A multi-tenant service on bailiwick, with axum and SQLite. It starts with no setup.
#[derive(Parser)]
#[command(name = "saas")]
struct Arguments {
    /// The port to listen on, on 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The database file, made if it is not there; in memory if not given
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Plays the story of the service against itself over HTTP, checks every answer, and says so by
    /// its exit status
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

/// Prints what can be tried.
fn welcome(app: &App, address: &str) -> anyhow::Result<()> {
    println!("bailiwick's example service listens on {address}\n");
    println!("Its tenants, each with one user and one site. These tokens are good for an hour:\n");
    for (account, name, what) in seed::TENANTS {
        let token = app.auth.issue(&seed::user(account), app.now(), HOUR)?;
        println!("  # {name}: {what}\n  {}={token}", name.to_uppercase());
    }
    let (acme, globex, initech) = (seed::ACME, seed::GLOBEX, seed::INITECH);
    let (acme_key, initech_key) = (seed::api_key(acme), seed::api_key(initech));
    let (site, other_site) = (seed::site(acme), seed::site(globex));
    println!(
        r#"
Paste the lines above into a shell, then try, in this order:

  # an article, written and charged by its words; sent again with the same key: the same answer, one charge
  curl -i {address}/articles -H "Authorization: Bearer $ACME" -H 'Idempotency-Key: first' \
       --json '{{ "site": {site}, "title": "On bailiffs", "words": 60 }}'

  # what acme sees, by its session and by its API key (which is bound to a site)
  curl -i {address}/articles -H "Authorization: Bearer $ACME"
  curl -i '{address}/articles?site={site}' -H 'Authorization: Bearer {acme_key}'

  # globex cannot edit it: the same 404 as for an article that does not exist
  curl -i -X PATCH {address}/articles/1 -H "Authorization: Bearer $GLOBEX" --json '{{ "title": "Mine now" }}'

  # nor write into acme's site: 403 before anything is charged
  curl -i {address}/articles -H "Authorization: Bearer $ACME" -H 'Idempotency-Key: second' \
       --json '{{ "site": {other_site}, "title": "Trespass", "words": 60 }}'

  # suspended: 403 by session and by API key alike; past due: 402, and yet it can see what it owes
  curl -i {address}/articles -H "Authorization: Bearer $INITECH"
  curl -i '{address}/articles?site={initech_site}' -H 'Authorization: Bearer {initech_key}'
  curl -i {address}/articles -H "Authorization: Bearer $HOOLI"
  curl -i {address}/account -H "Authorization: Bearer $HOOLI"

  # no credits: 402 before the writer is called
  curl -i {address}/articles -H "Authorization: Bearer $UMBRELLA" -H 'Idempotency-Key: third' \
       --json '{{ "site": {umbrella_site}, "title": "On credit", "words": 60 }}'

  # a bank transfer, confirmed by the operator; sent again it credits nothing more
  curl -i {address}/billing/confirm-bank-transfer -H "Authorization: Bearer $STAFF" \
       --json '{{ "account": {wayne}, "transfer": {{ "receiving_account": "DE02120300000000202051",
                "transaction": "tx-1", "amount": {{ "amount": "49", "currency": "EUR" }}, "payer": "Wayne Ltd",
                "proof": "https://bank.example/statements/1" }} }}'

  # what hooli owes, how it can pay, and its claim of a transfer, which the operator answers
  curl -i {address}/billing -H "Authorization: Bearer $HOOLI"
  curl -i {address}/billing/claims -H "Authorization: Bearer $HOOLI" \
       --json '{{ "reference": "inv-7", "amount": {{ "amount": "49", "currency": "EUR" }}, "payer": "Hooli Ltd",
                "proof": "https://hooli.example/receipts/7" }}'
  curl -i {address}/billing/confirm-bank-transfer -H "Authorization: Bearer $STAFF" \
       --json '{{ "account": {hooli}, "claim": "inv-7", "transfer": {{ "receiving_account": "DE02120300000000202051",
                "transaction": "tx-2", "amount": {{ "amount": "49", "currency": "EUR" }}, "payer": "Hooli Ltd",
                "proof": "https://bank.example/statements/2" }} }}'

  # the providers are coming soon: nothing of their events is read
  curl -i {address}/webhooks/stripe --json '{{ "type": "invoice.paid" }}'

  # a new account
  curl -i {address}/register -H 'Idempotency-Key: newcomer' \
       --json '{{ "email": "someone@example.com", "plan": {free}, "payment_method": "bank_transfer" }}'

  # what the gate answered to all of it, counted by route and code
  curl {address}/metrics

Ctrl-C stops it."#,
        initech_site = seed::site(initech),
        umbrella_site = seed::site(seed::UMBRELLA),
        wayne = seed::WAYNE,
        hooli = seed::HOOLI,
        free = seed::FREE,
    );
    Ok(())
}
