//! The demo's clients: what they send and what they get is printed, and promises are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, ensure};
use bailiwick::Credits;
use bailiwick::http::Gatekeeper;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use ureq::http;

use crate::HOUR;
use crate::service::{App, seed};

/// The most characters of a request's body, and of an answer, that are printed.
const MAX_BODY: usize = 260;
const MAX_ANSWER: usize = 360;

/// The story, and the service that it is told of.
pub struct Story {
    pub app: Arc<App>,
    address: String,
    agent: ureq::Agent,
    promises: AtomicUsize,
}

impl Story {
    pub fn new(app: Arc<App>, address: String) -> Self {
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

    /// Checks a promise and prints it.
    pub fn says(&self, kept: bool, what: &str) -> anyhow::Result<()> {
        println!("    {} {what}", if kept { "✓" } else { "✗" });
        self.promise(kept, what)
    }

    /// Returns how many promises were kept.
    pub fn kept(&self) -> usize {
        self.promises.load(Ordering::Relaxed)
    }

    fn promise(&self, kept: bool, what: &str) -> anyhow::Result<()> {
        ensure!(kept, "not as promised: {what}");
        self.promises.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Introduces somebody with a bearer token.
    pub fn with_token<'a>(&'a self, name: &'a str, token: &str) -> Actor<'a> {
        Actor {
            story: self,
            name,
            token: Some(token.to_owned()),
        }
    }

    /// Introduces somebody without a credential.
    pub fn stranger<'a>(&'a self, name: &'a str) -> Actor<'a> {
        Actor {
            story: self,
            name,
            token: None,
        }
    }

    /// Introduces the owner of an account, with a session from the identity provider.
    pub fn owner<'a>(&'a self, name: &'a str, account: i64) -> anyhow::Result<Actor<'a>> {
        let token = self.session(account, HOUR)?;
        Ok(self.with_token(name, &token))
    }

    pub fn session(&self, account: i64, life: TimeDelta) -> anyhow::Result<String> {
        let user = seed::user(account);
        self.app.auth.issue(&user, self.app.now(), life)
    }
}

/// Somebody who sends requests, with a credential or without one.
pub struct Actor<'a> {
    story: &'a Story,
    name: &'a str,
    token: Option<String>,
}

/// A request that is about to be sent.
pub struct Ask<'a> {
    story: &'a Story,
    request: http::request::Builder,
    line: String,
    body: Option<Value>,
}

/// An answer, as a client sees it.
pub struct Answer {
    pub status: u16,
    headers: http::HeaderMap,
    pub text: String,
}

impl Actor<'_> {
    pub fn get(&self, path: &str) -> Ask<'_> {
        self.ask("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Ask<'_> {
        self.ask("POST", path, Some(body))
    }

    pub fn patch(&self, path: &str, body: &Value) -> Ask<'_> {
        self.ask("PATCH", path, Some(body))
    }

    pub fn delete(&self, path: &str) -> Ask<'_> {
        self.ask("DELETE", path, None)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Ask<'_> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.story.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Ask {
            story: self.story,
            request,
            line: format!("{}: {method} {path}", self.name),
            body: body.cloned(),
        }
    }

    /// Asks for the credits that are free to spend.
    pub fn free_credits(&self) -> anyhow::Result<Credits> {
        let account = self.get("/account").gets(200)?.json();
        let free = account["balance"]["free"].as_str().context("a balance")?;
        Ok(free.parse()?)
    }
}

impl Ask<'_> {
    pub fn key(mut self, key: &str) -> Self {
        self.request = self.request.header("idempotency-key", key);
        self.line += &format!("  (Idempotency-Key: {key})");
        self
    }

    /// Signs the body as Stripe does, with a secret, and notes what the event is.
    pub fn signed(mut self, secret: &str, about: &str) -> anyhow::Result<Self> {
        let now = self.story.app.now().timestamp();
        let body = self.body.as_ref().context("an event")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
        mac.update(format!("{now}.{body}").as_bytes());
        let digest = mac.finalize().into_bytes();
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();

        let signature = format!("t={now},v1={digest}");
        self.request = self.request.header("stripe-signature", signature);
        self.line += &format!("  ({about})");
        Ok(self)
    }

    /// Sends the request. The answer must have this status.
    pub fn gets(self, status: u16) -> anyhow::Result<Answer> {
        let story = self.story;
        let answer = self.send()?;
        let kept = answer.status == status;
        let mark = if kept { "✓" } else { "✗" };
        println!("    {} {mark} {}", answer.status, answer.summary());
        story.promise(kept, &format!("the status is {status}"))?;
        Ok(answer)
    }

    /// Prints the request and sends it.
    pub fn send(mut self) -> anyhow::Result<Answer> {
        println!("  {}", self.line);
        let mut text = String::new();
        if let Some(body) = &self.body {
            text = body.to_string();
            println!("      {}", shortened(&text, MAX_BODY));
            self.request = self.request.header("content-type", "application/json");
        }

        let mut response = self.story.agent.run(self.request.body(text)?)?;
        Ok(Answer {
            text: response.body_mut().read_to_string()?,
            status: response.status().as_u16(),
            headers: response.headers().clone(),
        })
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// Returns what of the answer is worth a line.
    pub fn summary(&self) -> String {
        let mut line = String::new();
        for name in ["retry-after", "ratelimit", "www-authenticate"] {
            let value = self.header(name);
            if !value.is_empty() {
                line += &format!("[{name}: {value}] ");
            }
        }

        let json = self.json();
        let problem = ["code", "detail", "remedy"].map(|member| json[member].as_str());
        match problem {
            [Some(code), Some(detail), Some(remedy)] => {
                line += &format!("{code}: {detail} {remedy}");
            }
            _ => line += &self.text,
        }
        shortened(&line, MAX_ANSWER)
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}
