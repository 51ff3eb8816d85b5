//! A second opinion on credits that follow paid time, written the naive way from the rules PT, PW
//! and PA. It counts in seconds and in millionths of a credit, asks for each stretch of time which
//! payments paid it, and shares no code with the crate.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

pub type Second = i64;
pub type Micros = i128;
/// From its first second to the first one after it.
pub type Stretch = (Second, Second);

pub const DAY: Second = 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Day,
    Week,
    Month,
    Year,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    pub unit: Unit,
    pub count: i64,
}

impl Every {
    /// Returns the instant `k` intervals after a start.
    pub fn after(self, start: Second, k: i64) -> Second {
        let units = self.count * k;
        match self.unit {
            Unit::Day => start + units * DAY,
            Unit::Week => start + units * 7 * DAY,
            Unit::Month => months_later(start, units),
            Unit::Year => months_later(start, units * 12),
        }
    }

    /// Returns a quarter of the shortest interval of this kind.
    fn quarter(self) -> Second {
        let days = match self.unit {
            Unit::Day => 1,
            Unit::Week => 7,
            Unit::Month => 28,
            Unit::Year => 365,
        };
        self.count * days * DAY / 4
    }
}

/// Returns the same day and time so many months later; a short month has its last day instead.
fn months_later(start: Second, months: i64) -> Second {
    let length = |year: i64, month: usize| {
        let leap = year % 4 == 0; // from 2020 until 2100
        [
            31,
            28 + i64::from(leap),
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ][month]
    };
    let next = |year: i64, month: usize| {
        if month == 11 {
            (year + 1, 0)
        } else {
            (year, month + 1)
        }
    };

    // 1 January 2020 is day 18,262; walk on to the month of the start.
    let mut first = 18_262;
    let (mut year, mut month) = (2020, 0);
    let today = start.div_euclid(DAY);
    assert!(today >= first, "the model's calendar begins in 2020");
    while today - first >= length(year, month) {
        first += length(year, month);
        (year, month) = next(year, month);
    }
    let day = today - first;

    for _ in 0..months {
        first += length(year, month);
        (year, month) = next(year, month);
    }
    (first + day.min(length(year, month) - 1)) * DAY + start.rem_euclid(DAY)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billed {
    Whole(Stretch),
    EndingAt(Second),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub key: String,
    pub payment: String,
    pub period: Billed,
    pub from: Second,
    pub every: Every,
    pub windows: i64,
    pub amount: Micros,
    pub made: Second,
    pub received: Second,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Span(Span),
    Credit {
        key: String,
        payment: String,
        period: Billed,
        at: Second,
        made: Second,
    },
    Stop {
        key: String,
        at: Second,
        made: Second,
    },
    Void {
        payment: String,
    },
}

/// PT1: the instant, the instant of making, spans before credits before stops, the larger amount
/// first, the key.
type Place<'a> = (Second, Second, u8, Reverse<Micros>, &'a str);

/// A span or a credit that counts, with its whole period.
struct Line<'a> {
    place: Place<'a>,
    payment: &'a str,
    period: Stretch,
    span: Option<&'a Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub amount: Micros,
    /// The part of it that was received when the window and its slack were over.
    pub late: Micros,
    pub expires: Second,
    pub late_expires: Second,
}

fn lines(facts: &[Fact]) -> Vec<Line<'_>> {
    let voided: BTreeSet<&str> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Void { payment } => Some(payment.as_str()),
            _ => None,
        })
        .collect();
    let wholes: Vec<Stretch> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Span(span) if !voided.contains(span.payment.as_str()) => match span.period {
                Billed::Whole(period) => Some(period),
                Billed::EndingAt(_) => None,
            },
            _ => None,
        })
        .collect();
    // The shortest known period with that end which has the instant.
    let whole = |billed: Billed, at: Second| match billed {
        Billed::Whole(period) => Some(period),
        Billed::EndingAt(end) => {
            let known = wholes.iter().filter(|one| one.1 == end && one.0 <= at);
            known.max().copied()
        }
    };

    facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Span(span) => Some(Line {
                place: (span.from, span.made, 0, Reverse(span.amount), &span.key),
                payment: &span.payment,
                period: whole(span.period, span.from)?,
                span: Some(span),
            }),
            Fact::Credit {
                key,
                payment,
                period,
                at,
                made,
            } => Some(Line {
                place: (*at, *made, 1, Reverse(0), key),
                payment,
                period: whole(*period, *at)?,
                span: None,
            }),
            Fact::Stop { .. } | Fact::Void { .. } => None,
        })
        .filter(|line| !voided.contains(line.payment))
        .collect()
}

