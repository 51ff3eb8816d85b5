//! The conformance suite: a right store passes, and every wrong one is told what is wrong with it.
//! Each wrong store is the right one but for one line.

use crate::memory::{Flaw, Memory, Rows};
use crate::support::{at, operator, tenant};
use bailiwick::account::AccountStatus;
use bailiwick::change::Answer;
use bailiwick::credit::{
    Cause, Event, GrantTerms, HoldRequest, IdempotencyKey, Outcome, PriceList,
};
use bailiwick::policy::{CreditPolicy, PolicySettings};
use bailiwick::right::Privilege;
use bailiwick::testkit::proptest::prelude::*;
use bailiwick::testkit::proptest::strategy::ValueTree;
use bailiwick::testkit::{
    Check, CreditStore, Loaded, TransactError, audit, check_pair, check_store, strategies, transact,
};
use bailiwick::{
    Access, Account, AccountId, Credits, Hold, Plan, Policy, Principal, SiteId, Tenant, Wallet,
    validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};

#[test]
fn a_right_store_conforms() {
    let store = Memory::new(Flaw::None);
    let report = check_store(&store).unwrap();
    let checks: Vec<Check> = report
        .checked()
        .iter()
        .map(|checked| checked.check())
        .collect();
    assert_eq!(checks, Check::ALL);
    let operations: u64 = report
        .checked()
        .iter()
        .map(|checked| checked.operations())
        .sum();
    assert_eq!(report.operations(), operations);
    let table = report.to_string();
    println!("{table}");
    assert!(
        table.starts_with("check ") && table.contains("\n17 checks held "),
        "{table}"
    );
    // Again on the same store, and through two handles of it.
    check_pair(&store, &store.another_handle()).unwrap();
    // Each alone, in any order.
    for check in Check::ALL.iter().rev() {
        assert!(
            check.run(&Memory::new(Flaw::None)).unwrap().operations() > 0,
            "{check}"
        );
    }
}

/// The name of the fault that the suite finds.
fn found(flaw: Flaw) -> String {
    let store = Memory::new(flaw);
    let fault = check_pair(&store, &store.another_handle())
        .expect_err(&format!("{flaw:?} was not noticed"));
    let text = fault.to_string();
    println!("{flaw:?}: {text}\n");
    assert_eq!(format!("{fault:?}"), text, "an unwrap shows it in full");
    for part in [
        fault.name(),
        fault.check(),
        fault.expected(),
        fault.seen(),
        fault.remedy(),
    ] {
        assert!(
            !part.is_empty() && text.contains(part),
            "{part:?} in {text}"
        );
    }
    fault.name().to_owned()
}

macro_rules! wrong_stores {
    ($($test:ident: $flaw:ident is $name:literal;)*) => {$(
        #[test]
        fn $test() {
            assert_eq!(found(Flaw::$flaw), $name);
        }
    )*};
}

