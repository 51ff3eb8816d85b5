//! The story of an account whose subscription a provider runs, with the facts of paid time that each
//! report comes to by the rules.

use super::{BASIC, DAY, Happening, PRO, Random, SLACK, What, YEAR, YEARLY};
use super::{at, cents, credits, euros, price, second, send};
use crate::paid_time_model::{Billed, EndOfService, Every, Line, NegativeLine, SECOND, Told};
use bailiwick::payment_method::Provider;
use bailiwick::period::{Interval, Period};
use bailiwick::provider::{
    LineKind, PaidLine, ProviderItem, ProviderPayment, ProviderSnapshot, ProviderUndone, Undoing,
};
use bailiwick::subscription::SubscriptionStatus;
use chrono::{DateTime, Utc};

pub fn tell(
    random: &mut Random,
    account: usize,
    provider: Provider,
    began: i64,
    events: &mut Vec<Happening>,
) {
    let is_stripe = provider == Provider::Stripe;
    let mut customer = Customer {
        account,
        provider,
        subscription: format!("sub_{account}"),
        bought: Bought {
            plan: BASIC,
            seats: if is_stripe { 1 + random.below(3) } else { 1 },
        },
        invoices: 0,
        random,
        events,
    };
    customer.year(began);
}

/// A plan, and how many times.
#[derive(Clone, Copy, PartialEq)]
struct Bought {
    plan: i64,
    seats: i64,
}

impl Bought {
    fn price(self) -> i64 {
        price(self.plan) * self.seats
    }

    /// Millionths of a credit in each window.
    fn amount(self) -> i128 {
        i128::from(credits(self.plan) * self.seats) * 1_000_000
    }

    fn interval(self) -> Interval {
        if self.plan == YEARLY {
            Interval::YEARLY
        } else {
            Interval::MONTHLY
        }
    }
}

/// A line of an invoice: the time, what it is for, and how many cents.
type InvoiceLine = (LineKind, Bought, i64);

struct Customer<'a> {
    account: usize,
    provider: Provider,
    subscription: String,
    bought: Bought,
    invoices: usize,
    random: &'a mut Random,
    events: &'a mut Vec<Happening>,
}