/// PT2 and PT3: returns whether a span pays an instant.
fn pays(line: &Line<'_>, lines: &[Line<'_>], at: Second) -> bool {
    let ends = |other: &Line<'_>| {
        other.period == line.period
            && other.place > line.place
            && other.place.0 <= at
            && (other.span.is_some() || other.payment != line.payment)
    };
    line.place.0 <= at && at < line.period.1 && !lines.iter().any(ends)
}

/// PW1: returns the windows of a period.
fn windows(span: &Span, period: Stretch) -> Vec<Stretch> {
    let start = |k| span.every.after(period.0, k).min(period.1);
    let end = |k| {
        if k == span.windows {
            period.1
        } else {
            start(k)
        }
    };
    let all = (0..span.windows).map(|k| (start(k), end(k + 1)));
    all.filter(|window| window.0 < window.1).collect()
}

/// PW2: returns what each window has earned, of those that something is paid in.
pub fn targets(facts: &[Fact], slack: Second) -> BTreeMap<Stretch, Target> {
    let lines = lines(facts);
    let mut cuts: BTreeSet<Second> = lines.iter().map(|line| line.place.0).collect();
    let mut shares: BTreeMap<Stretch, Vec<(&Span, Second)>> = BTreeMap::new();
    for line in &lines {
        let Some(span) = line.span else { continue };
        for window in windows(span, line.period) {
            let stopped = facts.iter().any(|fact| match fact {
                Fact::Stop { key, at, made } => {
                    *at <= window.0 && (*at, *made, 2, Reverse(0), key.as_str()) > line.place
                }
                _ => false,
            });
            cuts.extend([window.0, window.1]);
            let edges: Vec<Second> = cuts.range(window.0..=window.1).copied().collect();
            let paid = edges.windows(2).filter(|edge| pays(line, &lines, edge[0]));
            let seconds: Second = paid.map(|edge| edge[1] - edge[0]).sum();
            if !stopped && seconds > 0 {
                shares.entry(window).or_default().push((span, seconds));
            }
        }
    }

    let target = |window: Stretch, shares: &[(&Span, Second)]| {
        let quarter = shares.iter().map(|(span, _)| span.every.quarter()).min();
        let expires = window.1 + slack.min(quarter.unwrap_or(slack));
        let late = |span: &Span| span.received >= expires;
        let sum = |counts: &dyn Fn(&Span) -> bool| {
            let counted = shares.iter().filter(|(span, _)| counts(span));
            let sum: Micros = counted
                .map(|(s, seconds)| s.amount * i128::from(*seconds))
                .sum();
            sum / i128::from(window.1 - window.0)
        };
        let last = shares
            .iter()
            .map(|(span, _)| *span)
            .filter(|span| late(span));
        let last = last.map(|span| span.received).max();
        Target {
            amount: sum(&|_| true),
            late: sum(&|_| true) - sum(&|span| !late(span)),
            expires,
            late_expires: last.map_or(expires, |at| at + window.1 - window.0),
        }
    };
    let one = |(window, shares): (Stretch, Vec<_>)| (window, target(window, &shares));
    shares.into_iter().map(one).collect()
}

/// A grant's name. In the order of names, which decides last in which order credits are spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Gift(u32),
    Window(Stretch, Part),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    InTime,
    Late,
    Rollover,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    name: Name,
    effective: Second,
    expires: Option<Second>,
    free: Micros,
    held: Micros,
}

