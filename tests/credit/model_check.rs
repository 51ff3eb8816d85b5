//! C10 by model checking: a few processes over one stored wallet, every interleaving of their
//! reads, decisions and writes, with crashes, lost answers and time passing between any two steps.
//! The commands are the real ones; the store is a row with a version, a ledger, and outcomes under
//! unique keys.
//!
//! The reference is the same model with every command in one step: whatever store the interleaved
//! model reaches, that one reaches too.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::support::at;
use crate::support::host::{ACCOUNT, Host, credit_policy, key, prices};
use bailiwick::change::Answer;
use bailiwick::credit::{
    Change, DeductRequest, Event, GrantTerms, HoldRequest, IdempotencyKey, LedgerEntry, Outcome,
    OutcomeWrite, PriceList, Replayed,
};
use bailiwick::policy::{CreditPolicy, LateSettle, Overage};
use bailiwick::problem::Explained;
use bailiwick::{Access, Credits, Hold, Wallet};
use chrono::TimeDelta;
use stateright::{Checker, Model, Property};

/// What a process does for its request, in this order. Only a fresh hold leads to what comes after
/// it.
#[derive(Clone, Copy, Debug)]
enum Op {
    Hold { key: u8, units: u64, life: i64 },
    Draw { total: u32 },
    Settle { cost: u32 },
    Release,
    Deduct { key: u8, units: u64 },
}

/// How a command reads its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The wallet and the outcome, in two reads that see two moments.
    WalletFirst,
    /// The other way round, which is wrong.
    OutcomeFirst,
    /// Read, decided and written in one step: the reference.
    OneByOne,
}

/// What the store checks before it writes.
#[derive(Clone, Copy, Debug)]
struct Guards {
    version: bool,
    unique_key: bool,
}

const ALL: Guards = Guards {
    version: true,
    unique_key: true,
};
const VERSION_ONLY: Guards = Guards {
    version: true,
    unique_key: false,
};
const NONE: Guards = Guards {
    version: false,
    unique_key: false,
};

/// What is stored, and what is wrong with it; two are the same if their texts are.
struct Store {
    wallet: Wallet,
    ledger: Vec<LedgerEntry>,
    outcomes: BTreeMap<String, Arc<str>>,
    print: u64,
    adds_up: bool,
    no_debt_beside_free: bool,
    one_end: bool,
    held_once: bool,
    spent_once: bool,
}

fn print_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Store {
    fn new(wallet: Wallet, ledger: Vec<LedgerEntry>, outcomes: BTreeMap<String, Arc<str>>) -> Self {
        let text = serde_json::to_string(&(&wallet, &ledger)).unwrap();
        let balance = wallet.balance();
        let [
            granted,
            scheduled,
            free,
            held,
            spent,
            expired,
            revoked,
            debt,
        ] = [
            balance.granted,
            balance.scheduled,
            balance.free,
            balance.held,
            balance.spent,
            balance.expired,
            balance.revoked,
            balance.debt,
        ]
        .map(Credits::micros);
        let replayed = Wallet::replay(&ACCOUNT.into(), ledger.clone());
        let (mut holds, mut ends, mut charges) = (
            BTreeMap::<_, u32>::new(),
            BTreeMap::<_, u32>::new(),
            BTreeMap::<_, u32>::new(),
        );
        let mut charged = 0;
        // Each attempt of a key is held and ends once; all of them together are charged once.
        let mut attempts = BTreeMap::<_, u32>::new();
        for entry in &ledger {
            match &entry.event {
                Event::Held { hold } => {
                    attempts.insert(hold.key.clone(), hold.attempt);
                    *holds.entry((hold.key.clone(), hold.attempt)).or_default() += 1;
                }
                Event::Settled { hold, .. } => {
                    *ends.entry((hold.clone(), attempts[hold])).or_default() += 1;
                    *charges.entry(hold.clone()).or_default() += 1;
                }
                Event::SettledLate { hold, .. } => *charges.entry(hold.clone()).or_default() += 1,
                Event::Released { hold } | Event::HoldExpired { hold } => {
                    *ends.entry((hold.clone(), attempts[hold])).or_default() += 1
                }
                _ => {}
            }
        }
        // What the outcomes say was charged, settled or drawn, is what is spent: nothing lost,
        // nothing twice.
        for outcome in outcomes.values() {
            let outcome: serde_json::Value = serde_json::from_str(outcome).unwrap();
            let state = &outcome["state"];
            let amount = state["receipt"]["charged"]
                .as_str()
                .or(state["drawn"].as_str())
                .unwrap_or("0");
            charged += amount.parse::<Credits>().unwrap().micros();
        }
        // A release ends what was drawn of a hold without a word of it in the outcome, so that is
        // counted apart.
        let drawn_and_released: i64 = ledger
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Drawn { hold, amount } if released(&outcomes, hold) => Some(amount.micros()),
                _ => None,
            })
            .sum();
        Self {
            print: print_of(&(text, &outcomes)),
            adds_up: granted + debt == scheduled + free + held + spent + expired + revoked
                && replayed.is_ok_and(|replayed| replayed.equals_but_for_version(&wallet)),
            no_debt_beside_free: free == 0 || debt == 0,
            one_end: ends
                .values()
                .chain(charges.values())
                .all(|count| *count == 1),
            held_once: holds.values().all(|count| *count == 1),
            spent_once: spent == charged + drawn_and_released && spent <= granted + debt,
            wallet,
            ledger,
            outcomes,
        }
    }
}

