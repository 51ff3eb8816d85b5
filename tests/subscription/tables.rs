//! Scripts of commands to one subscription: `tests/tables/subscription/*.txt`. Each row is a
//! command and ends in its expected answer: the status to which it leads, or the reason of the
//! refusal.
//!
//! ```text
//! policy slack=3d grace=5d first_payment=2d after_trial=pause|invoice|cancel
//!        after_grace=unpaid|cancel
//! clock 2026-02-14                      or with a time: 2026-02-14T12:00:00
//! given STATUS|new FACTS                where the facts are, if they are to be others:
//!     ending=yes period=none period=free pending=PLAN@DATE unpaid=CHARGE@DATE pays=METHOD
//!     provider_at=DATE
//!
//! start_trial until=DATE                activate PAYMENT            record_payment PAYMENT
//! pay PAYMENT                           whichever of both the status needs, where a payment is
//!     every=week|month|year slack=3d pays=METHOD id=TEXT
//! end_trial then=pause|invoice|cancel [slack=3d]   exhaust_retries then=unpaid|cancel
//! expire_incomplete window=2d           end_period slack=3d
//! change_plan plan=N                    change_plan_at_period_end plan=N
//! fail_first_payment, fail_payment, mark_unpaid, pause, resume, cancel_now,
//! cancel_at_period_end, withdraw_cancellation, start_pending_plan
//! start_free plan=N [costs=30]          renew_free plan=N [costs=30]
//!
//! free N …                              the plans without a price; every other one costs 49
//! each COMMAND … [FACTS]                the same from every status: eight answers, in their order
//! due                                   the command that time has made due, or `nothing`
//! advance                               gives it, and whatever it makes due
//! gate                                  admitted, or the code of the denial
//! plan                                  the plan that the gate serves, or `none`
//! prorate FROM TO [in=CURRENCY]         unused/charge; every plan costs 30
//!
//! subscription status=… from=T until=T anchor=T trial_end=T plan=N pending=N ending=yes|no
//!              past_due_since=T pays=… external=… version=N
//! did effects=A+B                       the effects of the last command
//! ```
//!
//! A `policy` begins anew. Any status but `new` and `incomplete` comes with a period from 31 January
//! to 28 February 2026, `trialing` with a trial as long, and `past_due` is so since 10 February. A
//! refusal that names a time is written with it: `end_period slack=3d again=2026-03-03 too_early`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::script::{
    Compared, Fault, Played, Refusals, Row, Script, fails, moment, number, one_of, pass_all,
    play_all, scripts, seconds, told, variants,
};
use crate::support::{plan, tenant};
use bailiwick::gate::Denial;
use bailiwick::id::PlanId;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::{AfterRetries, AfterTrial, GraceMode, GraceSettings, PolicySettings};
use bailiwick::subscription::{
    Command, CommandKind, Effect, PendingPlan, RecordedPayment, Refusal, RefusalReason,
    SubscriptionStatus as Status, Transition, UnpaidPlan,
};
use bailiwick::{Access, Money, Plan, Policy, Principal, Subscription, Tenant};
use chrono::{DateTime, TimeDelta, Utc};

const ACCOUNT: i64 = 7;
const DAY: u64 = 86_400;
const FACTS: [&str; 6] = [
    "ending",
    "period",
    "pending",
    "unpaid",
    "pays",
    "provider_at",
];

/// What one script has come to.
struct Story {
    policy: Policy,
    now: DateTime<Utc>,
    subscription: Subscription,
    /// The plans without a price.
    free: BTreeSet<i64>,
    effects: Vec<Effect>,
    refusals: Refusals,
    /// The cells of the table that a row stood on, and why commands were refused.
    cells: BTreeSet<(&'static str, &'static str)>,
    reasons: BTreeSet<&'static str>,
}

fn day(text: &str) -> DateTime<Utc> {
    moment(text).unwrap()
}

fn length(text: &str) -> Result<TimeDelta, Fault> {
    TimeDelta::try_seconds(seconds(text)?).ok_or_else(|| format!("`{text}` is too long"))
}

