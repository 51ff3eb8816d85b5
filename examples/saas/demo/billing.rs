//! The demo's chapters about money: transfers, trials, plans and providers.

use anyhow::Context;
use bailiwick::Credits;
use bailiwick::http::Gatekeeper;
use serde_json::{Value, json};

use super::client::Story;
use super::{STRIPE_SECRET, draft_of};
use crate::service::seed;

/// The service's own account at a bank, and the day of all transfers.
const RECEIVER: &str = "DE02120300000000202051";
const BOOKED_ON: &str = "2026-11-02";

impl Story {
    pub fn tell_of_transfers(&self) -> anyhow::Result<()> {
        println!(
            "\n10. An operator confirms a bank transfer, which opens the account. Confirmed twice, \
             it is credited once."
        );
        let confirm = "/billing/confirm-bank-transfer";
        let wayne = self.owner("wayne", seed::WAYNE)?;
        let staff = self.owner("staff", seed::STAFF)?;
        wayne.get("/articles").gets(402)?;
        let transfer = transfer_of(seed::WAYNE, "tx-1", "49", None);
        wayne.post(confirm, &transfer).gets(403)?;
        let first = staff.post(confirm, &transfer).gets(200)?;
        let again = staff.post(confirm, &transfer).gets(200)?;
        self.says(
            first.text == again.text,
            "both answers are the same, byte for byte",
        )?;
        wayne.get("/articles").gets(200)?;
        let credited = wayne.free_credits()? == Credits::whole(500);
        self.says(credited, "wayne has 500 credits, not 1000")?;
        let billing = wayne.get("/billing").gets(200)?.json();
        let reason = billing["credits"][0].as_str().context("a sentence")?;
        self.says(
            reason.starts_with("500 credits: 500 from "),
            &format!("the bill says why: \"{reason}\""),
        )?;

        println!("\n11. A registration sent twice with the same key makes one account.");
        let newcomer = self.stranger("a newcomer");
        let by_transfer = application("someone@example.com", seed::FREE, "bank_transfer");
        let register = |key| newcomer.post("/register", &by_transfer).key(key);
        let first = register("newcomer").gets(201)?;
        let again = register("newcomer").gets(201)?;
        self.says(
            first.text == again.text,
            "it is the same account, byte for byte",
        )?;
        register("another").gets(409)?;
        let by_card = application("else@example.com", seed::PRO, "stripe");
        let by_card = newcomer.post("/register", &by_card).key("by-card");
        by_card.gets(422)?;
        let account = first.json()["account"].as_i64().context("an account")?;
        let owner = self.owner("the newcomer", account)?;
        let seeded = owner.free_credits()? == Credits::whole(50);
        self.says(seeded, "the account began with 50 credits")?;

        println!(
            "\n12. A tenant whose payment is due announces a transfer. It comes in two parts, and \
             the second restores the service."
        );
        let hooli = self.owner("hooli", seed::HOOLI)?;
        let claim = json!({ "reference": "inv-7", "amount": { "amount": "49", "currency": "EUR" },
            "payer": "Hooli Ltd", "proof": "https://hooli.example/receipts/7" });
        hooli.post("/billing/claims", &claim).gets(201)?;
        hooli.post("/billing/claims", &claim).gets(201)?;
        let part = transfer_of(seed::HOOLI, "tx-2", "20", None);
        staff.post(confirm, &part).gets(200)?;
        let billing = hooli.get("/billing").gets(200)?.json();
        let is_kept = billing["deposit"]["amount"] == "20";
        self.says(is_kept, "the 20 EUR are kept as a deposit")?;
        hooli.get("/articles").gets(402)?;
        let rest = transfer_of(seed::HOOLI, "tx-3", "29", Some("inv-7"));
        staff.post(confirm, &rest).gets(200)?;
        hooli.get("/articles").gets(200)?;
        let billing = hooli.get("/billing").gets(200)?.json();
        let is_answered = billing["claims"][0]["state"]["state"] == "confirmed";
        self.says(is_answered, "the claim is confirmed")?;

        println!("\n13. A refund of that transfer ends the service. Sent twice, it refunds once.");
        let path = "/billing/refund-bank-transfer";
        let refund = json!({ "transfer": transfer_key("tx-3"), "then": "end_service",
            "total": { "amount": "29", "currency": "EUR" } });
        let first = staff.post(path, &refund).gets(200)?;
        let again = staff.post(path, &refund).gets(200)?;
        self.says(
            first.text == again.text,
            "both answers are the same, byte for byte",
        )?;
        hooli.get("/articles").gets(402)?;
        let choice = json!({ "plan": seed::PRO, "payment_method": "bank_transfer" });
        hooli.post("/billing/subscribe", &choice).gets(201)?;

        println!(
            "\n14. A transfer is confirmed for the wrong account, taken back, and confirmed for the \
             right one."
        );
        let globex = self.owner("globex", seed::GLOBEX)?;
        let bill = || globex.get("/billing").gets(200);
        let before = bill()?;
        let wrong = transfer_of(seed::GLOBEX, "tx-4", "49", None);
        let right = transfer_of(seed::HOOLI, "tx-4", "49", None);
        staff.post(confirm, &wrong).gets(200)?;
        staff.post(confirm, &right).gets(409)?;
        let retract = "/billing/retract-bank-transfer";
        staff.post(retract, &transfer_key("tx-4")).gets(200)?;
        let after = bill()?;
        self.says(
            before.text == after.text,
            "globex's bill is as it was before, byte for byte",
        )?;
        staff.post(confirm, &right).gets(200)?;
        hooli.get("/articles").gets(200)?;
        Ok(())
    }

