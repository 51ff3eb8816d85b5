//! A year of some hundred accounts, with reports that are late, lost, doubled and out of order, and
//! clock steps of any size: at its end the books add up, and they are the same however often a job
//! ran.

use std::collections::{BTreeMap, BTreeSet};

use crate::paid_time_model::Told;
use crate::year::*;
use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::{ConfirmedTransfer, Deposit};
use bailiwick::charge::{ChargeFor, ChargeState};
use bailiwick::credit::Balance;
use bailiwick::id::ChargeId;
use bailiwick::paid_time::{BilledPeriod, Fact};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::provider::{ProviderPayment, ProviderSnapshot, Undoing};
use bailiwick::rust_decimal::Decimal;
use bailiwick::subscription::{SubscriptionStatus, Transition};
use bailiwick::{Money, Policy};

const ACCOUNTS: usize = 520;

/// Past all that the story schedules.
const END: i64 = YEAR + 60 * DAY;

/// What a wallet holds is what went in, part for part; and what went in is what paid time has
/// earned, by the model that knows no order, and the gifts, packs and top-ups.
fn check_wallet(number: usize, books: &Books, told: &[Told]) -> Balance {
    let balance = books.wallet.balance_at(at(END)).unwrap();
    let parts = [
        balance.scheduled,
        balance.free,
        balance.held,
        balance.spent,
        balance.expired,
        balance.revoked,
    ];
    let total: i64 = parts.iter().map(|part| part.micros()).sum();
    assert_eq!(balance.granted.micros() + balance.debt.micros(), total);
    assert_eq!(
        balance.spent, books.spent,
        "what was spent is what the calls cost"
    );

    let beside = i128::from(books.granted.micros() - books.taken.micros());
    let due = earned(told, at(END)) + beside;
    let net = i128::from(balance.granted.micros() - balance.revoked.micros());
    // What holds give back of a pack that was taken is taken then.
    let pinned = i128::from(books.pinned.micros());
    assert!(
        (due - pinned..=due).contains(&net),
        "account {number}: {net} of {due}\n{books:#?}"
    );
    // P1.
    let used = i128::from(balance.spent.micros() - balance.debt.micros());
    assert!(used <= due, "account {number}: {used} of {due}");
    balance
}

/// All that the story says of an account that a provider runs, whatever the order.
struct Heard<'a> {
    latest: &'a ProviderSnapshot,
    payments: BTreeMap<&'a str, &'a ProviderPayment>,
    voided: BTreeSet<&'a str>,
    /// Whether it was ever served.
    has_begun: bool,
    told: Vec<Told>,
}

impl<'a> Heard<'a> {
    fn of(number: usize, events: &'a [Happening]) -> Self {
        let mut latest: Option<&ProviderSnapshot> = None;
        let (mut payments, mut voided) = (BTreeMap::new(), BTreeSet::new());
        let (mut has_begun, mut told) = (false, vec![]);
        for event in events.iter().filter(|event| event.account == number) {
            match &event.what {
                What::Snapshot(snapshot, facts) => {
                    if latest.is_none_or(|latest| latest.at < snapshot.at) {
                        latest = Some(snapshot);
                    }
                    has_begun |= matches!(
                        snapshot.status,
                        SubscriptionStatus::Trialing
                            | SubscriptionStatus::Active
                            | SubscriptionStatus::PastDue
                    );
                    told.extend(facts.iter().cloned());
                }
                What::Payment(payment, facts) => {
                    payments.insert(payment.invoice.as_str(), payment);
                    told.extend(facts.iter().cloned());
                }
                What::Undone(undone, facts) => {
                    if undone.how == Undoing::Reversed {
                        voided.extend(undone.invoice.as_deref());
                    }
                    told.extend(facts.iter().cloned());
                }
                _ => {}
            }
        }
        Self {
            latest: latest.unwrap(),
            has_begun: has_begun || !payments.is_empty(),
            payments,
            voided,
            told,
        }
    }