impl Grant {
    fn is_over(&self, at: Second) -> bool {
        self.expires.is_some_and(|end| end <= at)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hold {
    expires: Second,
    slices: Vec<(Name, Micros)>,
}

/// What a part of a window has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    pub amount: Micros,
    pub lapsed: Micros,
    pub carried: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub granted: Micros,
    pub free: Micros,
    pub held: Micros,
    pub spent: Micros,
    pub expired: Micros,
    pub revoked: Micros,
    pub debt: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub slack: Second,
    pub dispute: Second,
    pub rollover: Option<Micros>,
    /// The most debt that a settlement beyond its hold may leave.
    pub overdraft: Micros,
    pub most_holds: usize,
}

/// What an alignment did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    pub raised: Micros,
    pub lowered: Micros,
    pub debt: Micros,
    /// The windows that are no longer remembered, and differ.
    pub forgotten: usize,
}

/// One account's wallet, with the paid time of one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    terms: Terms,
    now: Second,
    remembered_from: Second,
    targets: BTreeMap<Stretch, Target>,
    brought: BTreeMap<(Stretch, bool), Brought>,
    grants: Vec<Grant>,
    holds: BTreeMap<u8, Hold>,
    totals: Totals,
}

impl Wallet {
    pub fn new(terms: Terms, now: Second) -> Self {
        Self {
            terms,
            now,
            remembered_from: Second::MIN,
            targets: BTreeMap::new(),
            brought: BTreeMap::new(),
            grants: vec![],
            holds: BTreeMap::new(),
            totals: Totals::default(),
        }
    }

    pub fn totals(&self) -> Totals {
        let free = self.grants.iter().map(|grant| grant.free).sum();
        let held = self.grants.iter().map(|grant| grant.held).sum();
        Totals {
            free,
            held,
            ..self.totals
        }
    }

    pub fn brought(&self) -> &BTreeMap<(Stretch, bool), Brought> {
        &self.brought
    }

    pub fn holds(&self) -> Vec<u8> {
        self.holds.keys().copied().collect()
    }

    fn grant(&mut self, name: Name) -> &mut Grant {
        let place = self.grants.iter().position(|grant| grant.name == name);
        &mut self.grants[place.expect("a grant is kept for ever")]
    }

    /// Takes free credits: those that run out first, first.
    fn burn(&mut self, mut amount: Micros) -> Vec<(Name, Micros)> {
        let never = Second::MAX;
        self.grants
            .sort_by_key(|one| (one.expires.unwrap_or(never), one.effective, one.name));
        let mut slices = vec![];
        for grant in &mut self.grants {
            let part = grant.free.min(amount);
            grant.free -= part;
            amount -= part;
            if part > 0 {
                slices.push((grant.name, part));
            }
        }
        assert_eq!(amount, 0, "no more is burnt than is free");
        slices
    }

    fn repay(&mut self) {
        let amount = self.totals().free.min(self.totals.debt);
        self.burn(amount);
        self.totals.debt -= amount;
    }

    fn lapse(&mut self, name: Name, amount: Micros) {
        self.totals.expired += amount;
        let Name::Window(window, part) = name else {
            return;
        };
        let known = self.brought.get_mut(&(window, part == Part::Late));
        if let Some(brought) = known.filter(|_| part != Part::Rollover) {
            brought.lapsed += amount;
        }
    }

