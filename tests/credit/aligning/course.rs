//! One course of facts, spending and time, taken by the crate and by the model side by side.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::recurring::{
    self as model, Alignment, Billed, Every, Fact, Micros, Second, Stretch, Terms, Totals, Unit,
};
use crate::support::host::{ACCOUNT, access, cause, credit_policy, key};
use bailiwick::change::Answer;
use bailiwick::credit::{
    AlignTerms, Balance, Change, DeductRequest, GrantTerms, HoldRequest, LedgerEntry, Outcome,
    OutcomeWrite, PriceList,
};
use bailiwick::paid_time::{self, BilledPeriod, Grid, PaidTime, TimeCredit};
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::Overage;
use bailiwick::{Access, Credits, Hold, Wallet};
use chrono::{DateTime, TimeDelta, Utc};

/// 1 January 2028, in a leap year.
pub const NEW_YEAR: Second = 21_184 * model::DAY;

pub fn utc(second: Second) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

pub fn micros(amount: Micros) -> Credits {
    Credits::from_micros(amount.try_into().unwrap()).unwrap()
}

pub fn period((start, end): Stretch) -> Period {
    Period {
        start: utc(start),
        end: utc(end),
    }
}

pub fn stretch(period: Period) -> Stretch {
    (period.start.timestamp(), period.end.timestamp())
}

fn interval(every: Every) -> Interval {
    let unit = match every.unit {
        Unit::Day => IntervalUnit::Day,
        Unit::Week => IntervalUnit::Week,
        Unit::Month => IntervalUnit::Month,
        Unit::Year => IntervalUnit::Year,
    };
    Interval {
        unit,
        count: u16::try_from(every.count).unwrap().try_into().unwrap(),
    }
}

fn billed(billed: Billed) -> BilledPeriod {
    match billed {
        Billed::Whole(whole) => BilledPeriod::Whole(period(whole)),
        Billed::EndingAt(end) => BilledPeriod::EndingAt(utc(end)),
    }
}

/// Returns a fact of the model as the crate takes it.
pub fn told(fact: &Fact) -> paid_time::Fact {
    match fact {
        Fact::Span(span) => paid_time::Fact::Span(paid_time::Span {
            key: (*span.key).into(),
            payment: (*span.payment).into(),
            period: billed(span.period),
            from: utc(span.from),
            grid: Grid {
                every: interval(span.every),
                windows: u16::try_from(span.windows).unwrap().try_into().unwrap(),
            },
            amount: micros(span.amount),
            made: utc(span.made),
            received: utc(span.received),
        }),
        Fact::Credit {
            key,
            payment,
            period,
            at,
            made,
        } => paid_time::Fact::Credit(TimeCredit {
            key: (**key).into(),
            payment: (**payment).into(),
            period: billed(*period),
            at: utc(*at),
            made: utc(*made),
        }),
        Fact::Stop { key, at, made } => paid_time::Fact::Stop(paid_time::Stop {
            key: (**key).into(),
            at: utc(*at),
            made: utc(*made),
        }),
        Fact::Void { payment } => paid_time::Fact::Void(paid_time::Void {
            key: format!("void/{payment}").into(),
            payment: (**payment).into(),
        }),
    }
}

pub fn totals(balance: Balance) -> Totals {
    let number = |credits: Credits| Micros::from(credits.micros());
    assert_eq!(balance.scheduled, Credits::ZERO);
    Totals {
        granted: number(balance.granted),
        free: number(balance.free),
        held: number(balance.held),
        spent: number(balance.spent),
        expired: number(balance.expired),
        revoked: number(balance.revoked),
        debt: number(balance.debt),
    }
}