    pub fn tell_of_plans(&self) -> anyhow::Result<()> {
        println!("\n15. A trial opens the service before it is paid. A person has one.");
        let newcomer = self.stranger("a newcomer");
        let mut trial = application("trial@example.com", seed::PRO, "bank_transfer");
        trial["trial"] = true.into();
        let registered = newcomer.post("/register", &trial).key("trial").gets(201)?;
        let account = registered.json()["account"]
            .as_i64()
            .context("an account")?;
        let tenant = self.owner("the new tenant", account)?;
        tenant.get("/articles").gets(200)?;
        let seeded = tenant.free_credits()? == Credits::whole(150);
        self.says(seeded, "it has 50 credits to begin with, and 100 to try")?;
        let subscription = "/billing/subscription";
        tenant.post(subscription, &json!("cancel_now")).gets(200)?;
        tenant.get("/articles").gets(402)?;
        let choice = json!({ "plan": seed::PRO, "payment_method": "bank_transfer" });
        tenant.post("/billing/subscribe", &choice).gets(201)?;
        tenant.post("/billing/trial", &Value::Null).gets(409)?;

        println!(
            "\n16. A tenant changes to the free plan with the end of what it paid. When that end has \
             come, the free plan serves by itself: no job has run."
        );
        let acme = self.owner("acme, which has paid", seed::ACME)?;
        let next = json!({ "next_plan": seed::FREE });
        acme.post(subscription, &next).gets(200)?;
        let billing = acme.get("/billing").gets(200)?.json();
        self.says(
            billing["plan"] == seed::PRO && billing["next_plan"] == seed::FREE,
            "acme keeps its plan until then, and the free one follows",
        )?;
        let soylent = self.owner("soylent, which asked a month ago", seed::SOYLENT)?;
        let account = soylent.get("/account").gets(200)?.json();
        self.says(
            account["plan"] == seed::FREE && account["balance"]["free"] == "0",
            "soylent is on the free plan, and what it had paid for is over",
        )?;
        let draft = draft_of(seed::SOYLENT, "For nothing");
        let written = soylent
            .post("/articles", &draft)
            .key("free")
            .gets(201)?
            .json();
        let charged = written["receipt"]["charged"]
            .as_str()
            .context("a receipt")?;
        let left = soylent.free_credits()?;
        self.says(
            charged.parse::<Credits>()?.checked_add(left) == Some(Credits::whole(20)),
            &format!("the free plan gave 20 credits: 20 - {charged} = {left}"),
        )?;
        Ok(())
    }