    /// The status at the end: at PayPal, a sale is as good as a snapshot.
    fn status(&self, number: usize) -> SubscriptionStatus {
        let status = self.latest.status;
        let waits = matches!(
            status,
            SubscriptionStatus::Incomplete | SubscriptionStatus::PastDue
        );
        let is_newer = |payment: &&ProviderPayment| {
            self.latest.at < payment.received && !self.voided.contains(payment.invoice.as_str())
        };
        let mut payments = self.payments.values().copied();
        if method(number) == PaymentMethod::Paypal && waits && payments.any(|one| is_newer(&one)) {
            SubscriptionStatus::Active
        } else {
            status
        }
    }
}

/// The oracle for accounts that a provider runs: it knows the story alone, and no order.
fn check_provider(number: usize, books: &Books, events: &[Happening]) {
    let heard = Heard::of(number, events);
    let latest = heard.latest;
    // What was called off at PayPal ends by time, once its paid time is over.
    let ends_by_time =
        method(number) == PaymentMethod::Paypal && latest.status == SubscriptionStatus::Canceled;
    let due = Policy::default().advance_subscription(&books.subscription, &[], at(END));
    let subscription = due
        .last()
        .map_or(&books.subscription, Transition::subscription);
    assert_eq!(
        subscription.status,
        heard.status(number),
        "account {number}"
    );
    assert!(ends_by_time || due.is_empty());
    let period = latest.items[0].period.filter(|_| !ends_by_time);
    assert_eq!(books.subscription.current_period, period);
    assert_eq!(books.subscription.plan.to_string(), latest.items[0].price);
    assert_eq!(books.subscription.provider_at, Some(latest.at));
    assert_eq!(books.invoices.len(), heard.payments.len());
    check_wallet(number, books, &heard.told);
    assert_eq!(
        books.account.status == AccountStatus::Active,
        heard.has_begun
    );
}

/// The books of an account that pays by bank transfer.
fn check_transfers(number: usize, host: &Host) {
    let books = &host.books[number];
    let records = || {
        let all = host.transfers.values().flatten();
        all.filter(|record| record.account == books.account.id)
    };
    let open = || records().filter(|record| record.retracted_at.is_none());
    let of = |part: fn(&ConfirmedTransfer) -> Money| {
        open().map(|record| part(record).amount()).sum::<Decimal>()
    };
    let kept = |part: fn(&Deposit) -> Money| {
        let part = books.deposit.as_ref().map(part);
        part.map_or(Decimal::ZERO, |part| part.amount())
    };
    let came = of(|record| record.transfer.amount())
        + of(|record| record.written_off)
        + kept(|deposit| deposit.credited);
    let went = of(|record| record.applied) - of(|record| record.taken_back)
        + of(|record| record.noted)
        + of(|record| record.refunded)
        + kept(|deposit| deposit.amount)
        + kept(|deposit| deposit.applied);
    assert_eq!(came, went, "account {number}: to the cent");

    // What smaller plans left over is on record, and a charge is paid once or not at all.
    let charges = || books.charges.values();
    let credited: Decimal = charges().map(|charge| charge.credited().amount()).sum();
    assert_eq!(kept(|deposit| deposit.credited), credited);
    for charge in charges().filter(|charge| !charge.amount.is_zero()) {
        let is_paid = matches!(charge.state, ChargeState::Paid { .. });
        let payers = open().filter(|record| record.paid_charge() == Some(&charge.id));
        assert_eq!(payers.count(), usize::from(is_paid), "{charge}");
    }

    check_wallet(number, books, &told_by_row(&books.paid_time));
    for pair in books.paid_time.schedule().pieces().windows(2) {
        let is_apart = pair[0].paid.end <= pair[1].paid.start;
        assert!(is_apart, "account {number}: no time was paid twice");
    }

    // Each period that a transfer says it opened is a span of its own, and each change of plan.
    let parts = |id: &ChargeId| {
        let charge = charges().find(|charge| charge.id == *id);
        match charge.map(|charge| &charge.purpose) {
            Some(ChargeFor::Upgrade(change)) => change.times.len(),
            _ => 0,
        }
    };
    let opened: usize = records()
        .map(|record| match record.paid_charge() {
            Some(charge) => parts(charge),
            None => usize::try_from(record.periods).unwrap(),
        })
        .sum();
    let smaller: usize = charges()
        .map(|charge| match &charge.purpose {
            ChargeFor::Downgrade(change) => change.times.len(),
            _ => 0,
        })
        .sum();
    let is_span = |fact: &&Fact| matches!(fact, Fact::Span(_));
    let spans = books.paid_time.facts().iter().filter(is_span).count();
    assert_eq!(opened + smaller, spans, "account {number}");
}

