//! Scripts of paid time against one wallet: `tests/tables/paid_time/*.txt`. Each row is a fact or a
//! command, and ends in its expected answer.
//!
//! ```text
//! begin [slack=SECONDS] [rollover=AMOUNT] [dispute=SECONDS]      an empty wallet, and no facts
//! plan NAME AMOUNT INTERVAL EVERY                                as in `plan year 500 1year 1month`
//! clock TIME
//! pay KEY PLAN START [from=T] [made=T] [received=T] [payment=NAME] [ending=yes]      fresh | same
//! credit KEY PLAN START at=T [made=T] [payment=NAME]                                 fresh | same
//! stop KEY at=T [made=T]       void PAYMENT                                          fresh | same
//! hold KEY UNITS      settle KEY COST      release KEY      deduct KEY UNITS
//! balance free=… held=… spent=… debt=… expired=… revoked=… granted=…
//! window START END earned=… brought=… lapsed=…
//! aligned raised=… lowered=… debt=… forgotten=…                  of the last fact
//! shares START END 0=SENTENCE 1=SENTENCE                         the payments of a window
//! until T                                                        paid until
//! ```
//!
//! A period is named by its start. A fact is heard at the clock, and the wallet aligned by it.

use std::collections::BTreeMap;

use crate::support::host::{ACCOUNT, Host, credit_policy, month};
use crate::support::script::{
    Compared, Fault, Row, Script, credit, moment, number, pass_all, play, play_all, seconds, told,
};
use crate::support::{at, credits};
use bailiwick::credit::{AlignTerms, Alignment, GrantTerms};
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span, Stop, TimeCredit, Void};
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::Overage;
use bailiwick::{Credits, Wallet};
use chrono::{DateTime, TimeDelta, Utc};

/// A plan as a script names it.
#[derive(Clone, Copy)]
struct Sold {
    amount: Credits,
    interval: Interval,
    grid: Grid,
}

/// What one script has come to.
struct Course {
    host: Host,
    time: PaidTime,
    terms: AlignTerms,
    plans: BTreeMap<String, Sold>,
    now: DateTime<Utc>,
    alignment: Option<Alignment>,
}

fn interval(text: &str) -> Result<Interval, Fault> {
    let place = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or("an interval is a number and a unit")?;
    let (count, unit) = text.split_at(place);
    let unit = match unit {
        "day" => IntervalUnit::Day,
        "week" => IntervalUnit::Week,
        "month" => IntervalUnit::Month,
        "year" => IntervalUnit::Year,
        _ => return Err(format!("there is no unit `{unit}`")),
    };

    Ok(Interval {
        unit,
        count: number(count)?,
    })
}

impl Course {
    fn sold(&self, plan: &str) -> Result<Sold, Fault> {
        self.plans
            .get(plan)
            .copied()
            .ok_or_else(|| format!("there is no plan `{plan}`"))
    }

    fn period(&self, plan: &str, start: &str) -> Result<Period, Fault> {
        self.sold(plan)?
            .interval
            .period(moment(start)?, 0)
            .ok_or_else(|| "the calendar ends".to_owned())
    }

    fn hear(&mut self, fact: Fact) -> Result<String, Fault> {
        let recorded = self.time.clone().record([fact]);
        let change = recorded.map_err(|error| error.to_string())?;
        if let Some(change) = change {
            // The row, too, goes through the store's text.
            let text = serde_json::to_string(change.row()).unwrap();
            self.time = serde_json::from_str(&text).unwrap();
        }

        let wallet = self.host.wallet.clone();
        let aligned = wallet.align(&self.time.schedule(), self.terms, self.now);
        match aligned.map_err(|error| error.to_string())? {
            Some(change) => {
                self.alignment = Some(self.host.write(change));
                let again = self.host.wallet.clone();
                let again = again.align(&self.time.schedule(), self.terms, self.now);
                assert_eq!(again, Ok(None), "aligning twice is aligning once");
                Ok("fresh".to_owned())
            }
            None => Ok("same".to_owned()),
        }
    }

    fn seconds(&self) -> i64 {
        (self.now - at(0)).num_seconds()
    }
}

impl Script for Course {
    fn new() -> Self {
        let mut host = Host::under(credit_policy(Overage::Reject));
        host.wallet = Wallet::open(ACCOUNT.into(), at(0));

        Self {
            host,
            time: PaidTime::new(ACCOUNT.into(), 1.into()),
            terms: AlignTerms::new(TimeDelta::try_hours(3).unwrap()),
            plans: BTreeMap::new(),
            now: at(0),
            alignment: None,
        }
    }

