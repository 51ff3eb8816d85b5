//! C10 by exhaustion: every order in which a few clients can load and commit leaves the store, and
//! answers the clients, just as some order of their whole commands does. The store's own guards are
//! the only thing between them.

use std::collections::BTreeSet;

use crate::memory::{Flaw, Memory, Rows};
use crate::support::{at, credits, operator, tenant};
use bailiwick::change::Answer;
use bailiwick::credit::{
    Cause, Change, DeductRequest, GrantTerms, HoldRequest, IdempotencyKey, Outcome, PriceList,
};
use bailiwick::right::Privilege;
use bailiwick::testkit::{CreditStore, Loaded, Written};
use bailiwick::{Access, AccountId, Credits, Hold, Principal, Wallet, validate_account_and_plan};
use chrono::TimeDelta;

const ACCOUNT: i64 = 0;

/// More steps than any run of these few clients takes.
const LONGEST_RUN: usize = 10_000;

/// What a client does, and the second at which it does it.
#[derive(Clone, Copy, Debug)]
enum Task {
    Hold {
        key: &'static str,
        units: u64,
        at: i64,
    },
    /// Ends the hold that the client has, if it has one.
    Settle {
        cost: i64,
        at: i64,
    },
    Release {
        at: i64,
    },
    Deduct {
        key: &'static str,
        units: u64,
        at: i64,
    },
    Grant {
        key: &'static str,
        amount: i64,
        at: i64,
    },
    Advance {
        at: i64,
    },
}

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

fn account() -> AccountId {
    ACCOUNT.into()
}

/// A client in the middle of its tasks.
struct Client<'a> {
    access: &'a Access,
    prices: &'a PriceList,
    tasks: &'a [Task],
    hold: Option<Hold>,
    /// The change that was decided and is not committed yet, with what to answer if it is.
    decided: Option<Decided>,
    answers: Vec<String>,
}

enum Decided {
    Hold(Change<Hold>),
    Other(Change, String),
}

impl Client<'_> {
    /// Carries out half a task: loading and asking, or committing. A missed guard leads back to
    /// loading.
    fn step(&mut self, store: &Memory) {
        match self.decided.take() {
            None => self.load(store),
            Some(Decided::Hold(change)) => {
                if store.commit(&change).unwrap() == Written::Committed {
                    self.hold = Some(change.into_result());
                    self.answer("held".to_owned());
                }
            }
            Some(Decided::Other(change, answer)) => {
                if store.commit(&change).unwrap() == Written::Committed {
                    self.answer(answer);
                }
            }
        }
    }

    fn answer(&mut self, answer: String) {
        self.answers.push(answer);
        self.tasks = &self.tasks[1..];
    }

    fn load(&mut self, store: &Memory) {
        let load = |key: &str| {
            let Loaded { wallet, outcome } = store.load(&account(), key).unwrap();
            (
                wallet.unwrap_or_else(|| Wallet::open(account(), at(0))),
                outcome,
            )
        };
        let asked = match self.tasks[0] {
            Task::Hold {
                key,
                units,
                at: second,
            } => {
                let quote = self.prices.quote("unit", units).unwrap();
                let time_to_live = TimeDelta::try_seconds(60).unwrap();
                let request = HoldRequest {
                    key: self::key(key),
                    quote,
                    time_to_live,
                    fingerprint: None,
                };
                let (wallet, prior) = load(&Outcome::spend_key(&request.key));
                match wallet.hold(self.access, &request, prior.as_ref(), at(second)) {
                    Ok(Answer::Fresh(change)) => Ok(Decided::Hold(change)),
                    Ok(Answer::Replayed(earlier)) => Err(format!("{earlier:?}")),
                    Err(error) => Err(error.to_string()),
                }
            }
            Task::Settle { cost, at: second } => match &self.hold {
                None => Err("nothing to settle".to_owned()),
                Some(hold) => {
                    let (wallet, prior) = load(&Outcome::spend_key(hold.key()));
                    decided(wallet.settle(hold, credits(cost), prior.as_ref(), at(second)))
                }
            },
            Task::Release { at: second } => match &self.hold {
                None => Err("nothing to release".to_owned()),
                Some(hold) => {
                    let (wallet, prior) = load(&Outcome::spend_key(hold.key()));
                    decided(wallet.release(hold, prior.as_ref(), at(second)))
                }
            },
            Task::Deduct {
                key,
                units,
                at: second,
            } => {
                let quote = self.prices.quote("unit", units).unwrap();
                let (wallet, prior) = load(&Outcome::spend_key(&self::key(key)));
                let request = DeductRequest {
                    key: self::key(key),
                    quote,
                    fingerprint: None,
                };
                decided(wallet.deduct(self.access, &request, prior.as_ref(), at(second)))
            }
            Task::Grant {
                key,
                amount,
                at: second,
            } => {
                let cause = Cause::promotion(
                    &operator(Privilege::GrantCredits),
                    &account(),
                    &self::key(key),
                )
                .unwrap();
                let (wallet, prior) = load(cause.key());
                decided(wallet.grant(
                    &cause,
                    GrantTerms::forever(credits(amount)),
                    prior.as_ref(),
                    at(second),
                ))
            }
            Task::Advance { at: second } => {
                let (wallet, _) = load("");
                decided::<(), (), _>(wallet.advance(at(second)).map(Answer::Fresh))
            }
        };
        match asked {
            Ok(decided) => self.decided = Some(decided),
            Err(answer) => self.answer(answer),
        }
    }
}