/// Each transfer of the story is in the registry with its own amount, and stands once at the most.
fn check_registry(host: &Host, events: &[Happening]) {
    let mut told = BTreeMap::new();
    for event in events {
        if let What::Transfer {
            transaction,
            amount,
            ..
        } = &event.what
        {
            told.insert(transaction.as_str(), *amount);
        }
    }
    for (transaction, records) in &host.transfers {
        for record in records {
            let amount = told.get(transaction.as_str()).copied().map(euros);
            assert!(amount.is_none_or(|amount| amount == record.transfer.amount()));
        }
        let standing = records.iter().filter(|one| one.retracted_at.is_none());
        assert!(standing.count() <= 1, "{transaction}");
    }
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
    assert!(events.len() > 20_000, "{}", events.len());
    let host = play(ACCOUNTS, &events, &[]);
    check_registry(&host, &events);
    let mut statuses = BTreeMap::new();
    for (number, books) in host.books.iter().enumerate() {
        match method(number) {
            PaymentMethod::BankTransfer => check_transfers(number, &host),
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
            statuses.get(status).is_some_and(|count| *count > 5),
            "{statuses:?}"
        );
    }
    let count = |what: fn(&Books) -> bool| host.books.iter().filter(|books| what(books)).count();
    assert!(count(|books| books.deposit.is_some()) > 50);
    assert!(count(|books| !books.spent.is_zero()) > 150);
    assert!(count(|books| !books.granted.is_zero()) > 25);
    assert!(count(|books| !books.wallet.balance_at(at(END)).unwrap().debt.is_zero()) > 3);
    let records = |what: fn(&ConfirmedTransfer) -> bool| {
        let all = host.transfers.values().flatten();
        all.filter(|record| what(record)).count()
    };
    assert!(records(|record| !record.refunded.is_zero()) > 10);
    assert!(records(|record| record.periods == 0) > 25);
    assert!(records(|record| !record.written_off.is_zero()) > 15);
    assert!(records(|record| record.retracted_at.is_some()) > 15);
    assert!(records(|record| record.retractions > 0) > 3);
    assert!(records(|record| record.paid_charge().is_some()) > 15);
    let facts = |what: fn(&Fact) -> bool| {
        let all = host.books.iter().flat_map(|books| books.paid_time.facts());
        all.filter(|fact| what(fact)).count()
    };
    let is_rest = |fact: &Fact| match fact {
        Fact::Span(span) => matches!(span.period, BilledPeriod::EndingAt(_)),
        _ => false,
    };
    assert!(facts(is_rest) > 25);
    assert!(facts(|fact| matches!(fact, Fact::Credit(_))) > 25);
    assert!(facts(|fact| matches!(fact, Fact::Void(_))) > 25);
    assert!(facts(|fact| matches!(fact, Fact::Stop(_))) > 10);
    assert!(count(|books| books.subscription.plan == FREE.into()) > 3);
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
    let reports = |event: &&Happening| {
        matches!(
            event.what,
            What::Snapshot(..) | What::Payment(..) | What::Undone(..)
        )
    };
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
