//! Any course of commands against the naive second wallet: the same answers and the same balance,
//! then and later (C1 to C6, C9); the wallet is the fold of its ledger (C7); and all of it survives
//! the store's text.
//!
//! The first four bytes choose the policy, every four more are a command: what, on which, how much,
//! how long.
#![no_main]

use bailiwick::Wallet;
use bailiwick::credit::{GrantTerms, LedgerEntry, Outcome, Rollover};
use bailiwick::policy::{CreditPolicy, LateSettle, Overage};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/model/credit_facts.rs"]
mod credit_facts;
#[path = "../../tests/model/credit.rs"]
mod model;
#[path = "../../tests/support/mod.rs"]
mod support;

use credit_facts::totals;
use support::host::{ACCOUNT, Host, credit_policy};
use support::{at, credits};

/// A month lasts as many seconds here. Its grants are entered as hosts stored them before credits
/// followed paid time.
const MONTH: i64 = 10;
const MONTHS: u8 = 12;
/// Few keys and grants, so that they meet.
const KEYS: u8 = 6;
const GRANTS: u8 = 6;
const MAX_STEPS: usize = 80;

fn months() -> &'static [String] {
    static ALL: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        (0..u32::from(MONTHS))
            .map(|number| support::host::month(number).unwrap().0)
            .collect()
    })
}

fn policies(bytes: [u8; 4]) -> (CreditPolicy, model::Policy) {
    let [overage, limit, late, late_limit] = bytes;
    let (limit, late_limit) = (i64::from(limit % 32), i64::from(late_limit % 32));
    let (overage, of_model) = match overage % 4 {
        0 => (Overage::Reject, model::Overage::Reject),
        1 => (Overage::Cap, model::Overage::Cap),
        2 => (Overage::Available, model::Overage::Available),
        _ => (Overage::Debt(credits(limit)), model::Overage::Debt(limit)),
    };
    let (late_settle, late) = match late % 3 {
        0 => (LateSettle::Refuse, model::Late::Refuse),
        1 => (LateSettle::Available, model::Late::Available),
        _ => (
            LateSettle::Debt(credits(late_limit)),
            model::Late::Debt(late_limit),
        ),
    };
    let credit = CreditPolicy {
        late_settle,
        ..credit_policy(overage)
    };
    let of_model = model::Policy {
        overage: of_model,
        late,
        late_seconds: credit.late_settle_seconds.into(),
        refund_life: credit.refund_life_seconds.into(),
        most_holds: credit.max_open_holds.into(),
    };
    (credit, of_model)
}

fn same(host: &Host, model: &model::Model, now: i64) {
    let seen = totals(&host.wallet.balance_at(at(now)).unwrap());
    assert_eq!(seen, model.totals(), "at {now}");
    let model::Totals {
        granted,
        scheduled,
        free,
        held,
        spent,
        expired,
        revoked,
        debt,
    } = seen;
    assert_eq!(
        granted,
        scheduled + free + held + spent + expired + revoked - debt
    );
    assert!(free == 0 || debt == 0);
}

/// One command on both; their answers, or nothing where there is nothing to act on.
fn step(
    host: &mut Host,
    model: &mut model::Model,
    now: i64,
    bytes: [u8; 4],
) -> Option<(&'static str, &'static str)> {
    let [what, which, much, long] = bytes;
    let (key, amount, life) = (which % KEYS, i64::from(much % 32), i64::from(long % 24));
    let units = u64::from(much % 32);
    let grant = format!("grant-{}", which % GRANTS);
    let promotion = format!("grant/promotion/{grant}");
    Some(match what % 10 {
        0 if host.prior(&promotion).is_none() => {
            let (priority, from) = (which / GRANTS % 3, i64::from(much / 32) - 2);
            let expires = (long < 128).then_some(now + life);
            let terms = GrantTerms {
                amount: credits(amount),
                priority,
                effective_at: Some(at(now + from)),
                expires_at: expires.map(at),
                rollover: None,
            };
            let seen = host.grant(&grant, terms, now);
            (
                seen,
                model.grant(&promotion, amount, priority, now + from, expires),
            )
        }
        1 => {
            let number = which % MONTHS;
            let id = &months()[usize::from(number)];
            let (start, end) = (i64::from(number) * MONTH, i64::from(number + 1) * MONTH);
            let before = number
                .checked_sub(1)
                .filter(|_| long < 128)
                .map(|before| &*months()[usize::from(before)]);
            let (least, most) = (life % 5, life);
            let terms = GrantTerms {
                amount: credits(amount),
                priority: GrantTerms::PRIORITY,
                effective_at: Some(at(start)),
                expires_at: Some(at(end)),
                rollover: before.map(|before| Rollover {
                    from: before.into(),
                    minimum: credits(least),
                    maximum: credits(most),
                }),
            };
            let keeps = before.map(|before| (before.to_owned(), least, most));
            (
                host.enter_month(id, &terms, at(now)),
                model.month(id, amount, (start, end), keeps),
            )
        }
        2 if life > 0 => (
            host.hold(key, units, life, now),
            model.hold(key, amount, life),
        ),
        3 if host.holds.contains_key(&key) => {
            (host.settle(key, amount, now), model.settle(key, amount))
        }
        4 if host.holds.contains_key(&key) => {
            (host.draw(key, amount, now), model.draw(key, amount))
        }
        5 if host.holds.contains_key(&key) => (host.release(key, now), model.release(key)),
        6 => (host.deduct(key, units, now), model.deduct(key, amount)),
        7 => (host.refund(key, amount, now), model.refund(key, amount)),
        8 if which < 128 => (host.revoke(&promotion, now), model.revoke(&promotion)),
        8 => {
            let month = &months()[usize::from(which % MONTHS)];
            (host.revoke(month, now), model.revoke(month))
        }
        _ => return None,
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((policy, rest)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let (credit, of_model) = policies(*policy);
    let (mut host, mut model, mut now) = (Host::under(credit), model::Model::new(of_model), 0);
    for bytes in rest.as_chunks::<4>().0.iter().take(MAX_STEPS) {
        if bytes[0] % 10 == 9 {
            now += i64::from(bytes[1] % 16);
            model.wait_until(now);
        }
        if let Some((seen, expected)) = step(&mut host, &mut model, now, *bytes) {
            assert_eq!(seen, expected, "{bytes:?} at {now}");
        }
        same(&host, &model, now);
    }
    let replayed = Wallet::replay(&ACCOUNT.into(), host.ledger.iter().cloned()).unwrap();
    assert!(replayed.equals_but_for_version(&host.wallet));
    let text = serde_json::to_string(&host.ledger).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<LedgerEntry>>(&text).unwrap(),
        host.ledger
    );
    for outcome in host.outcomes.values() {
        let text = serde_json::to_string(outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), *outcome);
    }
    for later in now..now + 30 {
        model.wait_until(later);
        same(&host, &model, later);
    }
});