fn released(outcomes: &BTreeMap<String, Arc<str>>, hold: &IdempotencyKey) -> bool {
    outcomes
        .get(&Outcome::spend_key(hold))
        .is_some_and(|outcome| outcome.contains(r#""state":"released""#))
}

/// What a process is to write once it has decided.
struct Write {
    expected: u64,
    wallet: Wallet,
    entries: Vec<LedgerEntry>,
    outcome: Option<OutcomeWrite>,
    hold: Option<Arc<Hold>>,
}

/// Values of which the print says all.
struct Shared<T>(Arc<T>, u64);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1)
    }
}

impl<T> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.1.hash(state);
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:x}", self.1)
    }
}

/// How far a process is with a command.
#[derive(Clone, Debug, PartialEq, Hash)]
enum Phase {
    Begin,
    /// It has read the one fact, and the other is to come.
    Half {
        wallet: Option<Shared<Store>>,
        prior: Option<Arc<str>>,
    },
    Read {
        wallet: Shared<Store>,
        prior: Option<Arc<str>>,
    },
    Decided(Shared<Write>),
    /// Its request is answered.
    Done,
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct Process {
    op: usize,
    phase: Phase,
    hold: Option<Shared<Hold>>,
}

impl Process {
    const NEW: Self = Self {
        op: 0,
        phase: Phase::Begin,
        hold: None,
    };
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct State {
    now: usize,
    store: Shared<Store>,
    processes: Vec<Process>,
    /// Crashes and lost answers that may still happen.
    mishaps: u8,
    /// How many fresh holds were handed out for each attempt of each key.
    fresh: BTreeMap<(u8, u32), u8>,
    /// Whether a process was told that a hold had expired which was open.
    misled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    /// A process takes its next step.
    Step(usize),
    /// It writes, and the answer is lost on its way: it does the command again.
    LoseAnswer(usize),
    /// It forgets everything, and the request comes again.
    Crash(usize),
    /// Time passes to the next instant.
    Tick,
}

#[derive(Clone)]
struct Scenario {
    credit: CreditPolicy,
    /// The instants of the clock.
    clock: &'static [i64],
    /// Amounts, and until when they live.
    grants: &'static [(u32, Option<i64>)],
    programs: Vec<&'static [Op]>,
    mishaps: u8,
    reading: Reading,
    guards: Guards,
    access: Access,
    prices: PriceList,
    /// The stores that the reference reaches.
    reference: Option<Arc<HashSet<u64>>>,
}

fn scenario(programs: &[&'static [Op]]) -> Scenario {
    let credit = CreditPolicy {
        late_settle: LateSettle::Available,
        ..credit_policy(Overage::Available)
    };
    Scenario {
        credit,
        clock: &[0, 6, 12],
        grants: &[(2, Some(6)), (3, None)],
        programs: programs.to_vec(),
        mishaps: 1,
        reading: Reading::WalletFirst,
        guards: ALL,
        access: crate::support::host::access(credit),
        prices: prices(),
        reference: None,
    }
}

fn share(store: Store) -> Shared<Store> {
    let print = store.print;
    Shared(Arc::new(store), print)
}

/// What a command came to.
enum Came {
    Write(Shared<Write>),
    /// Nothing is to be written; whether a hold was said to have expired.
    Answered {
        expired: bool,
    },
}

impl Scenario {
    fn spend_key(&self, state: &State, process: usize) -> u8 {
        match self.programs[process][0] {
            Op::Hold { key, .. } | Op::Deduct { key, .. } => key,
            _ => unreachable!("a program begins with its key: {state:?}"),
        }
    }

    fn prior(&self, state: &State, process: usize) -> Option<Arc<str>> {
        let key = Outcome::spend_key(&key(self.spend_key(state, process)));
        state.store.0.outcomes.get(&key).cloned()
    }

    fn decide(&self, state: &State, process: usize, wallet: &Wallet, prior: Option<&str>) -> Came {
        fn came<T, R>(
            result: Result<Answer<Change<T>, R>, impl Explained>,
            hold: impl Fn(T) -> Option<Hold>,
        ) -> Came {
            let Ok(Answer::Fresh(change)) = result else {
                return Came::Answered { expired: false };
            };
            let (expected, wallet) = (change.expected_version(), change.wallet().clone());
            let (entries, outcome) = (change.entries().to_vec(), change.outcome().cloned());
            let text = serde_json::to_string(&(
                &wallet,
                &entries,
                outcome.as_ref().map(OutcomeWrite::outcome),
            ))
            .unwrap();
            let hold = hold(change.into_result()).map(Arc::new);
            let write = Write {
                expected,
                wallet,
                entries,
                outcome,
                hold,
            };
            Came::Write(Shared(Arc::new(write), print_of(&text)))
        }
        let now = at(self.clock[state.now]);
        let prior: Option<Outcome> = prior.map(|text| serde_json::from_str(text).unwrap());
        let (wallet, prior) = (wallet.clone(), prior.as_ref());
        let own = &state.processes[process];
        let hold = || &*own.hold.as_ref().expect("only a fresh hold leads here").0;
        match self.programs[process][own.op] {
            Op::Hold {
                key: number,
                units,
                life,
            } => {
                let request = HoldRequest {
                    key: key(number),
                    quote: self.prices.quote("unit", units).unwrap(),
                    time_to_live: TimeDelta::try_seconds(life).unwrap(),
                    fingerprint: None,
                };
                let result = wallet.hold(&self.access, &request, prior, now);
                let expired = matches!(result, Ok(Answer::Replayed(Replayed::Expired { .. })));
                if expired {
                    Came::Answered { expired }
                } else {
                    came(result, Some)
                }
            }
            Op::Draw { total } => came(
                wallet.draw(hold(), Credits::whole(total), prior, now),
                |_| None,
            ),
            Op::Settle { cost } => came(
                wallet.settle(hold(), Credits::whole(cost), prior, now),
                |_| None,
            ),
            Op::Release => came(wallet.release(hold(), prior, now), |_| None),
            Op::Deduct { key: number, units } => {
                let quote = self.prices.quote("unit", units).unwrap();
                let request = DeductRequest {
                    key: key(number),
                    quote,
                    fingerprint: None,
                };
                came(wallet.deduct(&self.access, &request, prior, now), |_| None)
            }
        }
    }

    /// Whether the guards let a write pass; if so, the store after it.
    fn write(&self, store: &Store, write: &Write) -> Option<Store> {
        if self.guards.version && store.wallet.version() != write.expected {
            return None;
        }
        let mut outcomes = store.outcomes.clone();
        if let Some(outcome) = &write.outcome {
            let text = serde_json::to_string(outcome.outcome()).unwrap().into();
            let earlier = outcomes.insert(outcome.outcome().key().to_owned(), text);
            if self.guards.unique_key
                && earlier.is_some()
                && matches!(outcome, OutcomeWrite::Insert(_))
            {
                return None;
            }
        }
        let ledger = store.ledger.iter().chain(&write.entries).cloned().collect();
        Some(Store::new(write.wallet.clone(), ledger, outcomes))
    }

    /// The command is answered without a write: a hold is not fresh, so nothing comes after it.
    fn answered(&self, state: &mut State, process: usize, expired: bool) {
        let key = key(self.spend_key(state, process));
        let is_open = state
            .store
            .0
            .wallet
            .holds()
            .iter()
            .any(|hold| hold.key == key && hold.expires_at > at(self.clock[state.now]));
        state.misled |= expired && is_open;
        self.goes_on(
            state,
            process,
            matches!(
                self.programs[process][state.processes[process].op],
                Op::Draw { .. }
            ),
        );
    }

    fn goes_on(&self, state: &mut State, process: usize, on: bool) {
        let own = &mut state.processes[process];
        own.op += 1;
        own.phase = if on && own.op < self.programs[process].len() {
            Phase::Begin
        } else {
            Phase::Done
        };
    }

    fn swap(&self, state: &mut State, process: usize, write: &Write, answer_lost: bool) {
        let Some(store) = self.write(&state.store.0, write) else {
            // A guard has missed: begin again.
            state.processes[process].phase = Phase::Begin;
            return;
        };
        state.store = share(store);
        if answer_lost {
            state.processes[process].phase = Phase::Begin;
            return;
        }
        if let Some(hold) = &write.hold {
            *state
                .fresh
                .entry((self.spend_key(state, process), hold.attempt()))
                .or_default() += 1;
            let print = print_of(&(hold.key().as_str(), hold.attempt(), hold.expires_at()));
            state.processes[process].hold = Some(Shared(hold.clone(), print));
        }
        self.goes_on(state, process, true);
    }

    fn step(&self, state: &mut State, process: usize, answer_lost: bool) {
        let phase = std::mem::replace(&mut state.processes[process].phase, Phase::Done);
        let next = match (phase, self.reading) {
            (Phase::Begin, Reading::WalletFirst) => Phase::Half {
                wallet: Some(state.store.clone()),
                prior: None,
            },
            (Phase::Begin, Reading::OutcomeFirst) => Phase::Half {
                wallet: None,
                prior: self.prior(state, process),
            },
            (
                Phase::Half {
                    wallet: Some(wallet),
                    ..
                },
                _,
            ) => Phase::Read {
                wallet,
                prior: self.prior(state, process),
            },
            (Phase::Half { prior, .. }, _) => Phase::Read {
                wallet: state.store.clone(),
                prior,
            },
            (Phase::Read { wallet, prior }, _) => {
                match self.decide(state, process, &wallet.0.wallet, prior.as_deref()) {
                    Came::Write(write) => Phase::Decided(write),
                    Came::Answered { expired } => return self.answered(state, process, expired),
                }
            }
            (Phase::Decided(write), _) => return self.swap(state, process, &write.0, answer_lost),
            (Phase::Begin, Reading::OneByOne) => {
                let prior = self.prior(state, process);
                match self.decide(state, process, &state.store.0.wallet, prior.as_deref()) {
                    Came::Write(write) => return self.swap(state, process, &write.0, answer_lost),
                    Came::Answered { expired } => return self.answered(state, process, expired),
                }
            }
            (Phase::Done, _) => Phase::Done,
        };
        state.processes[process].phase = next;
    }

    /// The stores that are reached.
    fn stores(&self) -> HashSet<u64> {
        let (mut seen, mut stores, mut open) = (HashSet::new(), HashSet::new(), self.init_states());
        while let Some(state) = open.pop() {
            if seen.insert(print_of(&state)) {
                stores.insert(state.store.1);
                open.extend(self.next_states(&state));
            }
        }
        stores
    }
}

const HELD_ONCE: &str = "C4: an attempt is held once, and its fresh hold handed out once";

impl Model for Scenario {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut host = Host::under(self.credit);
        for (number, (amount, until)) in self.grants.iter().enumerate() {
            let terms = GrantTerms {
                expires_at: until.map(at),
                ..GrantTerms::forever(Credits::whole(*amount))
            };
            assert_eq!(host.grant(&format!("grant-{number}"), terms, 0), "fresh");
        }
        let store = share(Store::new(host.wallet, host.ledger, BTreeMap::new()));
        let processes = vec![Process::NEW; self.programs.len()];
        vec![State {
            now: 0,
            store,
            processes,
            mishaps: self.mishaps,
            fresh: BTreeMap::new(),
            misled: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, process) in state.processes.iter().enumerate() {
            if process.phase == Phase::Done {
                continue;
            }
            actions.push(Action::Step(number));
            if state.mishaps > 0 {
                let writes =
                    matches!(process.phase, Phase::Decided(_)) || self.reading == Reading::OneByOne;
                if writes {
                    actions.push(Action::LoseAnswer(number));
                }
                if *process != Process::NEW {
                    actions.push(Action::Crash(number));
                }
            }
        }
        if state.now + 1 < self.clock.len() {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Step(process) => self.step(&mut next, process, false),
            Action::LoseAnswer(process) => {
                next.mishaps -= 1;
                self.step(&mut next, process, true);
            }
            Action::Crash(process) => {
                next.mishaps -= 1;
                next.processes[process] = Process::NEW;
            }
            Action::Tick => next.now += 1,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "C1: the parts add up, and are the fold of the ledger",
                |_, state: &State| state.store.0.adds_up,
            ),
            Property::always("C2: nothing is free beside a debt", |_, state: &State| {
                state.store.0.no_debt_beside_free
            }),
            Property::always(
                "C3: a hold ends once and is charged once",
                |_, state: &State| state.store.0.one_end,
            ),
            Property::always(HELD_ONCE, |_, state: &State| {
                state.store.0.held_once && state.fresh.values().all(|count| *count == 1)
            }),
            Property::always(
                "C4: no open hold is said to have expired",
                |_, state: &State| !state.misled,
            ),
            Property::always(
                "C10: nothing is spent twice, and nothing is lost",
                |_, state: &State| state.store.0.spent_once,
            ),
            Property::always(
                "C10: the store is one that some order one by one reaches",
                |model: &Self, state: &State| {
                    model
                        .reference
                        .as_ref()
                        .is_none_or(|reference| reference.contains(&state.store.1))
                },
            ),
        ]
    }
}

/// Checks a scenario; which properties fail, each with a way there.
fn check(name: &str, mut scenario: Scenario) -> BTreeMap<&'static str, String> {
    let one_by_one = Scenario {
        reading: Reading::OneByOne,
        guards: ALL,
        ..scenario.clone()
    }
    .stores();
    let reached = one_by_one.len();
    scenario.reference = Some(Arc::new(one_by_one));
    let checker = scenario.checker().threads(1).spawn_bfs().join();
    let (states, steps, deep) = (
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    );
    println!(
        "{name}: {states} states by {steps} steps, up to {deep} deep; {reached} stores one by one"
    );
    let found = checker.discoveries();
    found
        .into_iter()
        .map(|(name, path)| (name, format!("{:?}", path.into_actions())))
        .collect()
}

/// All holds, and the interleavings lead to every store that one order or another does: none is
/// held up by a guard.
fn holds(name: &str, scenario: Scenario) {
    let one_by_one = Scenario {
        reading: Reading::OneByOne,
        ..scenario.clone()
    }
    .stores();
    assert_eq!(scenario.stores(), one_by_one, "{name}");
    let found = check(name, scenario);
    assert!(found.is_empty(), "{name}: {found:#?}");
}

const HOLD_AND_SETTLE: &[Op] = &[
    Op::Hold {
        key: 1,
        units: 3,
        life: 5,
    },
    Op::Settle { cost: 2 },
];
const HOLD_AND_RELEASE: &[Op] = &[
    Op::Hold {
        key: 1,
        units: 3,
        life: 5,
    },
    Op::Release,
];
const DRAW: &[Op] = &[
    Op::Hold {
        key: 1,
        units: 3,
        life: 5,
    },
    Op::Draw { total: 1 },
    Op::Settle { cost: 2 },
];
const OTHER_BEYOND: &[Op] = &[
    Op::Hold {
        key: 2,
        units: 2,
        life: 7,
    },
    Op::Settle { cost: 4 },
];
const DEDUCT: &[Op] = &[Op::Deduct { key: 3, units: 2 }];

#[test]
fn c10_two_processes_with_one_key() {
    holds(
        "one key, settled by both",
        Scenario {
            mishaps: 2,
            ..scenario(&[HOLD_AND_SETTLE, HOLD_AND_SETTLE])
        },
    );
    holds(
        "one key, settled or released",
        Scenario {
            mishaps: 2,
            ..scenario(&[HOLD_AND_SETTLE, HOLD_AND_RELEASE])
        },
    );
    holds(
        "one key, drawn by both",
        Scenario {
            mishaps: 2,
            ..scenario(&[DRAW, DRAW])
        },
    );
    holds(
        "one key, deducted by both",
        Scenario {
            mishaps: 2,
            ..scenario(&[DEDUCT, DEDUCT])
        },
    );
}

#[test]
fn c10_two_processes_with_two_keys() {
    holds(
        "two keys",
        Scenario {
            mishaps: 2,
            ..scenario(&[DRAW, OTHER_BEYOND])
        },
    );
}

#[test]
fn c10_two_processes_with_a_debt() {
    let debt = Credits::whole(2);
    let credit = CreditPolicy {
        late_settle: LateSettle::Debt(debt),
        ..credit_policy(Overage::Debt(debt))
    };
    let access = crate::support::host::access(credit);
    holds(
        "a debt",
        Scenario {
            credit,
            access,
            mishaps: 2,
            ..scenario(&[HOLD_AND_SETTLE, OTHER_BEYOND])
        },
    );
}

#[test]
fn c10_three_processes_with_two_keys() {
    let three = scenario(&[HOLD_AND_SETTLE, HOLD_AND_RELEASE, DEDUCT]);
    holds(
        "three processes",
        Scenario {
            clock: &[0, 6],
            ..three
        },
    );
}

#[test]
fn c10_without_a_guard_the_checker_finds_what_is_lost() {
    // Without any crash, at one moment.
    let unguarded = Scenario {
        guards: NONE,
        mishaps: 0,
        clock: &[0],
        ..scenario(&[HOLD_AND_SETTLE, DEDUCT])
    };
    let found = check("no guard", unguarded);
    println!("{found:#?}");
    assert!(found.contains_key("C10: nothing is spent twice, and nothing is lost"));
}

/// SEMANTICS: with compare-and-swap only, the outcome has to be read after the wallet.
#[test]
fn c10_an_outcome_that_is_read_before_the_wallet_is_applied_twice() {
    let held_twice = HELD_ONCE;
    let spent_twice = "C10: nothing is spent twice, and nothing is lost";
    let twice = scenario(&[HOLD_AND_SETTLE, HOLD_AND_SETTLE]);
    let clumsy = Scenario {
        guards: VERSION_ONLY,
        mishaps: 0,
        clock: &[0],
        ..twice.clone()
    };
    let wrong = Scenario {
        reading: Reading::OutcomeFirst,
        ..clumsy
    };
    let found = check("outcome first, version only", wrong.clone());
    println!("{found:#?}");
    assert!(found.contains_key(held_twice) && found.contains_key(spent_twice));
    let deducted = check(
        "deducted, outcome first, version only",
        Scenario {
            programs: vec![DEDUCT, DEDUCT],
            ..wrong
        },
    );
    assert!(deducted.contains_key(spent_twice));
    // The order of reading is enough. The unique key is, too, as long as no attempt follows another:
    // that is written over the attempt before, which no unique key guards.
    holds(
        "wallet first, version only",
        Scenario {
            guards: VERSION_ONLY,
            ..twice.clone()
        },
    );
    holds(
        "outcome first, unique key",
        Scenario {
            reading: Reading::OutcomeFirst,
            clock: &[0],
            ..twice.clone()
        },
    );
    let found = check(
        "outcome first, unique key, and time for a second attempt",
        Scenario {
            reading: Reading::OutcomeFirst,
            ..twice
        },
    );
    assert!(found.contains_key(spent_twice), "{found:#?}");
}