fn method(text: &str) -> Result<PaymentMethod, Fault> {
    PaymentMethod::from_text(text).ok_or_else(|| format!("there is no payment method `{text}`"))
}

fn after_trial(text: &str) -> Result<AfterTrial, Fault> {
    one_of(
        text,
        "end of a trial",
        &[
            ("pause", AfterTrial::Pause),
            ("invoice", AfterTrial::Invoice),
            ("cancel", AfterTrial::Cancel),
        ],
    )
}

fn after_retries(text: &str) -> Result<AfterRetries, Fault> {
    one_of(
        text,
        "end of a grace",
        &[
            ("unpaid", AfterRetries::Unpaid),
            ("cancel", AfterRetries::Cancel),
        ],
    )
}

fn new(now: DateTime<Utc>) -> Subscription {
    let method = PaymentMethod::BankTransfer;
    Subscription::new(1.into(), ACCOUNT.into(), 3.into(), method, now)
}

/// A subscription in a status, with the facts that a row names.
fn in_status(status: Status, row: &Row) -> Result<Subscription, Fault> {
    let period = Period {
        start: day("2026-01-31"),
        end: day("2026-02-28"),
    };
    let mut given = Subscription {
        status,
        current_period: (status != Status::Incomplete).then_some(period),
        trial_end: (status == Status::Trialing).then_some(period.end),
        past_due_since: (status == Status::PastDue).then_some(day("2026-02-10")),
        ..new(period.start)
    };
    given.cancel_at_period_end = row.is("ending", "yes");
    given.provider_at = row.read("provider_at", moment)?;
    given.free_period = row.is("period", "free");
    if row.is("period", "none") {
        given.current_period = None;
    }
    if let Some(method) = row.read("pays", method)? {
        given.payment_method = method;
    }
    given.pending_plan = row.read("pending", |text| {
        let (plan, at) = text.split_once('@').ok_or("a pending plan is PLAN@DATE")?;
        Ok(PendingPlan {
            plan: number::<i64>(plan)?.into(),
            at: moment(at)?,
        })
    })?;
    given.unpaid_plan = row.read("unpaid", |text| {
        let (charge, until) = text
            .split_once('@')
            .ok_or("an unpaid plan is CHARGE@DATE")?;
        Ok(UnpaidPlan {
            charge: number::<i64>(charge)?.into(),
            until: moment(until)?,
        })
    })?;
    Ok(given)
}

fn payment(row: &Row) -> Result<RecordedPayment, Fault> {
    let unit = one_of(
        row.get("every").unwrap_or("month"),
        "interval",
        &[
            ("week", IntervalUnit::Week),
            ("month", IntervalUnit::Month),
            ("year", IntervalUnit::Year),
        ],
    )?;
    Ok(RecordedPayment {
        interval: Interval {
            unit,
            ..Interval::MONTHLY
        },
        slack: row
            .read("slack", length)?
            .unwrap_or(TimeDelta::try_days(3).unwrap()),
        method: row
            .read("pays", method)?
            .unwrap_or(PaymentMethod::BankTransfer),
        external_id: row.get("id").map(str::to_owned),
    })
}

