//! Statements of every kind, combined at random, on real databases: the result equals the oracle's,
//! and no foreign row is read, counted, changed, deleted, taken or referred to. And each text is
//! read again by another SQL parser.

use std::cell::RefCell;

use crate::database::Database;
use crate::generate::{operation, reach, without_nul, world};
use crate::run::{Run, Tally, sorted};
use bailiwick::scope::Dialect;
use proptest::prelude::*;

fn composed_statements_equal_the_oracle(mut database: Database, cases: u32) {
    let steps = prop::collection::vec((reach(), operation()), 1..16);
    let postgres = database.dialect() == Dialect::Postgres;
    let (database, tally) = (RefCell::new(&mut database), RefCell::new(Tally::default()));
    proptest!(ProptestConfig { cases, ..ProptestConfig::default() }, |(mut world in world(), steps in steps)| {
        if postgres {
            without_nul(&mut world);
        }
        let (mut database, mut tally) = (database.borrow_mut(), tally.borrow_mut());
        database.load(&world);
        for (reach, operation) in &steps {
            let mut run = Run { database: &mut database, world, reach: reach.clone(), tally: &mut tally };
            run.one(operation);
            world = run.world;
            assert_eq!(database.everything(), sorted(&world), "after {operation:?} in {reach:?}");
        }
    });
    println!(
        "{:?}: {:?}",
        if postgres { "PostgreSQL" } else { "SQLite" },
        tally.into_inner()
    );
}

#[test]
fn s2_composed_statements_on_sqlite_equal_the_oracle_and_touch_no_foreign_row() {
    composed_statements_equal_the_oracle(Database::sqlite(), 3_000);
}

#[test]
fn s2_composed_statements_on_postgres_equal_the_oracle_and_touch_no_foreign_row() {
    if let Some(database) = Database::postgres() {
        composed_statements_equal_the_oracle(database, 1_200);
    }
}
