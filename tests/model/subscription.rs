//! The oracle: what the documentation of others promises of each status, written down by hand, and
//! a plain model of what the commands do. It shares no code with the crate: statuses and commands
//! are texts, time is whole seconds, a calendar of its own counts months.

/// What a command makes of a status, in the labels of the public interface.
pub type Answer = Result<&'static str, &'static str>;

/// The table, by status instead of by command.
pub fn oracle(status: &str, command: &str) -> Answer {
    // Stripe: canceled and incomplete_expired are terminal. A status that nobody knows is refused
    // everything.
    if status == "canceled" || status == "incomplete_expired" {
        return Err("terminal");
    }
    // Stripe: any live subscription can be canceled, at once or with its period.
    if command == "cancel_now" {
        return Ok("canceled");
    }
    match status {
        // Incomplete: active when paid within the window, else incomplete_expired; or a trial
        // first.
        "incomplete" => match command {
            "start_trial" => Ok("trialing"),
            "activate" | "start_free" => Ok("active"),
            "expire_incomplete" => Ok("incomplete_expired"),
            "fail_first_payment" | "change_plan" => Ok("incomplete"),
            "change_plan_at_period_end" => Err("no_period"),
            "start_pending_plan" => Err("no_change_pending"),
            "end_trial_then_pause" | "end_trial_then_invoice" | "end_trial_then_cancel" => {
                Err("not_in_trial")
            }
            "exhaust_retries_then_unpaid" | "exhaust_retries_then_cancel" | "mark_unpaid" => {
                Err("not_past_due")
            }
            "resume" => Err("not_paused"),
            "cancel_at_period_end" => Err("no_period"),
            "withdraw_cancellation" => Err("nothing_to_withdraw"),
            "record_payment" | "fail_payment" | "pause" | "end_period" | "end_last_period"
            | "renew_free" => Err("not_started"),
            other => panic!("{other}"),
        },
        // Trialing: active when paid; paused, canceled or asked to pay when the trial ends without
        // a payment method.
        "trialing" => match command {
            "activate" | "start_free" => Ok("active"),
            "end_trial_then_pause" => Ok("paused"),
            "end_trial_then_invoice" => Ok("past_due"),
            "end_trial_then_cancel" | "end_last_period" => Ok("canceled"),
            "cancel_at_period_end"
            | "withdraw_cancellation"
            | "change_plan"
            | "change_plan_at_period_end" => Ok("trialing"),
            "start_trial" => Err("already_so"),
            "fail_first_payment" | "expire_incomplete" => Err("started"),
            "exhaust_retries_then_unpaid" | "exhaust_retries_then_cancel" | "mark_unpaid" => {
                Err("not_past_due")
            }
            "resume" => Err("not_paused"),
            "record_payment" | "fail_payment" | "pause" | "end_period" | "start_pending_plan"
            | "renew_free" => Err("in_trial"),
            other => panic!("{other}"),
        },
        // Active: past_due when a charge fails or the due date passes; paused by command.
        "active" => match command {
            "fail_payment" | "end_period" => Ok("past_due"),
            "pause" => Ok("paused"),
            "end_last_period" => Ok("canceled"),
            "record_payment" | "cancel_at_period_end" | "withdraw_cancellation" => Ok("active"),
            "change_plan" | "change_plan_at_period_end" | "start_pending_plan" => Ok("active"),
            "start_free" | "renew_free" => Ok("active"),
            "activate" => Err("already_so"),
            "start_trial" | "fail_first_payment" | "expire_incomplete" => Err("started"),
            "end_trial_then_pause" | "end_trial_then_invoice" | "end_trial_then_cancel" => {
                Err("not_in_trial")
            }
            "exhaust_retries_then_unpaid" | "exhaust_retries_then_cancel" | "mark_unpaid" => {
                Err("not_past_due")
            }
            "resume" => Err("not_paused"),
            other => panic!("{other}"),
        },
        // Past due: active when paid; canceled or unpaid when the retries are exhausted.
        "past_due" => match command {
            "record_payment" | "start_free" | "renew_free" => Ok("active"),
            "exhaust_retries_then_unpaid" | "mark_unpaid" => Ok("unpaid"),
            "exhaust_retries_then_cancel" | "end_last_period" => Ok("canceled"),
            "fail_payment" | "cancel_at_period_end" | "withdraw_cancellation" => Ok("past_due"),
            "start_trial" | "activate" | "fail_first_payment" | "expire_incomplete" => {
                Err("started")
            }
            "end_trial_then_pause" | "end_trial_then_invoice" | "end_trial_then_cancel" => {
                Err("not_in_trial")
            }
            "resume" => Err("not_paused"),
            "pause" | "end_period" | "change_plan" => Err("payment_due"),
            "change_plan_at_period_end" | "start_pending_plan" => Err("payment_due"),
            other => panic!("{other}"),
        },
        // Unpaid: active when the latest invoice is paid.
        "unpaid" => match command {
            "record_payment" | "start_free" | "renew_free" => Ok("active"),
            "end_last_period" => Ok("canceled"),
            "fail_payment" | "withdraw_cancellation" => Ok("unpaid"),
            "start_trial" | "activate" | "fail_first_payment" | "expire_incomplete" => {
                Err("started")
            }
            "end_trial_then_pause" | "end_trial_then_invoice" | "end_trial_then_cancel" => {
                Err("not_in_trial")
            }
            "exhaust_retries_then_unpaid" | "mark_unpaid" => Err("already_so"),
            "exhaust_retries_then_cancel" => Err("not_past_due"),
            "resume" => Err("not_paused"),
            "cancel_at_period_end" => Err("no_period"),
            "pause" | "end_period" | "change_plan" => Err("payment_due"),
            "change_plan_at_period_end" | "start_pending_plan" => Err("payment_due"),
            other => panic!("{other}"),
        },
        // Paused: active when resumed, or paid.
        "paused" => match command {
            "resume" | "record_payment" => Ok("active"),
            // Nothing is to be paid, but the pause was asked for.
            "start_free" | "renew_free" => Ok("paused"),
            "end_last_period" => Ok("canceled"),
            "cancel_at_period_end" | "withdraw_cancellation" => Ok("paused"),
            "pause" => Err("already_so"),
            "start_trial" | "activate" | "fail_first_payment" | "expire_incomplete" => {
                Err("started")
            }
            "end_trial_then_pause" | "end_trial_then_invoice" | "end_trial_then_cancel" => {
                Err("not_in_trial")
            }
            "exhaust_retries_then_unpaid" | "exhaust_retries_then_cancel" | "mark_unpaid" => {
                Err("not_past_due")
            }
            "fail_payment" | "end_period" => Err("nothing_due"),
            "change_plan" | "change_plan_at_period_end" | "start_pending_plan" => {
                Err("resume_first")
            }
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}

const DAY: i64 = 86_400;

/// A plan's interval: every so many days, or every so many months.
#[derive(Clone, Copy, Debug)]
pub enum Every {
    Days(i64),
    Months(i64),
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, counted year by year and month by
/// month.
fn days_before(year: i64, month: i64) -> i64 {
    let years: i64 = (1970..year).map(year_length).sum();
    years
        + (1..month)
            .map(|month| month_length(year, month))
            .sum::<i64>()
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn year_length(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds since 1970 after so many intervals from an anchor, which must not be before 1970.
pub fn after(every: Every, anchor: i64, k: i64) -> i64 {
    let months = match every {
        Every::Days(days) => return anchor + k * days * DAY,
        Every::Months(months) => k * months,
    };
    let (mut year, mut month, mut day) = (1970, 1, anchor / DAY);
    while day >= year_length(year) {
        day -= year_length(year);
        year += 1;
    }
    while day >= month_length(year, month) {
        day -= month_length(year, month);
        month += 1;
    }
    let later = year * 12 + month - 1 + months;
    let (year, month) = (later / 12, later % 12 + 1);
    (days_before(year, month) + day.min(month_length(year, month) - 1)) * DAY + anchor % DAY
}

/// A command with its data, in the model's terms. The name is that of the command, not yet of the
/// table's row.
#[derive(Clone, Debug)]
pub enum Order {
    StartTrial {
        until: i64,
    },
    Pay {
        first: bool,
        every: Every,
        slack: i64,
    },
    ExpireIncomplete {
        window: i64,
    },
    EndTrial {
        row: &'static str,
        slack: i64,
    },
    EndPeriod {
        slack: i64,
    },
    ChangePlan {
        plan: i64,
    },
    ChangePlanAtPeriodEnd {
        plan: i64,
    },
    /// A plan without a price, or wrongly one with a price, starts.
    StartFree {
        plan: i64,
        every: Every,
        priced: bool,
    },
    /// The next period of one begins.
    RenewFree {
        plan: i64,
        every: Every,
        priced: bool,
    },
    Plain(&'static str),
}

/// A subscription, in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub status: &'static str,
    pub plan: i64,
    pub anchor: i64,
    pub period: Option<(i64, i64)>,
    /// Whether that period costs nothing.
    pub free: bool,
    pub trial_end: Option<i64>,
    pub ending: bool,
    /// The plan that follows, and from when.
    pub pending: Option<(i64, i64)>,
    pub past_due_since: Option<i64>,
}

impl Model {
    pub fn new(plan: i64, now: i64) -> Self {
        Self {
            status: "incomplete",
            plan,
            anchor: now,
            period: None,
            free: false,
            trial_end: None,
            ending: false,
            pending: None,
            past_due_since: None,
        }
    }

    fn is_next_paid(&self) -> bool {
        !self.free
            && self
                .pending
                .is_some_and(|(_, from)| self.period.is_some_and(|(start, _)| start >= from))
    }

    /// The period that runs now, of those that follow from an instant on, with its anchor. Counted
    /// up, one by one.
    fn running(&self, every: Every, from: i64, now: i64) -> (i64, (i64, i64)) {
        let on_grid = (0..)
            .map(|k| after(every, self.anchor, k))
            .find(|at| *at >= from)
            == Some(from);
        let anchor = if on_grid { self.anchor } else { from };
        let mut period = (anchor, after(every, anchor, 1));
        let mut k = 1;
        while period.1 <= now.max(from) {
            k += 1;
            period = (period.1, after(every, anchor, k));
        }
        (anchor, period)
    }

    /// What follows, or the label of the reason why nothing does.
    pub fn apply(&self, order: &Order, now: i64) -> Result<Self, &'static str> {
        let row = match order {
            Order::StartTrial { .. } => "start_trial",
            Order::Pay { first: true, .. } => "activate",
            Order::Pay { first: false, .. } => "record_payment",
            Order::ExpireIncomplete { .. } => "expire_incomplete",
            Order::EndTrial { .. } if self.ending => "end_trial_then_cancel",
            Order::EndTrial { row, .. } => row,
            Order::EndPeriod { .. } if self.ending => "end_last_period",
            Order::EndPeriod { .. } => "end_period",
            Order::ChangePlan { .. } => "change_plan",
            Order::ChangePlanAtPeriodEnd { .. } => "change_plan_at_period_end",
            Order::StartFree { .. } => "start_free",
            Order::RenewFree { .. } => "renew_free",
            Order::Plain(row) => row,
        };
        let status = oracle(self.status, row)?;
        let end = if self.status == "trialing" {
            self.trial_end
        } else {
            self.period.map(|(_, end)| end)
        };
        let is_over = |slack: i64| end.is_none_or(|end| now >= end + slack.max(0));
        if self.ending && is_over(0) && status != "canceled" {
            return Err("ended");
        }
        let mut next = Self {
            status,
            ..self.clone()
        };
        match order {
            Order::StartTrial { until } if *until <= now => return Err("trial_empty"),
            Order::StartTrial { until } => {
                next.period = Some((now, *until));
                next.trial_end = Some(*until);
                next.anchor = *until;
                next.free = false;
            }
            Order::Pay { every, slack, .. } => {
                // Who was shut out has had nothing of the time since.
                let was_in = ["trialing", "active", "past_due"].contains(&self.status);
                // What costs nothing gives way to a plan that waits for nothing but its payment.
                let waits = self.free && self.pending.is_some_and(|(_, from)| from <= now);
                let follows = !waits && !is_over(if was_in { *slack } else { 0 });
                next.free = false;
                let start = if follows { end.unwrap() } else { now };
                // Counted up from the anchor, one by one.
                let on_grid = (0..)
                    .map(|k| after(*every, self.anchor, k))
                    .find(|at| *at >= start)
                    == Some(start);
                next.anchor = if follows && on_grid {
                    self.anchor
                } else {
                    start
                };
                let end = (1..)
                    .map(|k| after(*every, next.anchor, k))
                    .find(|at| *at > start)
                    .unwrap();
                next.period = Some((start, end));
                if let (Some((plan, _)), true) = (self.pending, start <= now) {
                    next.plan = plan;
                    next.pending = None;
                }
            }
            Order::ExpireIncomplete { window } if now < self.anchor + (*window).max(0) => {
                return Err("too_early");
            }
            Order::EndTrial { slack, .. } | Order::EndPeriod { slack }
                if !is_over(if self.ending { 0 } else { *slack }) =>
            {
                return Err("too_early");
            }
            // Another plan was paid for, early: it follows, and nothing else.
            Order::ChangePlan { .. } if self.is_next_paid() => return Err("plan_paid"),
            Order::ChangePlan { plan } if *plan == self.plan => return Err("already_so"),
            // Nothing was paid that the other plan could use: it waits for its first payment.
            Order::ChangePlan { plan } if self.free => match self.pending {
                Some((pending, from)) if pending == *plan && from <= now => {
                    return Err("already_so");
                }
                _ => next.pending = Some((*plan, now)),
            },
            Order::ChangePlan { plan } => {
                next.plan = *plan;
                next.pending = None;
            }
            Order::StartFree { priced: true, .. } | Order::RenewFree { priced: true, .. } => {
                return Err("not_free");
            }
            Order::StartFree { plan, every, .. } => {
                let pending = self.pending.filter(|(pending, _)| pending == plan);
                let from = match (pending, self.status) {
                    (Some(_), _) if self.is_next_paid() => return Err("plan_paid"),
                    (Some((_, from)), _) => from,
                    (None, _) if *plan != self.plan => return Err("other_plan"),
                    (None, "incomplete") => self.anchor,
                    (None, "trialing") => end.unwrap_or(self.anchor),
                    (None, _) => return Err("already_so"),
                };
                if now < from {
                    return Err("too_early");
                }
                let (anchor, period) = self.running(*every, from, now);
                (next.anchor, next.period, next.free) = (anchor, Some(period), true);
                if pending.is_some() {
                    (next.plan, next.pending) = (*plan, None);
                }
            }
            Order::RenewFree { plan, .. } if *plan != self.plan => return Err("other_plan"),
            Order::RenewFree { every, .. } => {
                let was_due = ["past_due", "unpaid"].contains(&self.status);
                let runs = end.is_some_and(|end| now < end);
                if was_due && (runs || self.is_next_paid()) {
                    // What was due is due no more, and the period goes on.
                } else if self.is_next_paid() {
                    return Err("plan_paid");
                } else if runs {
                    return Err("too_early");
                } else {
                    let from = end.unwrap_or(self.anchor);
                    let (anchor, period) = self.running(*every, from, now);
                    (next.anchor, next.period, next.free) = (anchor, Some(period), true);
                }
            }
            // What comes next already: nothing to change.
            Order::ChangePlanAtPeriodEnd { plan }
                if *plan == self.pending.map_or(self.plan, |(plan, _)| plan) =>
            {
                return Err("already_so");
            }
            Order::ChangePlanAtPeriodEnd { .. } if self.is_next_paid() => return Err("plan_paid"),
            Order::ChangePlanAtPeriodEnd { .. } if is_over(0) => return Err("no_period"),
            Order::ChangePlanAtPeriodEnd { plan } => {
                next.pending = if *plan == self.plan {
                    None
                } else {
                    Some((*plan, end.unwrap()))
                };
            }
            Order::Plain("start_pending_plan") => match self.pending {
                None => return Err("no_change_pending"),
                Some((_, from)) if now < from => return Err("too_early"),
                Some((_, from)) if self.period.is_none_or(|(start, _)| start < from) => {
                    return Err("payment_due");
                }
                Some((plan, _)) => {
                    next.plan = plan;
                    next.pending = None;
                }
            },
            Order::Plain("pause" | "resume") if is_over(0) => return Err("no_period"),
            Order::Plain("cancel_at_period_end") if self.ending => return Err("already_so"),
            Order::Plain("cancel_at_period_end") if is_over(0) => return Err("no_period"),
            Order::Plain("cancel_at_period_end") => next.ending = true,
            Order::Plain("withdraw_cancellation") if !self.ending => {
                return Err("nothing_to_withdraw");
            }
            Order::Plain("withdraw_cancellation") => next.ending = false,
            _ => {}
        }
        next.past_due_since = match (self.status, status) {
            ("past_due", "past_due") => self.past_due_since,
            (_, "past_due") => Some(end.map_or(now, |end| end.min(now))),
            _ => None,
        };
        next.ending &= status != "canceled";
        next.pending = next.pending.filter(|_| status != "canceled");
        Ok(next)
    }
}
