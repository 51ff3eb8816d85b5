//! A year of a thousand accounts, with reports that are late, lost, doubled and out of order, and
//! clock steps of any size: at its end the books add up, and they are the same however often a job
//! ran.

use std::collections::{BTreeMap, BTreeSet};

use crate::year::*;
use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::ConfirmedTransfer;
use bailiwick::credit::Balance;
use bailiwick::paid_time::Fact;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::provider::{LineKind, ProviderSnapshot};
use bailiwick::subscription::{SubscriptionStatus, Transition};
use bailiwick::{Credits, Money, Policy};

const ACCOUNTS: usize = 1_000;

const SLACK_TIME: chrono::TimeDelta = chrono::TimeDelta::new(SLACK, 0).unwrap();

/// Past all that the story schedules.
const END: i64 = YEAR + 60 * DAY;

fn sum(amounts: impl Iterator<Item = Money>) -> Money {
    amounts.fold(euros(0), |sum, amount| sum.checked_add(amount).unwrap())
}

/// What a wallet holds is what went in, part for part.
fn check_wallet(books: &Books) -> Balance {
    let balance = books.wallet.balance_at(at(END)).unwrap();
    let parts = [
        balance.scheduled,
        balance.free,
        balance.held,
        balance.spent,
        balance.expired,
        balance.revoked,
    ];
    let total = parts
        .into_iter()
        .fold(Credits::ZERO, |sum, part| sum.checked_add(part).unwrap());
    assert_eq!(balance.granted.checked_add(balance.debt), Some(total));
    assert_eq!(
        balance.spent, books.spent,
        "what was spent is what the calls cost"
    );
    balance
}

/// The oracle for accounts that a provider runs: it knows the story alone, and no order.
fn check_provider(number: usize, books: &Books, events: &[Happening]) {
    let mut latest: Option<&ProviderSnapshot> = None;
    let mut heard = BTreeMap::new();
    for event in events.iter().filter(|event| event.account == number) {
        match &event.what {
            What::Snapshot(snapshot) if latest.is_none_or(|latest| latest.at < snapshot.at) => {
                latest = Some(snapshot)
            }
            What::Payment(payment) => {
                let LineKind::Period(period) = payment.lines[0].kind else {
                    panic!()
                };
                heard.insert(&payment.invoice, period);
            }
            _ => {}
        }
    }
    let latest = latest.unwrap();
    // What was called off at PayPal ends by time, once its paid time is over.
    let ends_by_time =
        method(number) == PaymentMethod::Paypal && latest.status == SubscriptionStatus::Canceled;
    let due = Policy::default().advance_subscription(&books.subscription, &[], at(END));
    let subscription = due
        .last()
        .map_or(&books.subscription, Transition::subscription);
    assert_eq!(subscription.status, latest.status, "account {number}");
    assert!(ends_by_time || due.is_empty());
    let period = latest.items[0].period.filter(|_| !ends_by_time);
    assert_eq!(books.subscription.current_period, period);
    assert_eq!(books.subscription.provider_at, Some(latest.at));
    assert_eq!(books.invoices.len(), heard.len());
    // Each month's credits come once, however late its payment was heard of: what came too late to
    // be spent has expired.
    let months: BTreeSet<_> = heard.values().map(|period| period.start).collect();
    assert_eq!(months.len(), heard.len(), "one invoice a month");
    let months = months.len();
    let balance = check_wallet(books);
    assert_eq!(balance.debt, Credits::ZERO);
    assert_eq!(
        balance.granted,
        Credits::whole((months as u32) * CREDITS as u32),
        "account {number}"
    );
    let begun = latest.status != SubscriptionStatus::Incomplete;
    assert_eq!(books.account.status == AccountStatus::Active, begun);
}

/// The books of an account that pays by bank transfer.
fn check_transfers(number: usize, books: &Books, events: &[Happening]) {
    let of = |part: fn(&ConfirmedTransfer) -> Money| sum(books.transfers.values().map(part));
    let kept = books
        .deposit
        .as_ref()
        .map_or(euros(0), |deposit| deposit.amount);
    let received = of(|record| record.transfer.amount());
    let out = of(|record| record.refunded).checked_add(kept).unwrap();
    let earned = of(|record| record.applied)
        .checked_sub(of(|record| record.taken_back))
        .unwrap();
    let accounted = out
        .checked_add(earned)
        .and_then(|sum| sum.checked_add(of(|record| record.noted)));
    assert_eq!(Some(received), accounted, "account {number}: to the cent");

    // Each transfer of the story is there once, or was refused, and with its own amount.
    let mut told = BTreeMap::new();
    for event in events.iter().filter(|event| event.account == number) {
        if let What::Transfer {
            transaction,
            amount,
        } = &event.what
        {
            told.insert(transaction.clone(), *amount);
        }
    }
    for (transaction, record) in &books.transfers {
        assert_eq!(record.transfer.amount(), euros(told[transaction]));
    }
    let balance = check_wallet(books);
    // What it brought, less what was taken back, is what the windows have earned, and the gifts.
    let schedule = books.paid_time.schedule();
    let earned = schedule
        .windows_begun(at(END))
        .into_iter()
        .map(|window| schedule.target(window, SLACK_TIME).unwrap().amount)
        .fold(books.granted, |sum, earned| {
            sum.checked_add(earned).unwrap()
        });
    let net = balance.granted.checked_sub(balance.revoked);
    assert_eq!(net, Some(earned), "account {number}");
    for pair in schedule.pieces().windows(2) {
        let is_apart = pair[0].paid.end <= pair[1].paid.start;
        assert!(is_apart, "account {number}: no time was paid twice");
    }
    // Each period that a transfer says it opened is a span of its own.
    let opened: u32 = books.transfers.values().map(|record| record.periods).sum();
    let is_span = |fact: &&Fact| matches!(fact, Fact::Span(_));
    let spans = books.paid_time.facts().iter().filter(is_span).count();
    assert_eq!(usize::try_from(opened).unwrap(), spans, "account {number}");
}