fn command(name: &str, row: &Row) -> Result<Command, Fault> {
    let zero = TimeDelta::zero();
    let plan = || Ok::<_, Fault>(row.read("plan", number::<i64>)?.ok_or("plan=N")?.into());
    Ok(match name {
        "start_trial" => Command::StartTrial {
            until: row.read("until", moment)?.ok_or("a trial has an end")?,
        },
        "activate" => Command::Activate(payment(row)?),
        "record_payment" => Command::RecordPayment(payment(row)?),
        "fail_first_payment" => Command::FailFirstPayment,
        "expire_incomplete" => Command::ExpireIncomplete {
            window: row.read("window", length)?.unwrap_or(zero),
        },
        "end_trial" => Command::EndTrial {
            then: row.read("then", after_trial)?.ok_or("then=…")?,
            slack: row.read("slack", length)?.unwrap_or(zero),
        },
        "fail_payment" => Command::FailPayment,
        "exhaust_retries" => Command::ExhaustRetries {
            then: row.read("then", after_retries)?.ok_or("then=…")?,
        },
        "mark_unpaid" => Command::MarkUnpaid,
        "pause" => Command::Pause,
        "resume" => Command::Resume,
        "cancel_now" => Command::CancelNow,
        "cancel_at_period_end" => Command::CancelAtPeriodEnd,
        "withdraw_cancellation" => Command::WithdrawCancellation,
        "end_period" => Command::EndPeriod {
            slack: row.read("slack", length)?.unwrap_or(zero),
        },
        "change_plan" => Command::ChangePlan { plan: plan()? },
        "change_plan_at_period_end" => Command::ChangePlanAtPeriodEnd { plan: plan()? },
        "start_pending_plan" => Command::StartPendingPlan,
        "start_free" | "renew_free" => {
            let price = row.read("costs", number::<i64>)?.unwrap_or_default();
            let plan = Arc::new(Plan {
                id: plan()?,
                ..crate::support::plan(price, true)
            });
            match name {
                "start_free" => Command::StartFree { plan },
                _ => Command::RenewFree { plan },
            }
        }
        _ => return Err(format!("there is no command `{name}`")),
    })
}

impl Story {
    fn under(settings: PolicySettings) -> Self {
        let now = day("2026-02-14");
        Self {
            policy: Policy::load(settings).unwrap(),
            now,
            subscription: new(now),
            free: BTreeSet::new(),
            effects: Vec::new(),
            refusals: Refusals::default(),
            cells: BTreeSet::new(),
            reasons: BTreeSet::new(),
        }
    }

    fn settings() -> PolicySettings {
        PolicySettings {
            renewal_slack_seconds: 3 * DAY,
            past_due_grace: Some(GraceSettings {
                seconds: 5 * DAY,
                mode: GraceMode::Full,
            }),
            first_payment_seconds: 2 * DAY,
            ..PolicySettings::default()
        }
    }

    fn policy(&mut self, row: &Row) -> Result<(), Fault> {
        row.no_words()?;
        let mut settings = Self::settings();
        for (name, value) in &row.named {
            match *name {
                "slack" => settings.renewal_slack_seconds = seconds(value)?.unsigned_abs(),
                "grace" => {
                    settings.past_due_grace = Some(GraceSettings {
                        seconds: seconds(value)?.unsigned_abs(),
                        mode: GraceMode::Full,
                    });
                }
                "first_payment" => settings.first_payment_seconds = seconds(value)?.unsigned_abs(),
                "after_trial" => settings.after_trial = after_trial(value)?,
                "after_grace" => settings.after_grace = after_retries(value)?,
                _ => return Err(format!("a policy has no `{name}`")),
            }
        }
        self.check()?;
        *self = Self {
            refusals: std::mem::take(&mut self.refusals),
            cells: std::mem::take(&mut self.cells),
            reasons: std::mem::take(&mut self.reasons),
            ..Self::under(settings)
        };
        Ok(())
    }

    fn given(&mut self, row: &Row) -> Result<(), Fault> {
        row.only(&FACTS)?;
        self.subscription = match row.words[..] {
            ["new"] => new(self.now),
            [status] => in_status(Status::from_text(status), row)?,
            _ => return Err("`given` takes one status".to_owned()),
        };
        Ok(())
    }

    /// Notes what became of a command, and says it.
    fn told(
        &mut self,
        from: Status,
        row: &Row,
        answer: &Result<Transition, Refusal>,
    ) -> Result<String, Fault> {
        let kind = match answer {
            Ok(done) => done.command().unwrap(),
            Err(refusal) => refusal.command(),
        };
        self.cells.insert((from.as_str(), kind.as_str()));
        match answer {
            Ok(done) => Ok(done.to().as_str().to_owned()),
            Err(refusal) => {
                let reason = refusal.reason().as_str();
                self.reasons.insert(reason);
                let again = row.read("again", moment)?;
                if again.is_some() && again != refusal.valid_until() {
                    return Err(format!("refused until {:?}", refusal.valid_until()));
                }
                Ok(reason.to_owned())
            }
        }
    }