wrong_stores! {
    no_guard_at_all: NoGuards is
        "the version is not guarded: a change was written over a wallet that it was not made from";
    no_guard_on_the_version: Unguarded is
        "the version is not guarded: a change was written over a wallet that it was not made from";
    a_guard_on_the_wrong_row: GuardedElsewhere is
        "the guard is on the wrong row: a version of one account's wallet let a change to another's pass";
    an_upsert_in_place_of_an_insert: Upserted is "a second wallet was inserted for one account";
    a_lost_entry: EntryLost is "an entry of the ledger is lost";
    entries_out_of_order: EntriesSwapped is "the ledger is out of order";
    a_ledger_ordered_as_text: LedgerByText is "the ledger is out of order";
    a_sequence_used_twice: SequenceTwice is "two entries have one sequence";
    a_ledger_of_all_tenants: LedgerOfAll is "a new account is not empty";
    a_ledger_joined_without_the_account: LedgerJoined is "the ledger shows an entry that the account never had";
    an_insert_in_place_of_an_update: InsertedInPlaceOfUpdate is "a wallet that is not there was updated";
    a_miss_without_a_reason: MissesAtTimes is "a change was refused though nobody else had written";
    a_miss_without_end: MissesElsewhere is "a guard misses without end";
    times_of_entries_in_seconds: EntryRounded is "an entry that is read is not the one that was committed";
    times_of_outcomes_in_seconds: OutcomeRounded is "the outcome that is read is not the one that was committed";
    a_cache: Cached is "a stale read, or a lost write: what was committed is not what is read";
    a_cache_in_each_process: CachedByHandle is "a stale read, or a lost write: what was committed is not what is read";
    a_key_inserted_twice: KeyTwice is "a key was accepted twice in one account";
    a_key_unique_over_all_tenants: KeyGlobal is "a key that one account used is refused to another";
    a_key_whose_case_is_folded: KeyFolded is "an outcome is found that was never stored under this account and key";
    a_unique_key_whose_case_is_folded: KeyUniqueFolded is "two different keys are taken for one";
    a_key_that_is_cut: KeyCut is "an outcome is found that was never stored under this account and key";
    an_outcome_looked_up_by_key_alone: OutcomeByKeyAlone is
        "an outcome is found that was never stored under this account and key";
    no_rollback: NotUndone is "a refused change was written in part";
    a_miss_told_as_an_error: MissedAsError is "the store failed";
    an_update_that_is_dropped: UpdateDropped is "the update of an outcome was dropped";
    an_outcome_that_is_forgotten: OutcomeForgotten is "an outcome is lost";
    amounts_in_floats: Floats is "an amount was changed on its way through the store";
    times_in_seconds: Seconds is "the wallet that is read is not the one that was committed";
    a_commit_that_never_happens: NeverWritten is "a stale read, or a lost write: what was committed is not what is read";
}

/// Right as long as nobody else is there, so threads alone can tell; which of them first is chance.
#[test]
fn a_guard_checked_before_the_write() {
    let name = found(Flaw::CheckedThenWritten);
    let chance = [
        "the money is wrong after concurrent commands",
        "two entries have one sequence",
        "an entry of the ledger is lost",
    ];
    assert!(chance.contains(&name.as_str()), "{name}");
    for check in [Check::ReplaysOnce, Check::SpendsOnce] {
        assert!(
            check.run(&Memory::new(Flaw::CheckedThenWritten)).is_err(),
            "{check}"
        );
    }
}

/// An outcome of a later moment than its wallet, as two statements under READ COMMITTED read them,
/// does no harm: a guard catches what is written, and what is answered does not look at the wallet.
#[test]
fn c10_a_torn_read_does_no_harm() {
    check_store(&Memory::new(Flaw::Torn)).unwrap();
}

/// A cache that a process clears at its own commits is right within that process, and wrong beside
/// another.
#[test]
fn a_cache_in_each_process_needs_two_to_be_seen() {
    check_store(&Memory::new(Flaw::CachedByHandle)).unwrap();
}

/// Each check alone goes red for some of the wrong stores.
#[test]
fn every_check_finds_something_by_itself() {
    let flaws = [
        Flaw::LedgerOfAll,
        Flaw::Cached,
        Flaw::Unguarded,
        Flaw::GuardedElsewhere,
        Flaw::Upserted,
        Flaw::KeyTwice,
        Flaw::SequenceTwice,
        Flaw::NotUndone,
        Flaw::UpdateDropped,
        Flaw::LedgerByText,
        Flaw::Floats,
        Flaw::Seconds,
        Flaw::OutcomeForgotten,
        Flaw::OutcomeByKeyAlone,
        Flaw::NoGuards,
        Flaw::CheckedThenWritten,
        Flaw::CheckedThenWritten,
    ];
    for (check, flaw) in Check::ALL.iter().zip(flaws) {
        if *check == Check::StartsEmpty {
            // What the store has of others.
            let (right, mut store) = (Memory::new(Flaw::None), Memory::new(flaw));
            Check::ReadsBack.run(&right).unwrap();
            store.accounts = right.accounts.clone();
            assert!(check.run(&store).is_err(), "{check}");
        } else {
            let fault = check
                .run(&Memory::new(flaw))
                .expect_err(&format!("{check}: {flaw:?}"));
            assert_eq!(fault.check(), check.as_str());
        }
    }
}