/// A unit costs a millionth of a credit, so that everything can be spent.
fn prices() -> PriceList {
    serde_json::from_str(r#"{ "unit": { "per_unit": "0.000001" } }"#).unwrap()
}

fn units(amount: Micros) -> u64 {
    amount.try_into().unwrap()
}

/// A wallet and its paid time as a host stores them, and as the model has them.
#[derive(Clone)]
pub struct Course {
    access: Rc<Access>,
    pub terms: Terms,
    pub now: Second,
    pub wallet: Wallet,
    pub time: PaidTime,
    pub ledger: Vec<LedgerEntry>,
    outcomes: BTreeMap<String, Outcome>,
    holds: BTreeMap<u8, Rc<Hold>>,
    pub facts: Vec<Fact>,
    pub model: model::Wallet,
    pub gifts: Vec<Micros>,
    keys: u8,
}

impl Course {
    pub fn new(terms: Terms, now: Second) -> Self {
        let policy = credit_policy(Overage::Debt(micros(terms.overdraft)));
        assert_eq!(usize::from(policy.max_open_holds), terms.most_holds);

        Self {
            access: Rc::new(access(policy)),
            terms,
            now,
            wallet: Wallet::open(ACCOUNT.into(), utc(now)),
            time: PaidTime::new(ACCOUNT.into(), 1.into()),
            ledger: vec![],
            outcomes: BTreeMap::new(),
            holds: BTreeMap::new(),
            facts: vec![],
            model: model::Wallet::new(terms, now),
            gifts: vec![],
            keys: 0,
        }
    }

    pub fn align_terms(&self) -> AlignTerms {
        AlignTerms {
            dispute_time: TimeDelta::try_seconds(self.terms.dispute).unwrap(),
            rollover: self.terms.rollover.map(micros),
            ..AlignTerms::new(TimeDelta::try_seconds(self.terms.slack).unwrap())
        }
    }

    fn write<T>(&mut self, change: Change<T>) -> T {
        assert_eq!(change.expected_version(), self.wallet.version());
        self.ledger.extend(change.entries().iter().cloned());
        if let Some(OutcomeWrite::Insert(outcome) | OutcomeWrite::Update(outcome)) =
            change.outcome()
        {
            self.outcomes
                .insert(outcome.key().to_owned(), outcome.clone());
        }
        self.wallet = change.wallet().clone();
        change.into_result()
    }

    /// Records facts, and aligns the wallet once.
    pub fn hear(&mut self, facts: &[Fact]) {
        let recorded = self.time.clone().record(facts.iter().map(told)).unwrap();
        if let Some(change) = recorded {
            self.time = change.row().clone();
        }
        for fact in facts {
            if !self.facts.contains(fact) {
                self.facts.push(fact.clone());
            }
        }
        self.align();
    }

    pub fn align(&mut self) {
        let schedule = self.time.schedule();
        let terms = self.align_terms();
        let wallet = self.wallet.clone();
        let expected = self.model.align(&self.facts, self.now);

        let change = wallet.align(&schedule, terms, utc(self.now)).unwrap();
        let done = change.map(|change| self.write(change));
        let seen = done
            .as_ref()
            .map_or(Alignment::default(), |done| Alignment {
                raised: done.raised.micros().into(),
                lowered: done.lowered.micros().into(),
                debt: done.debt.micros().into(),
                forgotten: done.before_memory.len(),
            });
        assert_eq!(seen, expected, "what the alignment did");

        let again = self.wallet.clone();
        let again = again.align(&schedule, terms, utc(self.now)).unwrap();
        assert_eq!(again, None, "aligning twice is aligning once");
    }

    pub fn tick(&mut self) {
        let change = self.wallet.clone().advance(utc(self.now)).unwrap();
        self.write(change);
        self.model.tick(self.now);
    }

    pub fn gift(&mut self, amount: Micros, life: Option<Second>) {
        let number = u32::try_from(self.gifts.len()).unwrap();
        let terms = GrantTerms {
            expires_at: life.map(|life| utc(self.now + life)),
            ..GrantTerms::forever(micros(amount))
        };
        let wallet = self.wallet.clone();
        let cause = cause(&format!("gift-{number:03}"));
        let Answer::Fresh(change) = wallet.grant(&cause, terms, None, utc(self.now)).unwrap()
        else {
            panic!("a gift is made once");
        };
        self.write(change);
        self.model.gift(number, amount, life, self.now);
        self.gifts.push(amount);
    }

    /// Holds credits under the next key; returns whether they were there.
    pub fn hold(&mut self, amount: Micros, life: Second) -> bool {
        self.keys += 1;
        let number = self.keys;
        let request = HoldRequest {
            key: key(number),
            quote: prices().quote("unit", units(amount)).unwrap(),
            time_to_live: TimeDelta::try_seconds(life).unwrap(),
            fingerprint: None,
        };
        let wallet = self.wallet.clone();
        let answer = wallet.hold(&self.access, &request, None, utc(self.now));
        let held = match answer {
            Ok(Answer::Fresh(change)) => {
                let hold = self.write(change);
                self.holds.insert(number, Rc::new(hold));
                true
            }
            Ok(Answer::Replayed(_)) => panic!("a hold is made once"),
            Err(_) => false,
        };
        let expected = self.model.hold(number, amount, life, self.now);
        assert_eq!(held, expected, "whether {amount} can be held");
        held
    }

    fn prior(&self, number: u8) -> Option<Outcome> {
        self.outcomes
            .get(&*Outcome::spend_key(&key(number)))
            .cloned()
    }

    /// Settles an open hold; returns whether it was charged.
    pub fn settle(&mut self, number: u8, cost: Micros) -> bool {
        let hold = self.holds[&number].clone();
        let wallet = self.wallet.clone();
        let prior = self.prior(number);
        let answer = wallet.settle(&hold, micros(cost), prior.as_ref(), utc(self.now));
        let settled = answer.is_ok();
        if let Ok(Answer::Fresh(change)) = answer {
            self.write(change);
        }
        let expected = self.model.settle(number, cost, self.now);
        assert_eq!(settled, expected, "whether {cost} can be charged");
        settled
    }

    pub fn release(&mut self, number: u8) {
        let hold = self.holds[&number].clone();
        let wallet = self.wallet.clone();
        let prior = self.prior(number);
        let answer = wallet
            .release(&hold, prior.as_ref(), utc(self.now))
            .unwrap();
        if let Answer::Fresh(change) = answer {
            self.write(change);
        }
        self.model.release(number, self.now);
    }

    pub fn deduct(&mut self, amount: Micros) -> bool {
        self.keys += 1;
        let request = DeductRequest {
            key: key(self.keys),
            quote: prices().quote("unit", units(amount)).unwrap(),
            fingerprint: None,
        };
        let wallet = self.wallet.clone();
        let answer = wallet.deduct(&self.access, &request, None, utc(self.now));
        let deducted = answer.is_ok();
        if let Ok(Answer::Fresh(change)) = answer {
            self.write(change);
        }
        let expected = self.model.deduct(amount, self.now);
        assert_eq!(deducted, expected, "whether {amount} can be charged");
        deducted
    }

    /// Spends all that is free.
    pub fn deduct_all(&mut self) {
        let free = self.totals().free;
        if free > 0 {
            assert!(self.deduct(free) || self.open_holds().len() >= self.terms.most_holds);
        }
    }

    /// Returns the holds that are open now.
    pub fn open_holds(&self) -> Vec<u8> {
        let mut model = self.model.clone();
        model.tick(self.now);
        model.holds()
    }

    /// Returns the parts of the crate's balance.
    pub fn totals(&self) -> Totals {
        self.totals_at(self.now)
    }

    pub fn totals_at(&self, at: Second) -> Totals {
        totals(self.wallet.balance_at(utc(at)).unwrap())
    }

    /// Compares crate and model, at an instant from now on.
    pub fn compare_at(&self, at: Second) {
        let mut model = self.model.clone();
        model.tick(at);
        assert_eq!(
            self.totals_at(at),
            model.totals(),
            "the balance at {}",
            utc(at)
        );
    }

    pub fn compare(&self) {
        self.compare_at(self.now);
    }

    /// C7: the stored wallet is the fold of its ledger, and comes back from text as it is.
    pub fn check_store(&self) {
        let folded = Wallet::replay(&ACCOUNT.into(), self.ledger.iter().cloned()).unwrap();
        assert!(
            folded.equals_but_for_version(&self.wallet),
            "the fold of the ledger"
        );

        let text = serde_json::to_string(&self.wallet).unwrap();
        let read: Wallet = serde_json::from_str(&text).unwrap();
        assert_eq!(read, self.wallet, "the wallet's text");
        let text = serde_json::to_string(&self.time).unwrap();
        assert_eq!(serde_json::from_str::<PaidTime>(&text).unwrap(), self.time);
    }

    /// Returns what the crate's wallet remembers that each part of a window has brought.
    pub fn brought(&self) -> BTreeMap<(Stretch, bool), Micros> {
        let wallet = self.wallet.clone().advance(utc(self.now)).unwrap();
        let text = serde_json::to_value(wallet.wallet()).unwrap();
        let windows = text["recurring"][0]["windows"].as_array().cloned();
        let windows = windows.unwrap_or_default().into_iter().map(|one| {
            let instant = |name: &str| serde_json::from_value(one[name].clone()).unwrap();
            let window = Period {
                start: instant("start"),
                end: instant("end"),
            };
            let amount: Credits = serde_json::from_value(one["amount"].clone()).unwrap();
            let late = one["late"].as_bool().unwrap_or(false);
            ((stretch(window), late), Micros::from(amount.micros()))
        });
        windows.collect()
    }
}

/// Returns the terms of most courses: three hours of slack, and a memory of 180 days.
pub fn terms() -> Terms {
    Terms {
        slack: 3 * 3_600,
        dispute: 180 * model::DAY,
        rollover: None,
        overdraft: 30_000_000,
        most_holds: 4,
    }
}