    fn take(&mut self, done: Transition) {
        assert_eq!(done.expected_version(), self.subscription.version);
        assert_eq!(done.subscription().version, self.subscription.version + 1);
        self.effects = done.effects().cloned().collect();
        self.subscription = done.into_subscription();
    }

    fn apply(&mut self, row: &Row) -> Result<String, Fault> {
        row.only(&[
            "until", "then", "window", "slack", "plan", "every", "pays", "id", "again", "costs",
        ])?;
        let before = self.subscription.clone();
        let from = before.status;
        let answer = match row.command {
            "pay" => before.record_payment(payment(row)?, self.now),
            name => before.apply(command(name, row)?, self.now),
        };
        let [] = row.words()?;
        let seen = self.told(from, row, &answer)?;
        if let Ok(done) = answer {
            self.take(done);
        }
        Ok(seen)
    }

    /// The same command from every status.
    fn each(&mut self, row: &Row) -> Compared {
        let (name, expected) = row.words.split_first().ok_or("`each` takes a command")?;
        if expected.len() != Status::ALL.len() {
            return Err("`each` ends in an answer for every status".to_owned());
        }
        let mut seen = Vec::new();
        for status in Status::ALL {
            let before = in_status(status, row)?;
            let answer = before.apply(command(name, row)?, self.now);
            seen.push(self.told(status, row, &answer)?);
        }
        Ok(Some((expected.join(" "), seen.join(" "))))
    }

    /// What time alone has made due, to its end.
    fn advance(&mut self) -> String {
        let before = self.subscription.clone();
        let mut commands = Vec::new();
        for done in self
            .policy
            .advance_subscription(&before, &self.plans(), self.now)
        {
            commands.push(done.command().unwrap().as_str());
            self.take(done);
        }
        if commands.is_empty() {
            "nothing".to_owned()
        } else {
            commands.join("+")
        }
    }

    /// The command that time has made due, by the name of its row in the table.
    fn due(&self) -> Result<String, Fault> {
        let due = self
            .policy
            .command_due(&self.subscription, &self.plans(), self.now);
        let Some(command) = due else {
            return Ok("nothing".to_owned());
        };
        match self.subscription.clone().apply(command, self.now) {
            Ok(done) => Ok(done.command().unwrap().as_str().to_owned()),
            Err(refusal) => Err(format!("what is due is refused: {refusal}")),
        }
    }

    /// The plan that the host has.
    fn plan_of(&self, id: &PlanId) -> Arc<Plan> {
        let is_free = id.as_integer().is_some_and(|id| self.free.contains(&id));
        Arc::new(Plan {
            id: id.clone(),
            ..plan(if is_free { 0 } else { 49 }, true)
        })
    }

    /// The plans that the subscription names.
    fn plans(&self) -> Vec<Arc<Plan>> {
        let subscription = &self.subscription;
        vec![
            self.plan_of(&subscription.plan),
            self.plan_of(subscription.next_plan()),
        ]
    }

    /// Asks the gate for a tenant who is well but for the subscription.
    fn ask(&self) -> Result<Access, Denial> {
        let pending = self.subscription.pending_plan.as_ref();
        let tenant = Tenant {
            plan: Some(self.plan_of(&self.subscription.plan)),
            next_plan: pending.map(|pending| self.plan_of(&pending.plan)),
            subscription: Some(self.subscription.clone()),
            ..tenant(ACCOUNT)
        };
        let principal = Principal::session(1.into()).of_account(ACCOUNT.into());
        self.policy
            .validate_account_and_plan(&principal, Some(&tenant), self.now)
    }

    /// Whether a tenant who is well but for the subscription is let in.
    fn gate(&mut self, row: &Row) -> String {
        match self.ask() {
            Ok(_) => "admitted".to_owned(),
            Err(denial) => self.refusals.answer(row, &denial),
        }
    }