    /// Lets everything run out that is over. PA5: some of a window goes over into the next.
    fn run_out(&mut self, at: Second) {
        for mut grant in self.grants.clone() {
            if !grant.is_over(at) || grant.free == 0 {
                continue;
            }
            let left = std::mem::take(&mut self.grant(grant.name).free);
            let mut carried = 0;
            // The window that ran at the grant's end, if it still lives.
            let end = grant.expires.unwrap();
            let running = self.targets.iter().filter(|(w, _)| w.0 <= end && end < w.1);
            let next = running.max_by_key(|(window, _)| (window.1, window.0));
            if let (Name::Window(window, Part::InTime), Some(most), Some((_, target))) =
                (grant.name, self.terms.rollover, next)
            {
                let known = self.brought.get_mut(&(window, false));
                if let Some(brought) =
                    known.filter(|one| !one.carried && target.amount > 0 && at < target.expires)
                {
                    carried = left.min(most);
                    brought.carried = true;
                    grant.name = Name::Window(window, Part::Rollover);
                    grant.effective = at;
                    grant.expires = Some(target.expires);
                    grant.free = carried;
                    grant.held = 0;
                    self.grants.push(grant.clone());
                }
            }
            let from = match grant.name {
                Name::Window(window, Part::Rollover) if carried > 0 => {
                    Name::Window(window, Part::InTime)
                }
                name => name,
            };
            self.lapse(from, left - carried);
        }
    }

    /// Gives back what a hold did not use. PA4: where its grant is over, it repays debt first.
    fn give_back(&mut self, slices: Vec<(Name, Micros)>, at: Second) {
        for (name, amount) in slices {
            let grant = self.grant(name);
            grant.held -= amount;
            if grant.is_over(at) {
                let repaid = amount.min(self.totals.debt);
                self.totals.debt -= repaid;
                self.lapse(name, amount - repaid);
            } else {
                grant.free += amount;
            }
        }
    }

    /// Lets time pass, from one instant at which something happens to the next.
    pub fn tick(&mut self, now: Second) {
        loop {
            let holds = self.holds.values().map(|hold| hold.expires);
            let left = self.grants.iter().filter(|grant| grant.free > 0);
            let births = self.targets.keys().map(|window| window.0);
            let instants = holds
                .chain(left.filter_map(|grant| grant.expires))
                .chain(births);
            let Some(at) = instants.filter(|at| self.now < *at && *at <= now).min() else {
                break;
            };

            let over: Vec<u8> = self
                .holds()
                .into_iter()
                .filter(|key| self.holds[key].expires <= at)
                .collect();
            for key in over {
                let hold = self.holds.remove(&key).unwrap();
                self.give_back(hold.slices, at);
            }
            self.run_out(at);
            for (window, target) in self.targets.clone() {
                if window.0 == at && target.amount > target.late {
                    self.bring(window, false, target.amount - target.late, target.expires);
                }
            }
            self.repay();
            self.now = at;
        }
        self.now = self.now.max(now);
    }

    fn bring(&mut self, window: Stretch, late: bool, amount: Micros, expires: Second) {
        self.totals.granted += amount;
        self.brought.entry((window, late)).or_default().amount += amount;
        let name = Name::Window(window, if late { Part::Late } else { Part::InTime });
        if !self.grants.iter().any(|grant| grant.name == name) {
            self.grants.push(Grant {
                name,
                effective: window.0,
                expires: None,
                free: 0,
                held: 0,
            });
        }
        let grant = self.grant(name);
        grant.expires = Some(expires);
        grant.free += amount;
    }

    /// PA1 to PA3 and PA6.
    pub fn align(&mut self, facts: &[Fact], now: Second) -> Alignment {
        self.tick(now);
        let now = self.now;
        let targets = targets(facts, self.terms.slack);
        let before = std::mem::replace(&mut self.targets, targets.clone());
        self.remembered_from = self.remembered_from.max(now - self.terms.dispute);
        let from = self.remembered_from;
        self.brought.retain(|(window, _), _| window.1 > from);

        let mut windows: BTreeSet<Stretch> = targets.keys().chain(before.keys()).copied().collect();
        windows.extend(self.brought.keys().map(|(window, _)| *window));
        let mut done = Alignment::default();
        for window in windows.into_iter().filter(|window| window.0 <= now) {
            let nothing = Target {
                amount: 0,
                late: 0,
                expires: window.1,
                late_expires: window.1,
            };
            let target = *targets.get(&window).unwrap_or(&nothing);
            let last = before.get(&window).unwrap_or(&nothing);
            if window.1 <= from {
                done.forgotten += usize::from(last.amount != target.amount);
                continue;
            }
            for late in [false, true] {
                let (want, expires) = if late {
                    (target.late, target.late_expires)
                } else {
                    (target.amount - target.late, target.expires)
                };
                let had = self
                    .brought
                    .get(&(window, late))
                    .map_or(0, |one| one.amount);
                if want > had {
                    self.bring(window, late, want - had, expires);
                    self.repay();
                    self.run_out(now);
                    done.raised += want - had;
                } else if want < had {
                    done.debt += self.lower(window, late, had - want);
                    if late && want > 0 {
                        self.grant(Name::Window(window, Part::Late)).expires = Some(expires);
                    }
                    done.lowered += had - want;
                }
            }
        }
        self.run_out(now);
        self.repay();
        done
    }

