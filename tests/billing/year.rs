//! A year of a service, simulated: accounts that pay by bank transfer, Stripe and PayPal, with
//! reports that are late, lost and sent again, doubled and out of order; and a host in memory that
//! takes them, under the guards that each change names.
#![allow(dead_code, reason = "each file uses what it needs")]

#[path = "year/books.rs"]
mod books;
#[path = "year/calls.rs"]
mod calls;
#[path = "year/desk.rs"]
mod desk;
#[path = "year/host.rs"]
mod host;
#[path = "year/oracle.rs"]
mod oracle;
#[path = "year/providers.rs"]
mod providers;
#[path = "year/transfers.rs"]
mod transfers;

use bailiwick::bank_transfer::AfterRefund;
use bailiwick::money::Currency;
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::provider::{ProviderPayment, ProviderSnapshot, ProviderUndone};
use bailiwick::rust_decimal::Decimal;
use bailiwick::subscription::Command;
use bailiwick::{Credits, Money};
use chrono::{DateTime, NaiveDate, Utc};

use crate::paid_time_model::Told;
pub use books::Books;
pub use host::Host;
#[allow(unused_imports, reason = "each file uses what it needs")]
pub use oracle::{earned, told_by_row};

pub const DAY: i64 = 86_400;
pub const YEAR: i64 = 365 * DAY;
pub const SLACK: i64 = DAY / 4;
pub const GRACE: i64 = 5 * DAY;

/// The plans: what they cost, and what they bring a month.
pub const BASIC: i64 = 1;
pub const PRO: i64 = 2;
pub const YEARLY: i64 = 3;
pub const FREE: i64 = 4;
pub const PACK: i64 = 20;

pub const fn price(plan: i64) -> i64 {
    match plan {
        BASIC => 49,
        PRO => 90,
        YEARLY => 490,
        _ => 0,
    }
}

pub const fn credits(plan: i64) -> i64 {
    match plan {
        BASIC | YEARLY => 500,
        PRO => 900,
        _ => 50,
    }
}

pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub fn second(at: DateTime<Utc>) -> i64 {
    at.timestamp() - 1_800_000_000
}

pub fn euros(amount: i64) -> Money {
    cents(amount * 100)
}

pub fn cents(amount: i64) -> Money {
    Money::new(Decimal::try_new(amount, 2).unwrap(), Currency::EUR).unwrap()
}

pub fn whole(credits: i64) -> Credits {
    Credits::whole(credits.try_into().unwrap())
}

/// SplitMix64 (Steele, Lea and Flood): the same story for the same seed, everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }
}

/// What a payment for a charge brings, beside the charge's amount.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Exact,
    /// So little less that the policy forgives it.
    AlmostAll,
    Half,
    More,
}

#[derive(Clone, Debug)]
pub enum What {
    /// A report of a provider, and the facts that it comes to, as the rules have it.
    Snapshot(ProviderSnapshot, Vec<Told>),
    Payment(ProviderPayment, Vec<Told>),
    Undone(ProviderUndone, Vec<Told>),
    Transfer {
        transaction: String,
        amount: i64,
        booked: NaiveDate,
    },
    /// A transfer that carries the reference of a charge.
    ChargePayment {
        transaction: String,
        charge: i64,
        part: Part,
        booked: NaiveDate,
    },
    Refund {
        transaction: String,
        total: i64,
        then: AfterRefund,
    },
    Retraction {
        transaction: String,
    },
    Trial {
        until: i64,
    },
    Upgrade {
        charge: i64,
        to: i64,
    },
    Downgrade {
        charge: i64,
        to: i64,
    },
    Pack {
        charge: i64,
    },
    Order(Command),
    Spend {
        key: String,
        credits: i64,
    },
    Hold {
        key: String,
        credits: i64,
        seconds: i64,
    },
    Settle {
        key: String,
        credits: i64,
    },
}

#[derive(Clone, Debug)]
pub struct Happening {
    /// When it reaches the host, in seconds.
    pub second: i64,
    pub account: usize,
    pub what: What,
}

pub fn method(account: usize) -> PaymentMethod {
    PaymentMethod::ALL[account % PaymentMethod::ALL.len()]
}

/// The identity that registered an account. Some have two.
pub fn identity(account: usize) -> usize {
    let is_second = account % 15 == 3 && method(account) == method(account - 3);
    if is_second { account - 3 } else { account }
}

/// All that reaches the host in a year, in the order in which it does.
pub fn story(seed: u64, accounts: usize) -> Vec<Happening> {
    let mut random = Random(seed);
    let mut events = Vec::new();
    for account in 0..accounts {
        let began = random.below(30 * DAY);
        match method(account) {
            PaymentMethod::BankTransfer => {
                transfers::tell(&mut random, (account, accounts), began, &mut events);
            }
            PaymentMethod::Stripe => {
                providers::tell(&mut random, account, Provider::Stripe, began, &mut events);
            }
            PaymentMethod::Paypal => {
                providers::tell(&mut random, account, Provider::Paypal, began, &mut events);
            }
        }
        spend(&mut random, account, &mut events);
    }
    events.sort_by_key(|event| (event.second, event.account));
    events
}

fn spend(random: &mut Random, account: usize, events: &mut Vec<Happening>) {
    let mut tell = |second: i64, what: What| {
        events.push(Happening {
            second,
            account,
            what,
        });
    };
    for number in 0..random.below(40) {
        let what = What::Spend {
            key: format!("spend-{number}"),
            credits: 1 + random.below(120),
        };
        tell(random.below(YEAR), what);
    }

    // Some holds are settled, and some run out.
    for number in 0..random.below(6) {
        let (key, credits) = (format!("hold-{number}"), 1 + random.below(300));
        let (second, seconds) = (random.below(YEAR), 1 + random.below(20 * DAY));
        let settled = second + random.below(25 * DAY);
        let hold = What::Hold {
            key: key.clone(),
            credits,
            seconds,
        };
        tell(second, hold);
        let credits = random.below(credits + 1);
        tell(settled, What::Settle { key, credits });
    }
}

/// Sends a report: mostly soon, sometimes late, sometimes twice; what is lost is found weeks later.
/// Returns when it comes first.
fn send(
    random: &mut Random,
    account: usize,
    made: i64,
    what: &What,
    events: &mut Vec<Happening>,
) -> i64 {
    let delay = match random.below(10) {
        0 => random.below(3 * DAY),
        1 => 20 * DAY + random.below(5 * DAY),
        _ => random.below(60),
    };
    let times = if random.chance(20) { 3 } else { 1 };
    let seconds = (0..times).map(|_| {
        let again = if times > 1 { random.below(2 * DAY) } else { 0 };
        let second = made + delay + again;
        events.push(Happening {
            second,
            account,
            what: what.clone(),
        });
        second
    });
    seconds.min().unwrap()
}

/// Plays a story; the job runs at these seconds as well.
pub fn play(accounts: usize, events: &[Happening], ticks: &[i64]) -> Host {
    let mut host = Host::new(accounts);
    let mut ticks = ticks.iter().peekable();
    for event in events {
        while let Some(tick) = ticks.next_if(|tick| **tick <= event.second) {
            host.tick(*tick);
        }
        host.take(event);
    }
    ticks.for_each(|tick| host.tick(*tick));
    host
}