    pub fn tell_of_stripe(&self) -> anyhow::Result<()> {
        println!(
            "\n20. With Stripe enabled, its events open the service in whatever order they come, \
             and count once each."
        );
        let newcomer = self.stranger("a newcomer");
        let by_card = application("card@example.com", seed::PRO, "stripe");
        let registered = newcomer.post("/register", &by_card).key("by-card");
        let registered = registered.gets(201)?.json();
        let account = registered["account"].as_i64().context("an account")?;
        let tenant = self.owner("the new tenant", account)?;
        tenant.get("/articles").gets(402)?;

        let now = self.app.now().timestamp();
        let month = now + 30 * 24 * 3600;
        let metadata = json!({ "subscription": account.to_string() });
        let reported = |created: i64, status: &str| {
            json!({ "id": format!("evt_{created}"), "type": "customer.subscription.updated", "created": created,
                "data": { "object": { "id": "sub_1", "status": status, "billing_cycle_anchor": now,
                    "metadata": metadata, "items": { "data": [{ "current_period_start": now,
                        "current_period_end": month, "price": { "id": "price_1" } }] } } } })
        };
        let paid = json!({ "id": "evt_paid", "type": "invoice.paid", "created": now, "data": { "object": {
            "id": "in_1", "status": "paid", "created": now, "currency": "eur", "subtotal": 4900, "amount_paid": 4900,
            "parent": { "subscription_details": { "subscription": "sub_1", "metadata": metadata } },
            "lines": { "data": [{ "id": "il_1", "amount": 4900, "period": { "start": now, "end": month },
                "parent": { "subscription_item_details": { "proration": false } },
                "pricing": { "price_details": { "price": "price_1" } } }] } } } });
        let stripe = self.stranger("stripe");
        let send = |event: &Value, about: &str| {
            let event = stripe.post("/webhooks/stripe", event);
            event.signed(STRIPE_SECRET, about)
        };

        let forged = stripe.post("/webhooks/stripe", &reported(now, "active"));
        forged
            .signed("whsec_guess", "signed with a wrong secret")?
            .gets(401)?;
        send(&paid, "the month is paid")?.gets(200)?;
        send(&paid, "the same event again")?.gets(204)?;
        send(&reported(now + 1, "active"), "the subscription is active")?.gets(200)?;
        send(&reported(now, "incomplete"), "older than the one before")?.gets(204)?;
        tenant.get("/articles").gets(200)?;
        let credited = tenant.free_credits()? == Credits::whole(550);
        self.says(credited, "50 credits at first, and 500 for the month, once")?;
        let refunded = json!({ "id": "evt_refund", "type": "charge.refunded", "created": now, "data": { "object": {
            "id": "ch_1", "invoice": "in_1", "currency": "eur", "amount_refunded": 4900 } } });
        send(&refunded, "the month is refunded")?.gets(200)?;
        send(&refunded, "the same event again")?.gets(204)?;
        let taken = tenant.free_credits()? == Credits::whole(50);
        self.says(taken, "the month's 500 credits went with it, once")?;
        send(
            &reported(now + 2, "canceled"),
            "the subscription is canceled",
        )?
        .gets(200)?;
        tenant.get("/articles").gets(402)?;
        Ok(())
    }
}

fn application(email: &str, plan: i64, payment_method: &str) -> Value {
    json!({ "email": email, "plan": plan, "payment_method": payment_method })
}

pub fn transfer_of(account: i64, transaction: &str, amount: &str, claim: Option<&str>) -> Value {
    json!({ "account": account, "claim": claim, "transfer": {
        "receiving_account": RECEIVER, "transaction": transaction, "booked_on": BOOKED_ON,
        "amount": { "amount": amount, "currency": "EUR" }, "payer": "the tenant",
        "proof": "https://bank.example/statements/1" } })
}

/// The key of a transfer that was confirmed.
fn transfer_key(transaction: &str) -> Value {
    json!({ "receiving_account": RECEIVER, "transaction": transaction, "booked_on": BOOKED_ON })
}