    fn row(&mut self, row: &Row) -> Compared {
        let time = |name: &str| row.read(name, moment);
        let answer = match row.command {
            "begin" => {
                row.no_words()?;
                row.only(&["slack", "rollover", "dispute"])?;
                let plans = std::mem::take(&mut self.plans);
                *self = Self {
                    plans,
                    ..Self::new()
                };
                if let Some(slack) = row.read("slack", seconds)? {
                    self.terms.slack = TimeDelta::try_seconds(slack).unwrap();
                }
                if let Some(dispute) = row.read("dispute", seconds)? {
                    self.terms.dispute_time = TimeDelta::try_seconds(dispute).unwrap();
                }
                self.terms.rollover = row.read("rollover", credit)?;
                return Ok(None);
            }
            "plan" => {
                let [name, amount, whole, every] = row.words[..] else {
                    return Err("`plan` takes a name, an amount and two intervals".to_owned());
                };
                let interval_of_plan = interval(whole)?;
                let sold = Sold {
                    amount: credit(amount)?,
                    interval: interval_of_plan,
                    grid: Grid::of(interval_of_plan, interval(every)?),
                };
                self.plans.insert(name.to_owned(), sold);
                return Ok(None);
            }
            "clock" => {
                let [time] = row.words[..] else {
                    return Err("`clock` takes one time".to_owned());
                };
                self.now = moment(time)?;
                return Ok(None);
            }
            "pay" => {
                row.only(&["from", "made", "received", "payment", "ending"])?;
                let [key, plan, start] = row.words()?;
                let (sold, period) = (self.sold(plan)?, self.period(plan, start)?);
                let from = time("from")?.unwrap_or(period.start);
                let billed = if row.is("ending", "yes") {
                    BilledPeriod::EndingAt(period.end)
                } else {
                    BilledPeriod::Whole(period)
                };
                self.hear(Fact::Span(Span {
                    key: key.into(),
                    payment: row.get("payment").unwrap_or(key).into(),
                    period: billed,
                    from,
                    grid: sold.grid,
                    amount: sold.amount,
                    made: time("made")?.unwrap_or(from),
                    received: time("received")?.unwrap_or(from),
                }))?
            }
            "credit" => {
                row.only(&["at", "made", "payment"])?;
                let [key, plan, start] = row.words()?;
                let instant = time("at")?.ok_or("a credit is `at=` a time")?;
                self.hear(Fact::Credit(TimeCredit {
                    key: key.into(),
                    payment: row.get("payment").unwrap_or(key).into(),
                    period: BilledPeriod::Whole(self.period(plan, start)?),
                    at: instant,
                    made: time("made")?.unwrap_or(instant),
                }))?
            }
            "stop" => {
                row.only(&["at", "made"])?;
                let [key] = row.words()?;
                let instant = time("at")?.ok_or("a stop is `at=` a time")?;
                self.hear(Fact::Stop(Stop {
                    key: key.into(),
                    at: instant,
                    made: time("made")?.unwrap_or(instant),
                }))?
            }
            "void" => {
                let [payment] = row.words()?;
                self.hear(Fact::Void(Void {
                    key: format!("void/{payment}").into(),
                    payment: payment.into(),
                }))?
            }
            "hold" => {
                let [key, units] = row.words()?;
                let now = self.seconds();
                self.host
                    .hold(number(key)?, number(units)?, 366 * 86_400, now)
                    .to_owned()
            }
            "settle" => {
                let [key, cost] = row.words()?;
                let now = self.seconds();
                self.host
                    .settle(number(key)?, number(cost)?, now)
                    .to_owned()
            }
            "release" => {
                let [key] = row.words()?;
                let now = self.seconds();
                self.host.release(number(key)?, now).to_owned()
            }
            "deduct" => {
                let [key, units] = row.words()?;
                let now = self.seconds();
                self.host
                    .deduct(number(key)?, number(units)?, now)
                    .to_owned()
            }
            "balance" => {
                row.no_words()?;
                let balance = self.host.wallet.balance_at(self.now);
                let balance = balance.map_err(|error| error.to_string())?;
                return row.compare(|name, _| {
                    Ok(match name {
                        "granted" => balance.granted,
                        "free" => balance.free,
                        "held" => balance.held,
                        "spent" => balance.spent,
                        "expired" => balance.expired,
                        "revoked" => balance.revoked,
                        "debt" => balance.debt,
                        _ => return Err(format!("a balance has no `{name}`")),
                    }
                    .to_string())
                });
            }
            "window" => {
                let [start, end] = row.words[..] else {
                    return Err("`window` takes its start and its end".to_owned());
                };
                let window = Period {
                    start: moment(start)?,
                    end: moment(end)?,
                };
                let target = self.time.schedule().target(window, self.terms.slack);
                let target = target.ok_or("a sum leaves its range")?;
                return row.compare(|name, expected| {
                    Ok(match name {
                        "earned" => target.amount.to_string(),
                        "late" => target.late.to_string(),
                        "until" => told(Some(target.expires_at), expected)?,
                        "late_until" => told(Some(target.late_expires_at), expected)?,
                        _ => return Err(format!("a window has no `{name}`")),
                    })
                });
            }
            "aligned" => {
                row.no_words()?;
                let alignment = self.alignment.clone().ok_or("nothing was aligned")?;
                return row.compare(|name, _| {
                    Ok(match name {
                        "raised" => alignment.raised.to_string(),
                        "lowered" => alignment.lowered.to_string(),
                        "debt" => alignment.debt.to_string(),
                        "forgotten" => alignment.before_memory.len().to_string(),
                        _ => return Err(format!("an alignment has no `{name}`")),
                    })
                });
            }
            "shares" => {
                let [start, end] = row.words[..] else {
                    return Err("`shares` takes a window's start and its end".to_owned());
                };
                let window = Period {
                    start: moment(start)?,
                    end: moment(end)?,
                };
                let schedule = self.time.schedule();
                return row.compare(|name, _| {
                    let share = schedule
                        .shares(window)
                        .nth(number(name)?)
                        .ok_or_else(|| format!("there is no share {name}"))?;
                    Ok(share.to_string().replace(' ', "_"))
                });
            }
            "until" => {
                let [expected] = row.words[..] else {
                    return Err("`until` takes one time".to_owned());
                };
                let seen = told(self.time.paid_until(), expected)?;
                return Ok(Some((expected.to_owned(), seen)));
            }
            other => return Err(format!("there is no command `{other}`")),
        };

        Ok(Some((row.answer().to_owned(), answer)))
    }