/// What the audit says of an account whose rows were tampered with.
#[test]
fn an_audit_finds_what_was_tampered_with() {
    let audited = |tamper: &dyn Fn(&mut Rows)| {
        let store = Memory::new(Flaw::None);
        Check::ReadsBack.run(&store).unwrap();
        let account = store.accounts().keys().last().unwrap().clone();
        tamper(store.accounts().get_mut(&account).unwrap());
        audit(&store, &account)
            .map(|(wallet, entries)| (wallet.sequence(), entries.len()))
            .map_err(|fault| fault.name())
    };
    assert_eq!(audited(&|_| {}), Ok((7, 7)));
    let differs = Err("the wallet is not what its ledger says");
    assert_eq!(audited(&|rows| drop(rows.ledger.pop())), differs);
    assert_eq!(audited(&|rows| rows.ledger.clear()), differs);
    assert_eq!(
        audited(&|rows| drop(rows.ledger.remove(3))),
        Err("an entry of the ledger is lost")
    );
    assert_eq!(
        audited(&|rows| rows.ledger.push(rows.ledger[6].clone())),
        Err("two entries have one sequence")
    );
    let free = |rows: &mut Rows| {
        rows.ledger[3].1 = rows.ledger[3].1.replace(r#""free":"5""#, r#""free":"9""#)
    };
    assert_eq!(
        audited(&free),
        Err("an amount was changed on its way through the store")
    );
    let gone = Err("a stale read, or a lost write: what was committed is not what is read");
    assert_eq!(audited(&|rows| rows.wallet = None), gone);
}

#[test]
fn amounts_are_spoilt_by_floats_at_their_limit_alone() {
    let most = Credits::from_micros(999_999_999_999_999_999).unwrap();
    assert_ne!(
        format!("{:.6}", most.to_string().parse::<f64>().unwrap()),
        most.to_string()
    );
}

/// A step of a host's own property test, drawn from the strategies.
#[derive(Clone, Debug)]
enum Step {
    Wait(TimeDelta),
    Grant(GrantTerms),
    Hold(HoldRequest),
    Settle(prop::sample::Index, Credits),
    Release(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let most = Credits::whole(50);
    let step = prop_oneof![
        3 => strategies::clock_step().prop_map(Step::Wait),
        2 => strategies::grant_terms(at(0)).prop_map(Step::Grant),
        4 => strategies::hold_request(most).prop_map(Step::Hold),
        3 => (any::<prop::sample::Index>(), strategies::settle_cost(most)).prop_map(|(which, cost)| Step::Settle(which, cost)),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
    ];
    prop::collection::vec(step, 1..40)
}

/// A host in small: what a service does between its database and the wallet.
struct Service {
    store: Memory,
    access: Access,
    holds: Vec<Hold>,
    grants: usize,
}

impl Service {
    fn carry_out(&mut self, step: &Step, now: DateTime<Utc>) {
        let account = self.access.account_id().clone();
        let wallet = |loaded: Loaded| {
            loaded
                .wallet
                .unwrap_or_else(|| Wallet::open(account.clone(), at(0)))
        };
        match step {
            Step::Wait(_) => {}
            Step::Grant(terms) => {
                self.grants += 1;
                let key: IdempotencyKey = format!("grant-{}", self.grants).parse().unwrap();
                let cause =
                    Cause::promotion(&operator(Privilege::GrantCredits), &account, &key).unwrap();
                let grant = |loaded: Loaded| {
                    let prior = loaded.outcome.clone();
                    wallet(loaded).grant(&cause, terms.clone(), prior.as_ref(), now)
                };
                match transact(&self.store, &account, cause.key(), grant) {
                    Ok(Answer::Fresh(_)) | Err(TransactError::Refused(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
            Step::Hold(request) => {
                let hold = |loaded: Loaded| {
                    let prior = loaded.outcome.clone();
                    wallet(loaded).hold(&self.access, request, prior.as_ref(), now)
                };
                match transact(
                    &self.store,
                    &account,
                    &Outcome::spend_key(&request.key),
                    hold,
                ) {
                    Ok(Answer::Fresh(hold)) => self.holds.push(hold),
                    Ok(Answer::Replayed(_)) | Err(TransactError::Refused(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Settle(which, cost) if !self.holds.is_empty() => {
                let hold = which.get(&self.holds);
                let settle = |loaded: Loaded| {
                    let prior = loaded.outcome.clone();
                    wallet(loaded).settle(hold, *cost, prior.as_ref(), now)
                };
                match transact(
                    &self.store,
                    &account,
                    &Outcome::spend_key(hold.key()),
                    settle,
                ) {
                    Ok(_) | Err(TransactError::Refused(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Release(which) if !self.holds.is_empty() => {
                let hold = self.holds.swap_remove(which.index(self.holds.len()));
                let release = |loaded: Loaded| {
                    let prior = loaded.outcome.clone();
                    wallet(loaded).release(&hold, prior.as_ref(), now)
                };
                match transact(
                    &self.store,
                    &account,
                    &Outcome::spend_key(hold.key()),
                    release,
                ) {
                    Ok(_) | Err(TransactError::Refused(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Settle(..) | Step::Release(_) => {}
        }
    }
}

proptest! {
    /// What the strategies draw keeps a store at work, and its ledger always says what its wallet
    /// holds.
    #[test]
    fn c7_a_stored_wallet_is_what_its_ledger_says(steps in steps(), overage in strategies::overage()) {
        let store = Memory::new(Flaw::None);
        let account = store.new_account().unwrap();
        let credit = CreditPolicy { overage, ..CreditPolicy::default() };
        let policy = Policy::load(PolicySettings { credit, ..PolicySettings::default() }).unwrap();
        let mut facts = tenant(0);
        facts.account.id = account.clone();
        let principal = Principal::session(1.into()).of_account(account.clone());
        let access = policy.validate_account_and_plan(&principal, Some(&facts), at(0)).unwrap();
        let mut service = Service { store, access, holds: vec![], grants: 0 };
        let mut now = at(0);
        for step in &steps {
            if let Step::Wait(time) = step {
                now += *time;
            }
            service.carry_out(step, now);
            if service.store.load(&account, "").unwrap().wallet.is_none() {
                continue;
            }
            let (_, ledger) = audit(&service.store, &account).unwrap();
            let opened = ledger.iter().filter(|entry| matches!(entry.event, Event::Held { .. })).count();
            let ended = |event: &Event| {
                matches!(event, Event::Settled { .. } | Event::Released { .. } | Event::HoldExpired { .. })
            };
            prop_assert!(ledger.iter().filter(|entry| ended(&entry.event)).count() <= opened);
        }
    }

    #[test]
    fn tenants_are_in_good_standing_or_out_of_it(
        (now, good, bad, either) in strategies::instant().prop_flat_map(|now| {
            let (good, bad) = (strategies::tenant_in_good_standing(now), strategies::tenant_out_of_good_standing(now));
            (Just(now), good, bad, strategies::tenant(now))
        }),
    ) {
        let asked = |tenant: &Tenant| {
            let principal = Principal::session(1.into()).of_account(tenant.account.id.clone());
            validate_account_and_plan(&principal, Some(tenant), now)
        };
        prop_assert!(asked(&good).is_ok(), "{:?}", good);
        prop_assert!(asked(&bad).is_err(), "{:?}", bad);
        let json = serde_json::to_string(&either).unwrap();
        prop_assert_eq!(serde_json::from_str::<Tenant>(&json).unwrap(), either);
    }

    #[test]
    fn what_the_strategies_draw_is_sound(
        (id, site, key) in (strategies::account_id(), strategies::site_id(), strategies::idempotency_key()),
        (terms, plan, account) in (strategies::grant_terms(at(0)), strategies::plan(), strategies::account()),
        (list, most) in (strategies::price_list(), strategies::credits()),
        (credit, rollover) in (strategies::credit_policy(), strategies::rollover("grant/period/1/0")),
    ) {
        let settings = PolicySettings { credit, ..PolicySettings::default() };
        prop_assert!(Policy::load(settings).is_ok());
        let terms = GrantTerms { rollover: Some(rollover), ..terms };
        prop_assert_eq!(&id.to_string().parse::<AccountId>().unwrap(), &id);
        prop_assert_eq!(&site.to_string().parse::<SiteId>().unwrap(), &site);
        prop_assert_eq!(&key.as_str().parse::<IdempotencyKey>().unwrap(), &key);
        let cause = Cause::promotion(&operator(Privilege::GrantCredits), &2.into(), &key).unwrap();
        prop_assert!(Wallet::open(2.into(), at(0)).grant(&cause, terms.clone(), None, at(0)).is_ok(), "{:?}", terms);
        let facts = (plan, account, list);
        let json = serde_json::to_string(&facts).unwrap();
        prop_assert_eq!(serde_json::from_str::<(Plan, Account, PriceList)>(&json).unwrap(), facts);
        prop_assert!(most.micros() <= 1_000_000_000_000_000_000);
    }

    #[test]
    fn costs_and_requests_stay_within_what_they_are_asked_for(
        (held, request, cost, total, once) in strategies::credits().prop_flat_map(|most| {
            let (hold, cost) = (strategies::hold_request(most), strategies::settle_cost(most));
            (Just(most), hold, cost, strategies::total_of(most), strategies::deduct_request(most))
        }),
    ) {
        prop_assert!(request.quote.price() <= held && once.quote.price() <= held);
        prop_assert!(total.micros() <= (held.micros() + 1).max(held.micros().saturating_mul(3)));
        prop_assert!(request.time_to_live > TimeDelta::zero() && request.time_to_live <= TimeDelta::try_days(366).unwrap());
        prop_assert!(cost.micros() <= (held.micros() + 1).max(held.micros().saturating_mul(3)));
    }
}

/// The edges are drawn: every standing, every kind of identifier, nothing and all of what there is.
#[test]
fn the_strategies_reach_their_edges() {
    let mut runner = prop::test_runner::TestRunner::deterministic();
    let tenants = strategies::tenant_out_of_good_standing(at(0));
    let mut codes = std::collections::BTreeSet::new();
    let accounts = strategies::account();
    let (mut statuses, mut amounts) = (Vec::new(), Vec::new());
    for _ in 0..1000 {
        let tenant = tenants.new_tree(&mut runner).unwrap().current();
        let principal = Principal::session(1.into()).of_account(tenant.account.id.clone());
        codes.insert(
            validate_account_and_plan(&principal, Some(&tenant), at(0))
                .unwrap_err()
                .to_string(),
        );
        statuses.push(accounts.new_tree(&mut runner).unwrap().current().status);
        amounts.push(
            strategies::credits_up_to(Credits::whole(9))
                .new_tree(&mut runner)
                .unwrap()
                .current(),
        );
    }
    assert_eq!(
        codes.len(),
        20,
        "one for each reason, but one for both periods that are over: {codes:?}"
    );
    assert!(
        AccountStatus::ALL
            .iter()
            .all(|status| statuses.contains(status))
    );
    assert!(amounts.contains(&Credits::ZERO) && amounts.contains(&Credits::whole(9)));
}