fn decided<T: std::fmt::Debug, R: std::fmt::Debug, E: std::fmt::Display>(
    answer: Result<Answer<Change<T>, R>, E>,
) -> Result<Decided, String> {
    match answer {
        // The versions are part of no answer, so a change shows what it did by its entries.
        Ok(Answer::Fresh(change)) => {
            let events: Vec<_> = change.entries().iter().map(|entry| &entry.event).collect();
            let answer = format!("{events:?}");
            Ok(Decided::Other(change.without_result(), answer))
        }
        Ok(Answer::Replayed(earlier)) => Err(format!("replayed {earlier:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// What a run leaves behind: all rows of the account, and every client's answers.
type Left = (Rows, Vec<Vec<String>>);

struct Scene {
    access: Access,
    prices: PriceList,
    clients: Vec<Vec<Task>>,
    flaw: Flaw,
}

impl Scene {
    fn new(clients: &[&[Task]]) -> Self {
        let principal = Principal::session(1.into()).of_account(account());
        let access = validate_account_and_plan(&principal, Some(&tenant(ACCOUNT)), at(0)).unwrap();
        let prices = serde_json::from_str(r#"{ "unit": { "per_unit": "1" } }"#).unwrap();
        Self {
            access,
            prices,
            clients: clients.iter().map(|tasks| tasks.to_vec()).collect(),
            flaw: Flaw::None,
        }
    }

    /// Runs under a schedule: at each moment the number of a client among those that are not done,
    /// 0 beyond its end. The choices that were made, and among how many.
    fn run(&self, schedule: &[usize], whole: bool) -> (Left, Vec<(usize, usize)>) {
        let store = Memory::new(self.flaw);
        assert_eq!(store.new_account().unwrap(), account());
        let (access, prices) = (&self.access, &self.prices);
        let client = |tasks| Client {
            access,
            prices,
            tasks,
            hold: None,
            decided: None,
            answers: vec![],
        };
        let mut first = client(&[Task::Grant {
            key: "first",
            amount: 5,
            at: 0,
        }]);
        while !first.tasks.is_empty() {
            first.step(&store);
        }
        let mut clients: Vec<Client> = self.clients.iter().map(|tasks| client(tasks)).collect();
        let mut choices = Vec::new();
        loop {
            let mut at_work: Vec<&mut Client> = clients
                .iter_mut()
                .filter(|client| !client.tasks.is_empty())
                .collect();
            if at_work.is_empty() {
                break;
            }
            let choice = schedule.get(choices.len()).copied().unwrap_or(0);
            choices.push((choice, at_work.len()));
            assert!(
                choices.len() < LONGEST_RUN,
                "the clients begin again for ever"
            );
            let client = &mut at_work[choice];
            let left = client.tasks.len();
            client.step(&store);
            let mut steps = 1;
            while whole && client.tasks.len() == left {
                client.step(&store);
                steps += 1;
                assert!(steps < LONGEST_RUN, "a client begins again for ever");
            }
        }
        let rows = store.accounts()[&account()].clone();
        (
            (
                rows,
                clients.into_iter().map(|client| client.answers).collect(),
            ),
            choices,
        )
    }

    /// What every schedule leaves behind, and how many there are. `whole` runs each command in one
    /// go.
    fn all(&self, whole: bool) -> (BTreeSet<Left>, usize) {
        let (mut left, mut count, mut schedule) = (BTreeSet::new(), 0, Vec::new());
        loop {
            let (run, choices) = self.run(&schedule, whole);
            left.insert(run);
            count += 1;
            // The next schedule in order: the last choice that has another after it.
            let Some(place) = choices
                .iter()
                .rposition(|(choice, among)| choice + 1 < *among)
            else {
                return (left, count);
            };
            schedule = choices[..=place]
                .iter()
                .map(|(choice, _)| *choice)
                .collect();
            schedule[place] += 1;
        }
    }
}

const HOLD: Task = Task::Hold {
    key: "a",
    units: 3,
    at: 0,
};
const SETTLE: Task = Task::Settle { cost: 2, at: 10 };

/// The tasks of each client.
fn scenes() -> Vec<Scene> {
    let deduct = |key, second| Task::Deduct {
        key,
        units: 3,
        at: second,
    };
    vec![
        // The same request twice, and another; enough for one.
        Scene::new(&[&[HOLD, SETTLE], &[HOLD, SETTLE], &[deduct("b", 2)]]),
        // A hold that runs out while its end is on the way.
        Scene::new(&[
            &[HOLD, SETTLE],
            &[Task::Advance { at: 60 }],
            &[deduct("b", 2)],
        ]),
        Scene::new(&[
            &[HOLD, Task::Release { at: 5 }],
            &[deduct("b", 61), deduct("c", 2)],
        ]),
        // Credits that come while others go, and come once.
        Scene::new(&[
            &[Task::Grant {
                key: "second",
                amount: 4,
                at: 1,
            }],
            &[Task::Grant {
                key: "second",
                amount: 4,
                at: 1,
            }],
            &[deduct("b", 1), deduct("c", 2)],
        ]),
    ]
}

#[test]
fn c10_every_interleaving_equals_some_order_one_by_one() {
    for scene in scenes() {
        let (serial, orders) = scene.all(true);
        let (interleaved, schedules) = scene.all(false);
        println!(
            "{schedules} schedules, {orders} orders, {} ends",
            serial.len()
        );
        assert!(schedules > 5 * orders);
        for left in &interleaved {
            assert!(serial.contains(left), "{:?}: {left:#?}", scene.clients);
        }
        assert_eq!(interleaved, serial, "and every order is among them");
    }
}

/// The test itself: without guards there are ends that no order explains.
#[test]
fn c10_without_guards_some_interleavings_equal_no_order() {
    let clients = [
        [HOLD, SETTLE].as_slice(),
        &[Task::Deduct {
            key: "b",
            units: 3,
            at: 2,
        }],
    ];
    let serial = Scene::new(&clients).all(true).0;
    for flaw in [Flaw::NoGuards, Flaw::UpdateDropped] {
        let interleaved = Scene {
            flaw,
            ..Scene::new(&clients)
        }
        .all(false)
        .0;
        assert!(!interleaved.is_subset(&serial), "{flaw:?}");
    }
}

/// A request twice at once, each reading the outcome before the wallet: what the order of reading
/// is worth, and what the unique key is.
#[test]
fn c4_the_unique_key_makes_up_for_reading_in_the_wrong_order() {
    let charged_twice = |flaw: Flaw, wallet_first: bool| {
        let scene = Scene::new(&[]);
        let quote = scene.prices.quote("unit", 2).unwrap();
        let stored = Outcome::spend_key(&key("a"));
        let request = DeductRequest {
            key: key("a"),
            quote,
            fingerprint: None,
        };
        let deduct = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet
                .deduct(&scene.access, &request, prior, at(1))
                .unwrap()
        };
        let mut twice = 0;
        // Two clients with three steps each: twenty orders.
        let orders: Vec<Vec<usize>> = (0..64_u32)
            .map(|bits| {
                (0..6)
                    .map(|place| usize::from(bits >> place & 1 == 1))
                    .collect::<Vec<_>>()
            })
            .filter(|order| order.iter().sum::<usize>() == 3)
            .collect();
        assert_eq!(orders.len(), 20);
        for order in orders {
            let store = Memory::new(flaw);
            store.new_account().unwrap();
            let cause = Cause::promotion(
                &operator(Privilege::GrantCredits),
                &account(),
                &key("first"),
            )
            .unwrap();
            let grant = Wallet::open(account(), at(0));
            let Ok(Answer::Fresh(grant)) =
                grant.grant(&cause, GrantTerms::forever(credits(9)), None, at(0))
            else {
                panic!("a first grant is fresh");
            };
            assert_eq!(store.commit(&grant).unwrap(), Written::Committed);
            let (mut steps, mut read) = ([0; 2], [Loaded::default(), Loaded::default()]);
            for client in order {
                let is_wallet = (steps[client] == 0) == wallet_first;
                if steps[client] == 2 {
                    let commit = |Loaded { wallet, outcome }| match deduct(
                        wallet.unwrap(),
                        outcome.as_ref(),
                    ) {
                        Answer::Fresh(change) => store.commit(&change).unwrap(),
                        Answer::Replayed(_) => Written::Committed,
                    };
                    if commit(std::mem::take(&mut read[client])) == Written::Missed {
                        // Again, with nobody else about.
                        assert_eq!(
                            commit(store.load(&account(), &stored).unwrap()),
                            Written::Committed
                        );
                    }
                } else if is_wallet {
                    read[client].wallet = store.load(&account(), &stored).unwrap().wallet;
                } else {
                    read[client].outcome = store.load(&account(), &stored).unwrap().outcome;
                }
                steps[client] += 1;
            }
            let spent = store
                .load(&account(), &stored)
                .unwrap()
                .wallet
                .unwrap()
                .balance()
                .spent;
            twice += usize::from(spent == Credits::whole(4));
        }
        twice
    };
    let ends = [
        (Flaw::KeyTwice, false),
        (Flaw::KeyTwice, true),
        (Flaw::None, false),
        (Flaw::None, true),
    ];
    assert_eq!(
        ends.map(|(flaw, wallet_first)| charged_twice(flaw, wallet_first)),
        [6, 0, 0, 0]
    );
}
