//! Any world of tenants and any course of statements, on an embedded SQLite against the oracle (S1
//! to S6): the same rows, nothing foreign touched, and the tenant found in each text by another
//! parser.
//!
//! The first four bytes draw the world, every four more a scope and a statement for it, by the
//! tests' own generator; so the fuzzer can keep the statements that found something new, and put
//! them together otherwise.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[path = "../../tests/scope/database.rs"]
#[allow(dead_code, reason = "the tests need more")]
mod database;
#[path = "../../tests/scope/generate.rs"]
#[allow(dead_code, reason = "the tests need more")]
mod generate;
#[path = "../../tests/model/scope.rs"]
mod model;
#[path = "../../tests/scope/parsed.rs"]
mod parsed;
#[path = "../../tests/scope/run.rs"]
mod run;
#[path = "../../tests/servers/mod.rs"]
#[allow(dead_code, reason = "no servers are started here")]
mod servers;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/scope/tables.rs"]
mod tables;

use database::Database;
use generate::Operation;
use model::{Reach, World};
use run::{Run, Tally, sorted};

thread_local! {
    static DATABASE: RefCell<Database> = RefCell::new(Database::sqlite());
}

const MAX_STEPS: usize = 24;

/// What the generator draws from these four bytes.
fn draw<S: Strategy>(strategy: &S, bytes: &[u8]) -> S::Value {
    let mut seed = [0; 32];
    seed.iter_mut()
        .zip(bytes)
        .for_each(|(place, byte)| *place = *byte);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let drawn = strategy.new_tree(&mut TestRunner::new_with_rng(Config::default(), rng));
    drawn.expect("the strategies reject nothing").current()
}

thread_local! {
    static STRATEGIES: (BoxedStrategy<World>, BoxedStrategy<(Reach, Operation)>) =
        (generate::world().boxed(), (generate::reach(), generate::operation()).boxed());
}

fuzz_target!(|bytes: &[u8]| {
    let (start, steps) = bytes.split_at(bytes.len().min(4));
    let mut world = STRATEGIES.with(|(worlds, _)| draw(worlds, start));
    DATABASE.with_borrow_mut(|database| {
        database.load(&world);
        for step in steps.chunks(4).take(MAX_STEPS) {
            let (reach, operation) = STRATEGIES.with(|(_, steps)| draw(steps, step));
            let mut run = Run {
                database,
                world,
                reach,
                tally: &mut Tally::default(),
            };
            run.one(&operation);
            world = run.world;
            assert_eq!(database.everything(), sorted(&world), "after {operation:?}");
        }
    });
});