    fn prorate(&mut self, row: &Row) -> Result<String, Fault> {
        row.only(&["in"])?;
        let [from, to] = row.words()?;
        let currency = row.read("in", |text| {
            Currency::try_from(text).map_err(|error| error.to_string())
        })?;
        let of = |id: &str, currency| -> Result<Plan, Fault> {
            Ok(Plan {
                id: number::<i64>(id)?.into(),
                price: Money::new(30.into(), currency).map_err(|error| error.to_string())?,
                ..plan(30, true)
            })
        };
        let from = of(from, Currency::EUR)?;
        let to = of(to, currency.unwrap_or(Currency::EUR))?;
        match self.subscription.prorate(&from, &to, self.now) {
            Ok(shares) => Ok(format!(
                "{}/{}",
                shares.unused.amount(),
                shares.charge.amount()
            )),
            Err(error) => Ok(self.refusals.answer(row, &error)),
        }
    }

    fn look(&self, row: &Row) -> Compared {
        row.no_words()?;
        let of = &self.subscription;
        let period = of.current_period;
        let pending = of.pending_plan.as_ref();
        let or_none = |text: Option<String>| text.unwrap_or("none".to_owned());
        row.compare(|name, expected| match name {
            "status" => Ok(of.status.as_str().to_owned()),
            "from" => told(period.map(|period| period.start), expected),
            "until" => told(period.map(|period| period.end), expected),
            "anchor" => told(Some(of.anchor), expected),
            "trial_end" => told(of.trial_end, expected),
            "plan" => Ok(of.plan.to_string()),
            "pending" => Ok(or_none(pending.map(|pending| pending.plan.to_string()))),
            "ending" => Ok(if of.cancel_at_period_end { "yes" } else { "no" }.to_owned()),
            "past_due_since" => told(of.past_due_since, expected),
            "pays" => Ok(of.payment_method.as_str().to_owned()),
            "external" => Ok(or_none(of.external_payment_id.clone())),
            "version" => Ok(of.version.to_string()),
            _ => Err(format!("a subscription has no `{name}`")),
        })
    }
}

impl Script for Story {
    fn new() -> Self {
        Self::under(Self::settings())
    }

    fn row(&mut self, row: &Row) -> Compared {
        let seen = match row.command {
            "policy" => return self.policy(row).map(|()| None),
            "given" => return self.given(row).map(|()| None),
            "clock" => match row.words[..] {
                [time] if row.named.is_empty() => {
                    self.now = moment(time)?;
                    return Ok(None);
                }
                _ => return Err("`clock` takes one time".to_owned()),
            },
            "each" => return self.each(row),
            "subscription" => return self.look(row),
            "did" => {
                row.no_words()?;
                let effects: Vec<&str> = self.effects.iter().map(Effect::label).collect();
                let effects = match effects[..] {
                    [] => "none".to_owned(),
                    _ => effects.join("+"),
                };
                return row.compare(|name, _| match name {
                    "effects" => Ok(effects.clone()),
                    _ => Err(format!("`did` knows no `{name}=`")),
                });
            }
            "due" => self.due()?,
            "advance" => self.advance(),
            "gate" => self.gate(row),
            "plan" => match self.ask() {
                Ok(access) => access.plan().id.to_string(),
                Err(_) => "none".to_owned(),
            },
            "free" => {
                let plans = row.words.iter().map(|plan| number(plan));
                self.free = plans.collect::<Result<_, _>>()?;
                return Ok(None);
            }
            "prorate" => self.prorate(row)?,
            _ => self.apply(row)?,
        };
        Ok(Some((row.answer().to_owned(), seen)))
    }

    /// Checks that the row survives its store.
    fn check(&self) -> Result<(), Fault> {
        let text = serde_json::to_string(&self.subscription).map_err(|error| error.to_string())?;
        match serde_json::from_str::<Subscription>(&text) {
            Ok(stored) if stored == self.subscription => Ok(()),
            other => Err(format!("stored, it is {other:?}")),
        }
    }
}

fn all() -> Vec<Played<Story>> {
    play_all("subscription", Story::new)
}