    /// PA3: first what is free, then what had lapsed; the rest becomes debt.
    fn lower(&mut self, window: Stretch, late: bool, amount: Micros) -> Micros {
        let name = Name::Window(window, if late { Part::Late } else { Part::InTime });
        let grant = self.grant(name);
        let free = grant.free.min(amount);
        grant.free -= free;

        let brought = self.brought.get_mut(&(window, late)).unwrap();
        let unlapsed = brought.lapsed.min(amount - free);
        brought.lapsed -= unlapsed;
        brought.amount -= amount;

        let debt = amount - free - unlapsed;
        self.totals.expired -= unlapsed;
        self.totals.revoked += amount;
        self.totals.debt += debt;
        debt
    }

    pub fn gift(&mut self, number: u32, amount: Micros, life: Option<Second>, now: Second) {
        self.tick(now);
        self.totals.granted += amount;
        self.grants.push(Grant {
            name: Name::Gift(number),
            effective: self.now,
            expires: life.map(|life| self.now + life),
            free: amount,
            held: 0,
        });
        self.repay();
    }

    pub fn hold(&mut self, key: u8, amount: Micros, life: Second, now: Second) -> bool {
        self.tick(now);
        let covered = self.totals.debt == 0 && amount <= self.totals().free;
        if !covered || self.holds.len() >= self.terms.most_holds {
            return false;
        }
        let slices = self.burn(amount);
        for (name, part) in &slices {
            self.grant(*name).held += part;
        }
        let expires = self.now + life;
        self.holds.insert(key, Hold { expires, slices });
        true
    }

    /// Charges a hold, and beyond it what is free, and beyond that a debt.
    pub fn settle(&mut self, key: u8, cost: Micros, now: Second) -> bool {
        self.tick(now);
        let Some(hold) = self.holds.get(&key).cloned() else {
            return false;
        };
        let held: Micros = hold.slices.iter().map(|(_, amount)| amount).sum();
        let excess = (cost - held).max(0);
        let from_free = excess.min(self.totals().free);
        let debt = excess - from_free;
        // With a debt beyond the limit already, even what is free cannot be charged.
        if excess > 0 && self.totals.debt + debt > self.terms.overdraft {
            return false;
        }

        self.holds.remove(&key);
        let mut captured = cost.min(held);
        self.totals.spent += cost;
        let mut rest = vec![];
        for (name, amount) in hold.slices {
            let part = amount.min(captured);
            captured -= part;
            self.grant(name).held -= part;
            rest.push((name, amount - part));
        }
        self.give_back(rest, self.now);
        self.burn(from_free);
        self.totals.debt += debt;
        self.repay();
        true
    }

    pub fn release(&mut self, key: u8, now: Second) -> bool {
        self.tick(now);
        let Some(hold) = self.holds.remove(&key) else {
            return false;
        };
        self.give_back(hold.slices, self.now);
        self.repay();
        true
    }

    pub fn deduct(&mut self, amount: Micros, now: Second) -> bool {
        self.tick(now);
        if self.totals.debt > 0
            || amount > self.totals().free
            || self.holds.len() >= self.terms.most_holds
        {
            return false;
        }
        self.burn(amount);
        self.totals.spent += amount;
        true
    }
}
