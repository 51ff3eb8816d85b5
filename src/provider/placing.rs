//! The placing of a payment's lines: which of them become facts of paid time, and which do not.

use std::sync::Arc;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::line::{LineKind, LineOutcome, PaidLine, RecordedLine, canceled};
use super::report::ProviderPayment;
use crate::change::RowError;
use crate::money::Money;
use crate::paid_time::{BilledPeriod, Fact, Grid, Span, TimeCredit};
use crate::payment_method::Provider;
use crate::period::Period;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::subscription::Subscription;

/// A plan of the host's, and a price by which a provider knows it.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ProviderPrice {
    /// The provider's name of the price: Stripe's price, PayPal's plan.
    pub price: String,
    /// The plan that it pays for, with the price in money.
    pub plan: Arc<Plan>,
}

/// The facts that a payment's lines become.
pub(super) struct Placed {
    pub(super) lines: Vec<RecordedLine>,
    pub(super) facts: Vec<Fact>,
}

/// The text that names a payment in its facts.
pub(super) fn payment_key(provider: Provider, invoice: &str) -> Arc<str> {
    format!("invoice/{}/{invoice}", provider.payment_method().as_str()).into()
}

/// The text that names the part of a payment that gave back what an earlier line of it had paid: a
/// credit ends no span of its own payment.
pub(super) fn later_key(payment: &str) -> Arc<str> {
    format!("{payment}/given-back").into()
}

impl Policy {
    /// Places the lines of a payment. Those of prices that the host does not know decide nothing.
    pub(super) fn place_provider_lines(
        &self,
        payment: &ProviderPayment,
        subscription: &Subscription,
        prices: &[ProviderPrice],
    ) -> Result<Placed, RowError> {
        let is_own = subscription.payment_method == payment.provider.payment_method();
        let key = payment_key(payment.provider, &payment.invoice);
        let canceled = canceled(&payment.lines);

        let mut spans: Vec<Span> = Vec::new();
        let mut outcomes: Vec<Option<LineOutcome>> = Vec::new();
        for (line, canceled) in payment.lines.iter().zip(canceled) {
            let plan = plan_of(line, subscription, prices);
            let outcome = match plan {
                _ if canceled => LineOutcome::Canceled,
                None => LineOutcome::PriceUnknown,
                // What it means depends on the lines that pay.
                Some(_) if line.kind.gives_back() => {
                    outcomes.push(None);
                    continue;
                }
                Some(_) if !is_own => LineOutcome::OtherMethod,
                Some(plan) if !self.pays_at_provider(line, plan) => LineOutcome::TooLittle,
                Some(plan) => match self.provider_span(payment, line, plan, &key)? {
                    Some(span) => {
                        spans.push(span);
                        LineOutcome::Paid
                    }
                    None => LineOutcome::TimeInvalid,
                },
            };
            outcomes.push(Some(outcome));
        }

        let mut placed = Placed {
            lines: Vec::new(),
            facts: Vec::new(),
        };
        for (line, outcome) in payment.lines.iter().zip(outcomes) {
            let outcome = outcome.unwrap_or_else(|| {
                let (outcome, credit) = given_back(payment, line, &spans, &key);
                placed.facts.extend(credit.map(Fact::Credit));
                outcome
            });
            placed.lines.push(RecordedLine {
                line: line.clone(),
                outcome,
            });
        }
        placed.facts.extend(spans.into_iter().map(Fact::Span));

        Ok(placed)
    }

    /// Returns the time that a line pays for; `None` if it is none.
    fn provider_span(
        &self,
        payment: &ProviderPayment,
        line: &PaidLine,
        plan: &Plan,
        key: &Arc<str>,
    ) -> Result<Option<Span>, RowError> {
        let grid = Grid::of_plan(plan);
        let (period, from) = match line.kind {
            LineKind::Period(period) if period.start < period.end => {
                (BilledPeriod::Whole(period), period.start)
            }
            LineKind::Remaining(period) if period.start < period.end => {
                (BilledPeriod::EndingAt(period.end), period.start)
            }
            LineKind::IntervalFrom(at) if plan.interval.period(at, 0).is_some() => {
                let slack = self.renewal_slack().min(grid.longest_slack());
                let period = BilledPeriod::Interval {
                    interval: plan.interval,
                    slack_seconds: u32::try_from(slack.num_seconds()).unwrap_or_default(),
                };
                (period, at)
            }
            _ => return Ok(None),
        };

        let out_of_range = RowError::Overflow {
            of: "credits of the payment",
        };
        Ok(Some(Span {
            key: format!("{key}/{}", line.key).into(),
            payment: key.clone(),
            period,
            from,
            grid,
            amount: plan
                .credits
                .checked_mul(line.quantity)
                .ok_or(out_of_range)?,
            made: payment.made,
            received: payment.received,
        }))
    }

