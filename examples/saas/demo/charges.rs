//! The demo's chapters about charges: an upgrade, a pack of credits, and a change to a smaller plan.

use anyhow::Context;
use bailiwick::Credits;
use serde_json::{Value, json};

use super::billing::transfer_of;
use super::client::{Actor, Story};
use crate::service::seed;

impl Story {
    pub fn tell_of_charges(&self) -> anyhow::Result<()> {
        println!(
            "\n17. A tenant asks for a larger plan in the middle of its month. It is told what that \
             costs and why. Nothing changes until the money has come."
        );
        let tyrell = self.owner("tyrell, ten days into its month", seed::TYRELL)?;
        let staff = self.owner("staff", seed::STAFF)?;
        let business = json!({ "plan": seed::BUSINESS });
        let ask = || tyrell.post("/billing/upgrade", &business).key("larger");
        let quote = ask().gets(201)?;
        let again = ask().gets(201)?;
        self.says(
            quote.text == again.text,
            "asked twice, it is one charge, byte for byte",
        )?;
        let quote = quote.json();
        let reckoned = quote["reckoned"].as_str().context("a sentence")?;
        self.says(
            reckoned.contains("less") && quote["valid_until"].is_string(),
            &format!("it says how it was reckoned: \"{reckoned}\""),
        )?;
        let before = tyrell.free_credits()?;
        let billing = tyrell.get("/billing").gets(200)?.json();
        self.says(
            billing["plan"] == seed::PRO && before == Credits::whole(500),
            "tyrell has its old plan, and the 500 credits of it",
        )?;

        pay(&staff, "tx-5", &quote)?;
        let billing = tyrell.get("/billing").gets(200)?.json();
        self.says(
            billing["plan"] == seed::BUSINESS && billing["charges"][0]["state"] == "paid",
            "the transfer paid it, and the larger plan serves at once",
        )?;
        let after = tyrell.free_credits()?;
        let due = quote["amount"]["amount"].as_str().context("an amount")?;
        let more = after.checked_sub(before).context("more credits")?;
        // A month of the larger plan costs 100 EUR more, and brings 1500 credits more.
        let share = due.parse::<Credits>()?.checked_mul(15);
        self.says(
            share.is_some_and(|share| are_near(more, share)),
            &format!(
                "for the days that are left it paid {due} of 100 EUR more, and got that share of \
                 1500 credits more: {more}"
            ),
        )?;

        println!("\n18. It buys a pack of credits, then goes back to the smaller plan at once.");
        let buy = tyrell.post("/billing/credit-pack", &Value::Null);
        let pack = buy.key("pack").gets(201)?.json();
        self.says(
            tyrell.free_credits()? == after,
            "a pack that is not paid brings nothing",
        )?;
        pay(&staff, "tx-6", &pack)?;
        let with_pack = tyrell.free_credits()?;
        self.says(
            with_pack.checked_sub(after) == Some(Credits::whole(1_000)),
            "it is paid, and brings 1000 credits",
        )?;
        let pro = json!({ "plan": seed::PRO });
        let back = tyrell.post("/billing/downgrade", &pro).key("smaller");
        let back = back.gets(201)?.json();
        let billing = tyrell.get("/billing").gets(200)?.json();
        let rest = billing["deposit"]["amount"].as_str().context("a deposit")?;
        self.says(
            billing["plan"] == seed::PRO
                && are_near(rest.parse()?, due.parse()?)
                && back["state"] == "paid",
            &format!("nothing is to be paid, and the rest is a deposit of {rest} EUR"),
        )?;
        let left = tyrell.free_credits()?;
        self.says(
            are_near(left, Credits::whole(1_500)),
            &format!("its month and its pack are left: {left} credits"),
        )
    }
}

/// Confirms a transfer that carries the reference of one of tyrell's charges.
fn pay(staff: &Actor<'_>, transaction: &str, charge: &Value) -> anyhow::Result<()> {
    let mut transfer = transfer_of(seed::TYRELL, transaction, "0", None);
    transfer["transfer"]["amount"] = charge["amount"].clone();
    transfer["charge"] = charge["reference"].clone();
    let confirm = staff.post("/billing/confirm-bank-transfer", &transfer);
    confirm.gets(200).map(drop)
}

/// Returns whether two numbers differ by less than one: cents are rounded, and time goes on.
fn are_near(one: Credits, other: Credits) -> bool {
    one.max(other).saturating_sub(one.min(other)) < Credits::whole(1)
}