    fn check(&self) -> Result<(), Fault> {
        let ledger = self.host.ledger.iter().cloned();
        let replayed = Wallet::replay(&ACCOUNT.into(), ledger);
        match replayed {
            Ok(replayed) if replayed.equals_but_for_version(&self.host.wallet) => Ok(()),
            Ok(_) => Err("the stored wallet is not the fold of its ledger".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[test]
fn pa1_every_row_of_the_table_of_paid_time_answers_as_it_says() {
    pass_all(&play_all("paid_time", Course::new));
}

/// Up and down, and what is taken down and no longer there becomes debt. Each row of a script is
/// aligned twice.
#[test]
fn c13_aligning_sets_the_credits_to_what_was_paid() {
    let course = Course::new();
    let script = "plan pro 2000 1month 1month\n\
                  clock 2029-01-01\n\
                  pay one pro 2029-01-01 fresh\n\
                  balance free=2000 debt=0\n\
                  deduct 1 1500 fresh\n\
                  clock 2029-01-16T12:00:00\n\
                  credit back pro 2029-01-01 at=2029-01-16T12:00:00 fresh\n\
                  aligned lowered=1000 debt=500\n\
                  balance free=0 debt=500\n\
                  void back fresh\n\
                  balance free=500 debt=0";
    let failures = play(course, "c13", script).failures;
    assert!(failures.is_empty(), "{failures:?}");
}

/// What was paid decides about a window's credits, and no operator does.
#[test]
fn pa1_a_windows_credits_cannot_be_revoked() {
    let script = "plan pro 2000 1month 1month\n\
                  clock 2029-01-01\n\
                  pay one pro 2029-01-01 fresh";
    let mut host = play(Course::new(), "t", script).script.host;
    let stored = serde_json::to_value(&host.wallet).unwrap();
    let grant = stored["grants"][0]["grant"]["id"].as_str().unwrap();

    let now = 450 * 86_400;
    assert_eq!(host.revoke(grant, now), "not_found");
    assert_eq!(host.wallet.balance().free, credits(2000));
}

/// The row of a year that was paid at once is a quarter of one with a grant for each of its months.
#[test]
fn the_row_of_a_paid_year_is_a_quarter_of_twelve_grants() {
    let size = |wallet: &Wallet| serde_json::to_string(wallet).unwrap().len();
    let empty = size(&Wallet::open(ACCOUNT.into(), at(0)));

    let mut granted = Host::new(Overage::Reject);
    for which in 0..12 {
        let (key, month) = month(which).unwrap();
        let terms = GrantTerms::month(credits(500), month);
        assert_eq!(granted.enter_month(&key, &terms, at(0)), "fresh");
    }

    let mut course = Course::new();
    let year = Interval::YEARLY.period(at(0), 0).unwrap();
    let fact = Fact::Span(Span {
        key: "in_1MtHbELkdIwHu7ixl4OzzPMv/il_1MtHbELkdIwHu7ix".into(),
        payment: "in_1MtHbELkdIwHu7ixl4OzzPMv".into(),
        period: BilledPeriod::Whole(year),
        from: at(0),
        grid: Grid::of(Interval::YEARLY, Interval::MONTHLY),
        amount: credits(500),
        made: at(0),
        received: at(0),
    });
    assert_eq!(course.hear(fact).unwrap(), "fresh");
    assert_eq!(
        course.host.wallet.balance().free,
        granted.wallet.balance().free
    );

    let (aligned, granted) = (
        size(&course.host.wallet) - empty,
        size(&granted.wallet) - empty,
    );
    println!("a year aligned: {aligned} bytes; as twelve grants: {granted}");
    assert!(aligned * 4 <= granted, "{aligned} bytes against {granted}");
}