fn states(host: &Host) -> Vec<String> {
    host.books
        .iter()
        .map(|books| format!("{:?}", books.state(END)))
        .collect()
}

#[test]
fn b3_the_books_of_a_year_add_up_whatever_the_order_of_its_events() {
    let events = story(7, ACCOUNTS);
    assert!(events.len() > 30_000, "{}", events.len());
    let host = play(ACCOUNTS, &events, &[]);
    let mut statuses = BTreeMap::new();
    for (number, books) in host.books.iter().enumerate() {
        match method(number) {
            PaymentMethod::BankTransfer => check_transfers(number, books, &events),
            PaymentMethod::Stripe | PaymentMethod::Paypal => check_provider(number, books, &events),
        }
        assert_eq!(
            books.plan, books.subscription.plan,
            "account {number}: else the gate would shut it out"
        );
        *statuses
            .entry(books.subscription.status.as_str())
            .or_insert(0) += 1;
    }
    // The story is one in which much happens.
    for status in ["active", "canceled", "incomplete_expired"] {
        assert!(
            statuses.get(status).is_some_and(|count| *count > 10),
            "{statuses:?}"
        );
    }
    let count = |what: fn(&Books) -> bool| host.books.iter().filter(|books| what(books)).count();
    assert!(count(|books| books.deposit.is_some()) > 100);
    assert!(
        count(|books| books
            .transfers
            .values()
            .any(|record| !record.refunded.is_zero()))
            > 50
    );
    assert!(count(|books| !books.spent.is_zero()) > 500);
    assert!(count(|books| books.transfers.values().any(|record| record.periods == 0)) > 50);
}

#[test]
fn b2_a_year_ends_the_same_however_the_clock_ticks() {
    let events = story(11, ACCOUNTS);
    let end = vec![END];
    let without = states(&play(ACCOUNTS, &events, &end));
    let steps = |mut size: Box<dyn FnMut() -> i64>| {
        let mut ticks: Vec<i64> = std::iter::successors(Some(size()), |last| Some(last + size()))
            .take_while(|tick| *tick < END)
            .collect();
        ticks.push(END);
        ticks
    };
    let mut random = Random(3);
    for (name, ticks) in [
        ("every five days", steps(Box::new(|| 5 * DAY))),
        ("every 61 days", steps(Box::new(|| 61 * DAY))),
        (
            "as it comes: from a second to forty days",
            steps(Box::new(move || {
                let most = [60, DAY, 40 * DAY][usize::try_from(random.below(3)).unwrap()];
                1 + random.below(most)
            }))
            .into_iter()
            .step_by(7)
            .chain([END])
            .collect(),
        ),
    ] {
        let ticked = states(&play(ACCOUNTS, &events, &ticks));
        for (number, (ticked, without)) in ticked.iter().zip(&without).enumerate() {
            assert_eq!(ticked, without, "{name}: account {number}");
        }
    }
}

/// What the provider's reports come to does not depend on their order: the same story, delivered
/// backwards.
#[test]
fn b3_a_year_told_backwards_ends_with_the_same_subscriptions() {
    let events = story(5, 300);
    let reports = |event: &&Happening| matches!(event.what, What::Snapshot(_) | What::Payment(_));
    let forwards: Vec<Happening> = events.iter().filter(reports).cloned().collect();
    // All of it is heard at the beginning, so that every month still lies ahead.
    let at_once = |events: Vec<Happening>| {
        events
            .into_iter()
            .map(|event| Happening { second: 0, ..event })
            .collect::<Vec<_>>()
    };
    let told = play(300, &at_once(forwards.clone()), &[]);
    let backwards = play(300, &at_once(forwards.into_iter().rev().collect()), &[]);
    assert_eq!(states(&told), states(&backwards));
}
