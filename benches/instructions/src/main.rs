//! Instructions of each statement, counted by valgrind, and its allocations, so the same in every
//! run; beside a baseline, with the ratio that it must keep to.
//!
//! `cargo run --release --manifest-path benches/instructions/Cargo.toml` runs itself under
//! valgrind's callgrind, once with few and once with many rounds of each case; the difference is
//! what the rounds took. It fails where a ratio is exceeded.

#[path = "../../statements/mod.rs"]
mod statements;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::process::{Command, ExitCode};

use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick::scope::Dialect;
use statements::*;

/// The system's allocator, which counts what is asked of it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const FEW: u64 = 100;
const MANY: u64 = 1_100;

/// Runs one case so many times.
fn run(case: &str, rounds: u64) {
    let (site, dialect) = (site(), Dialect::Sqlite);
    let recent = prepare_select(dialect);
    for _ in 0..rounds {
        match case {
            "select by hand" => drop(black_box(select_by_hand(dialect))),
            "select scoped" => drop(black_box(select(&site, dialect))),
            "select owned" => drop(black_box(bind_select(&recent, &site))),
            "select borrowed" => drop(black_box(lend_select(&recent, &site))),
            "join by hand" => drop(black_box(join_by_hand(dialect))),
            "join scoped" => drop(black_box(join(&site, dialect))),
            "update by hand" => drop(black_box(update_by_hand(dialect))),
            "update scoped" => drop(black_box(update(&site, dialect))),
            "insert by hand" => drop(black_box(insert_by_hand(dialect))),
            "insert scoped" => drop(black_box(insert(&site, dialect))),
            other => panic!("no such case: {other}"),
        }
    }
}

/// The instructions of one round.
fn count(case: &str) -> Result<f64, String> {
    let total = |rounds: u64| -> Result<f64, String> {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        valgrind.arg(std::env::current_exe().map_err(|error| error.to_string())?);
        let output = valgrind.args(["run", case, &rounds.to_string()]).output();
        let output = output.map_err(|error| {
            format!("valgrind does not start ({error}); install it: apt-get install valgrind")
        })?;
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = report
            .lines()
            .find_map(|line| line.split("Collected : ").nth(1));
        line.and_then(|number| number.trim().parse().ok())
            .ok_or(report)
    };
    Ok((total(MANY)? - total(FEW)?) / (MANY - FEW) as f64)
}

/// The allocations of one round.
fn allocations(case: &str) -> u64 {
    let total = |rounds: u64| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        run(case, rounds);
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    (total(MANY) - total(FEW)) / (MANY - FEW)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, case, rounds] = arguments.as_slice()
        && command == "run"
    {
        run(case, rounds.parse().expect("a number of rounds"));
        return ExitCode::SUCCESS;
    }
    let mut kept = true;
    println!("| case | instructions | by hand | ratio | at most | allocations | by hand |");
    println!("|---|---|---|---|---|---|---|");
    for (case, baseline, most) in [
        ("select scoped", "select by hand", 1.5),
        ("join scoped", "join by hand", 1.5),
        ("update scoped", "update by hand", 1.5),
        ("insert scoped", "insert by hand", 1.5),
        ("select owned", "select by hand", 1.0 / 20.0),
        ("select borrowed", "select by hand", 1.0 / 60.0),
    ] {
        match (count(case), count(baseline)) {
            (Ok(ours), Ok(theirs)) => {
                let ratio = ours / theirs;
                kept &= ratio <= most;
                let (allocated, by_hand) = (allocations(case), allocations(baseline));
                println!(
                    "| {case} | {ours:.0} | {theirs:.0} | {ratio:.3} | {most:.3} | {allocated} | {by_hand} |"
                );
            }
            (Err(error), _) | (_, Err(error)) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