#[test]
fn b1_every_row_of_every_script_answers_as_it_says() {
    pass_all(&all());
}

/// Every cell of the table is stood on by some row, and every reason and every error given by one.
#[test]
fn b1_the_scripts_reach_every_cell_and_every_refusal() {
    let played = all();
    let cells: BTreeSet<_> = played.iter().flat_map(|one| &one.script.cells).collect();
    for status in Status::ALL {
        for command in CommandKind::ALL {
            let cell = (status.as_str(), command.as_str());
            assert!(cells.contains(&cell), "no row stands on {cell:?}");
        }
    }

    let reasons: BTreeSet<_> = played.iter().flat_map(|one| &one.script.reasons).collect();
    for reason in RefusalReason::ALL {
        // The end of the calendar and of the versions: no date of a script is so late.
        let is_reached = reasons.contains(&reason.as_str()) || *reason == RefusalReason::OutOfRange;
        assert!(is_reached, "no row answers {reason:?}");
    }

    let refusals = played.iter().flat_map(|one| &one.script.refusals.0);
    let reached: BTreeSet<String> = refusals
        .filter(|(error, ..)| *error == "ProrationError")
        .map(|(_, variant, _)| variant.clone())
        .collect();
    for variant in variants("ProrationError") {
        // A share of a price never leaves the range that the price itself is in.
        let is_reached = reached.contains(&variant) || variant == "OutOfRange";
        assert!(is_reached, "no row answers ProrationError::{variant}");
    }
}

#[test]
fn a_script_that_cannot_be_read_is_reported_with_its_line() {
    for (script, expected) in [
        ("\nfly away", "t:2: fly away\n    there is no command `fly`"),
        (
            "start_trial trialing",
            "t:1: start_trial trialing\n    a trial has an end",
        ),
        (
            "pause wings=2 paused",
            "t:1: pause wings=2 paused\n    `pause` knows no `wings=`",
        ),
        (
            "clock someday",
            "t:1: clock someday\n    `someday` is no number of the right size",
        ),
        (
            "clock 2026-02-31",
            "t:1: clock 2026-02-31\n    `2026-02-31` is no date and no time",
        ),
        (
            "each pause paused",
            "t:1: each pause paused\n    `each` ends in an answer for every status",
        ),
        (
            "subscription wings=2",
            "t:1: subscription wings=2\n    a subscription has no `wings`",
        ),
        (
            "given active\npause active",
            "t:2: pause active\n    expected active\n    seen     paused",
        ),
        (
            "subscription plan=4",
            "t:1: subscription plan=4\n    expected plan=4\n    seen     plan=3",
        ),
    ] {
        fails::<Story>(script, expected);
    }
}

scripts! { Story:
    fn b1_every_command_leads_from_every_status_as_the_script_says() runs "subscription/every_status.txt";
    fn b1_a_subscription_from_its_first_day_to_its_last() runs "subscription/life.txt";
    fn past_due_since_is_set_once_and_cleared() runs "subscription/past_due.txt";
    fn b2_a_job_takes_no_access_away_that_time_had_not_taken() runs "subscription/jobs.txt";
    fn b2_what_time_makes_due_is_due_to_the_second() runs "subscription/due.txt";
    fn b2_what_moved_from_a_provider_falls_due_again() runs "subscription/provider.txt";
    fn b2_what_is_over_can_be_neither_paused_nor_resumed() runs "subscription/over.txt";
    fn b2_a_trial_lasts_at_least_a_moment() runs "subscription/trial.txt";
    fn b4_january_the_31st_comes_back() runs "subscription/january.txt";
    fn b4_a_payment_in_trial_pays_from_its_end() runs "subscription/trial_paid.txt";
    fn b4_another_interval_counts_from_the_end_of_the_period() runs "subscription/intervals.txt";
    fn b5_a_payment_leads_from_every_live_status_to_active() runs "subscription/payments.txt";
    fn b2_a_plan_without_a_price_lives_by_time_alone() runs "subscription/free.txt";
    fn a_change_of_plan_without_a_price_says_why() runs "subscription/proration.txt";
}
