//! Any world of tenants and any course of statements, on an embedded SQLite against the oracle (S1 to S6): the same rows,
//! nothing foreign touched, and the tenant found in each text by another parser. The bytes choose where the tests' own
//! generator would draw at random.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[path = "../../tests/scope_model/database.rs"]
#[allow(dead_code, reason = "the tests need more")]
mod database;
#[path = "../../tests/scope_model/generate.rs"]
#[allow(dead_code, reason = "the tests need more")]
mod generate;
#[path = "../../tests/model/scope.rs"]
mod model;
#[path = "../../tests/scope_model/parsed.rs"]
mod parsed;
#[path = "../../tests/scope_model/run.rs"]
mod run;
#[path = "../../tests/servers/mod.rs"]
#[allow(dead_code, reason = "no servers are started here")]
mod servers;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/scope_model/tables.rs"]
mod tables;

use database::Database;
use run::{Run, Tally, sorted};

thread_local! {
    static DATABASE: RefCell<Database> = RefCell::new(Database::sqlite());
}

fuzz_target!(|bytes: &[u8]| {
    // The statements come first, so that few bytes make many of them; what is beyond the bytes is drawn as zero.
    let rng = TestRng::from_seed(RngAlgorithm::PassThrough, bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let steps = prop::collection::vec((generate::reach(), generate::operation()), 1..12);
    let Ok(drawn) = (steps, generate::world()).new_tree(&mut runner) else { return };
    let (steps, mut world) = drawn.current();
    DATABASE.with_borrow_mut(|database| {
        database.load(&world);
        for (reach, operation) in steps {
            let mut run = Run { database, world, reach, tally: &mut Tally::default() };
            run.one(&operation);
            world = run.world;
            assert_eq!(database.everything(), sorted(&world), "after {operation:?}");
        }
    });
});