impl Customer<'_> {
    fn year(&mut self, began: i64) {
        let first = Interval::MONTHLY.period(at(began), 0).unwrap();
        self.snapshot(SubscriptionStatus::Incomplete, began, first, |_| {});
        let mut anchor = began;
        if self.random.chance(15) {
            anchor += 14 * DAY;
            let trial = Period {
                start: at(began),
                end: at(anchor),
            };
            let with_trial = |snapshot: &mut ProviderSnapshot| snapshot.trial = Some(trial);
            self.snapshot(SubscriptionStatus::Trialing, began + 1, trial, with_trial);
        }

        let mut number = 0;
        // What a smaller plan has left over comes with the next invoice.
        let mut pending: Vec<InvoiceLine> = vec![];
        loop {
            let period = self.bought.interval().period(at(anchor), number).unwrap();
            let Some((paid_at, invoice)) = self.period(period, &mut pending) else {
                return;
            };
            number += 1;

            let now = paid_at + 1 + self.random.below(15 * DAY);
            let story = self.random.below(100);
            if self.provider == Provider::Paypal {
                match story {
                    0..6 => self.bought.plan = BASIC + PRO - self.bought.plan,
                    6..12 => self.undo(&invoice, now, Some(period)),
                    _ => {}
                }
                continue;
            }
            match story {
                0..12 => {
                    let before = self.bought;
                    if self.random.chance(50) {
                        self.bought.plan = BASIC + PRO - before.plan;
                    } else {
                        self.bought.seats = 1 + self.random.below(4);
                    }
                    pending = self.change(before, period, now);
                }
                12..20 => {
                    let before = self.bought;
                    self.bought.plan = [BASIC, PRO, YEARLY][usize::try_from(story % 3).unwrap()];
                    let invoice = self.reset(before, period, now);
                    if self.bought.plan == YEARLY {
                        return self.yearly(&invoice, now);
                    }
                    (anchor, number) = (now, 1);
                }
                20..23 => return self.delete(now, period),
                // A renewal with the lines of a change is another matter.
                23..30 if invoice.lines.len() == 1 => self.undo(&invoice, now, Some(period)),
                _ => {}
            }
        }
    }

    /// A period begins: it is paid at once, or late, or never. Returns when, and the payment, if the
    /// subscription goes on.
    fn period(
        &mut self,
        period: Period,
        pending: &mut Vec<InvoiceLine>,
    ) -> Option<(i64, ProviderPayment)> {
        let start = second(period.start);
        if start >= YEAR {
            return None;
        }

        let story = self.random.below(100);
        let mut paid_at = start + 1;
        if story < 12 {
            let made = start + 1 + self.random.below(3_600);
            self.snapshot(SubscriptionStatus::PastDue, made, period, |_| {});
            paid_at = made + 1 + self.random.below(8 * DAY);
        }
        if story < 3 {
            self.snapshot(SubscriptionStatus::Canceled, paid_at, period, |_| {});
            return None;
        }

        let ends = story == 99;
        self.snapshot(SubscriptionStatus::Active, paid_at, period, |snapshot| {
            snapshot.cancel_at_period_end = ends;
        });
        let kind = match self.provider {
            Provider::Stripe => LineKind::Period(period),
            Provider::Paypal => LineKind::IntervalFrom(at(paid_at)),
        };
        let mut lines = vec![(kind, self.bought, self.bought.price() * 100)];
        lines.append(pending);
        let made = match self.provider {
            Provider::Stripe => start,
            Provider::Paypal => paid_at,
        };
        let invoice = self.invoice(made, paid_at, &lines);
        if ends {
            let made = second(period.end);
            self.snapshot(SubscriptionStatus::Canceled, made, period, |_| {});
            return None;
        }
        Some((paid_at, invoice))
    }

    /// Another plan or number of seats within a period: paid at once if it costs more, else with the
    /// next invoice.
    fn change(&mut self, before: Bought, period: Period, now: i64) -> Vec<InvoiceLine> {
        if self.bought == before {
            return vec![];
        }
        self.snapshot(SubscriptionStatus::Active, now, period, |_| {});
        let rest = Period {
            start: at(now),
            end: period.end,
        };
        let share = |bought: Bought| {
            let whole = second(period.end) - second(period.start);
            let left = second(period.end) - now;
            (bought.price() * 100 * left + whole - 1) / whole
        };
        let lines = vec![
            (LineKind::GivenBack(rest), before, share(before)),
            (LineKind::Remaining(rest), self.bought, share(self.bought)),
        ];
        if self.bought.price() <= before.price() {
            return lines;
        }

        let invoice = self.invoice(now, now, &lines);
        if self.random.chance(15) {
            self.undo(&invoice, now + 3_600, None);
        }
        vec![]
    }

    /// A new period that begins at once; what is left of the old one is given back.
    fn reset(&mut self, before: Bought, period: Period, now: i64) -> ProviderPayment {
        let next = self.bought.interval().period(at(now), 0).unwrap();
        self.snapshot(SubscriptionStatus::Active, now, next, |_| {});
        let rest = Period {
            start: at(now),
            end: period.end,
        };
        let lines = [
            (LineKind::GivenBack(rest), before, 100),
            (
                LineKind::Period(next),
                self.bought,
                self.bought.price() * 100,
            ),
        ];
        self.invoice(now, now, &lines)
    }

    /// The rest of the year is paid: some of it is given back, or lost.
    fn yearly(&mut self, invoice: &ProviderPayment, began: i64) {
        let now = began + DAY + self.random.below(100 * DAY);
        let period = Interval::YEARLY.period(at(began), 0).unwrap();
        match self.random.below(4) {
            0 => self.delete(now, period),
            1 => self.undo(invoice, now, Some(period)),
            _ => {}
        }
    }

    /// It is deleted at the provider, and nothing is given back.
    fn delete(&mut self, now: i64, period: Period) {
        self.snapshot(SubscriptionStatus::Canceled, now, period, |snapshot| {
            snapshot.ended_at = Some(at(now));
        });
    }

    /// All the money goes back, or is lost in a dispute. Without a period, it paid for a change.
    fn undo(&mut self, invoice: &ProviderPayment, now: i64, period: Option<Period>) {
        let how = if self.random.chance(50) {
            Undoing::Refunded
        } else {
            Undoing::Reversed
        };
        let undone = ProviderUndone {
            provider: self.provider,
            invoice: Some(invoice.invoice.clone()),
            reference: "pi_1".into(),
            how,
            amount: invoice.amount,
            at: at(now),
        };
        let name = &invoice.invoice;
        let told = match period.filter(|_| how == Undoing::Refunded) {
            Some(period) => Told::NegativeLine(NegativeLine {
                key: format!("refund/{name}"),
                invoice: format!("refund/{name}"),
                period: match self.provider {
                    Provider::Stripe => whole_period(period),
                    Provider::Paypal => sale(),
                },
                at: nanos(at(now)),
                made: nanos(at(now)),
            }),
            None => Told::NeverPaid(format!("void/{name}"), name.clone()),
        };
        let what = What::Undone(undone, vec![told]);
        send(self.random, self.account, now, &what, self.events);
    }

    fn snapshot(
        &mut self,
        status: SubscriptionStatus,
        made: i64,
        period: Period,
        with: impl FnOnce(&mut ProviderSnapshot),
    ) {
        let mut snapshot = ProviderSnapshot {
            provider: self.provider,
            subscription: self.subscription.clone(),
            reference: Some((self.account + 10).to_string()),
            items: vec![ProviderItem {
                price: self.bought.plan.to_string(),
                quantity: self.bought.seats.try_into().unwrap(),
                period: Some(period),
            }],
            at: at(made),
            status,
            anchor: period.start,
            trial: None,
            cancel_at_period_end: false,
            cancel_at: None,
            ended_at: None,
        };
        with(&mut snapshot);
        let stop = snapshot.ended_at.map(|end| {
            Told::EndOfService(EndOfService {
                key: format!("stop/{}", self.subscription),
                at: nanos(end),
                made: nanos(end),
            })
        });
        let what = What::Snapshot(snapshot, stop.into_iter().collect());
        send(self.random, self.account, made, &what, self.events);
    }

    fn invoice(&mut self, made: i64, paid_at: i64, lines: &[InvoiceLine]) -> ProviderPayment {
        let invoice = format!("in_{}_{}", self.account, self.invoices);
        self.invoices += 1;
        let line = |(number, (kind, bought, amount)): (usize, &InvoiceLine)| PaidLine {
            key: format!("line-{number}"),
            price: (self.provider == Provider::Stripe).then(|| bought.plan.to_string()),
            quantity: bought.seats.try_into().unwrap(),
            amount: cents(*amount),
            kind: *kind,
        };
        let payment = ProviderPayment {
            provider: self.provider,
            subscription: self.subscription.clone(),
            reference: Some((self.account + 10).to_string()),
            invoice: invoice.clone(),
            made: at(made),
            received: at(paid_at),
            amount: euros(self.bought.price()),
            lines: lines.iter().enumerate().map(line).collect(),
        };

        let is_change = |rest: Period| {
            let mut lines = lines.iter();
            lines.any(|(kind, ..)| *kind == LineKind::Remaining(rest))
        };
        let told = lines.iter().enumerate().filter_map(|(number, line)| {
            let (kind, bought, _) = *line;
            let (period, from) = match kind {
                LineKind::Period(period) => (whole_period(period), period.start),
                LineKind::Remaining(rest) => (Billed::EndingAt(nanos(rest.end)), rest.start),
                LineKind::IntervalFrom(from) => (sale(), from),
                LineKind::GivenBack(rest) if is_change(rest) => return None,
                LineKind::GivenBack(rest) => {
                    return Some(Told::NegativeLine(NegativeLine {
                        key: format!("{invoice}/{number}"),
                        invoice: invoice.clone(),
                        period: Billed::EndingAt(nanos(rest.end)),
                        at: nanos(rest.start),
                        made: nanos(at(made)),
                    }));
                }
            };
            Some(Told::Line(Line {
                key: format!("{invoice}/{number}"),
                invoice: invoice.clone(),
                period,
                from: nanos(from),
                every: Every::Months(1),
                windows: if bought.plan == YEARLY { 12 } else { 1 },
                amount: bought.amount(),
                made: nanos(at(made)),
                received: nanos(at(paid_at)),
            }))
        });
        let what = What::Payment(payment.clone(), told.collect());
        send(self.random, self.account, paid_at, &what, self.events);
        payment
    }
}

fn nanos(at: DateTime<Utc>) -> i128 {
    i128::from(at.timestamp()) * SECOND
}

fn whole_period(period: Period) -> Billed {
    Billed::Whole(nanos(period.start), nanos(period.end))
}

fn sale() -> Billed {
    Billed::Sale(Every::Months(1), i128::from(SLACK) * SECOND)
}