    /// Returns whether a line pays for its time. For the rest of a period it must be at least the
    /// share of the price, less one smallest unit for the provider's rounding. A line says only
    /// where the period ends, so the share is that of the longest period which ends there.
    fn pays_at_provider(&self, line: &PaidLine, plan: &Plan) -> bool {
        if line.amount.currency() != plan.price.currency() {
            return false;
        }
        if self.provider_discounts {
            return true;
        }

        let price = plan.price.share(line.quantity.into(), 1);
        let due = match line.kind {
            LineKind::Remaining(rest) => price.and_then(|price| rest_of_price(price, rest, plan)),
            _ => price,
        };
        due.is_some_and(|due| line.amount.checked_sub(due).is_some())
    }
}

/// Returns the least that the rest of a period costs.
fn rest_of_price(price: Money, rest: Period, plan: &Plan) -> Option<Money> {
    let seconds = |length: TimeDelta| length.num_seconds();
    let whole = plan.interval.before(rest.end)?;
    let whole = seconds(rest.end.signed_duration_since(whole));
    let part = seconds(rest.end.signed_duration_since(rest.start));
    let share = price.share(part, whole)?;

    let currency = price.currency();
    let unit = Decimal::try_from_i128_with_scale(1, currency.places()).ok()?;
    let unit = Money::new(unit, currency).ok()?;
    Some(share.checked_sub(unit).unwrap_or(Money::zero(currency)))
}

/// Returns the plan that a line is for. A line without a price is for the plan whose price it is to
/// the cent, the subscription's own before others, and else for the subscription's own.
fn plan_of<'a>(
    line: &PaidLine,
    subscription: &Subscription,
    prices: &'a [ProviderPrice],
) -> Option<&'a Plan> {
    let mut plans = prices.iter().map(|known| known.plan.as_ref());
    let Some(price) = &line.price else {
        let own = plans.clone().find(|plan| plan.id == subscription.plan);
        let costs = |plan: &&Plan| plan.price.share(line.quantity.into(), 1) == Some(line.amount);

        return own.filter(costs).or_else(|| plans.find(costs)).or(own);
    };

    prices
        .iter()
        .find(|known| known.price == *price)
        .map(|known| known.plan.as_ref())
}

/// Returns what a line that gives time back comes to beside the lines of its invoice that pay.
fn given_back(
    payment: &ProviderPayment,
    line: &PaidLine,
    spans: &[Span],
    key: &Arc<str>,
) -> (LineOutcome, Option<TimeCredit>) {
    let LineKind::GivenBack(rest) = line.kind else {
        return (LineOutcome::TimeInvalid, None);
    };
    if rest.start >= rest.end {
        return (LineOutcome::TimeInvalid, None);
    }

    let same_end = || {
        spans
            .iter()
            .filter(|span| span.period.end() == Some(rest.end))
    };
    let is_rest = |span: &Span| matches!(span.period, BilledPeriod::EndingAt(_));
    if same_end().any(|span| is_rest(span) && span.from == rest.start) {
        return (LineOutcome::PartOfChange, None);
    }

    let payment_key = if same_end().any(|span| span.from < rest.start) {
        later_key(key)
    } else {
        key.clone()
    };
    let credit = TimeCredit {
        key: format!("{key}/{}", line.key).into(),
        payment: payment_key,
        period: BilledPeriod::EndingAt(rest.end),
        at: rest.start,
        made: payment.made,
    };
    (LineOutcome::GivenBack, Some(credit))
}
