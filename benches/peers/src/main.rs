//! Prints the tables and draws `benches/gate.svg` and `benches/throttle.svg`, from what criterion
//! measured last.

mod chart;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chart::{Anchor, Chart};
use serde_json::Value;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Nanoseconds, by a bench's name and its parameter, which is empty if it has none.
type Times = BTreeMap<(String, String), f64>;

/// One number of what was measured of each bench in a folder.
fn times(folder: &Path, number: fn(&Path) -> f64) -> Times {
    let mut all = Times::new();
    for entry in fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
    {
        if !entry.join("benchmark.json").exists() {
            all.extend(times(&entry, number));
        } else if entry.ends_with("new") {
            let about = json(&entry.join("benchmark.json"));
            let [name, parameter] =
                ["function_id", "value_str"].map(|key| about[key].as_str().unwrap_or_default());
            all.insert((name.to_owned(), parameter.to_owned()), number(&entry));
        }
    }
    all
}

/// The fastest of a bench's hundred samples. On a shared machine, what is slower is the others'
/// doing.
fn fastest(bench: &Path) -> f64 {
    let sample = json(&bench.join("sample.json"));
    let numbers = |name: &str| {
        sample[name]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_f64().unwrap())
    };
    let each = numbers("times")
        .zip(numbers("iters"))
        .map(|(time, iterations)| time / iterations);
    each.fold(f64::INFINITY, f64::min)
}

/// The median of a bench's samples. Which of 100,000 keys a sample looks up makes the fastest a
/// matter of luck.
fn median(bench: &Path) -> f64 {
    json(&bench.join("estimates.json"))["median"]["point_estimate"]
        .as_f64()
        .unwrap()
}

/// What is drawn and told of the gate: the engine's name, its bench, where its tenant's line
/// stands, and its colour.
const ENGINES: [(&str, &str, &str, &str); 7] = [
    ("bailiwick", "bailiwick", "middle", "#0a7d4f"),
    (
        "Cedar, request and entities at hand",
        "cedar, all at hand",
        "middle",
        "#2a6fdb",
    ),
    (
        "Cedar, request made",
        "cedar, request made",
        "middle",
        "#5b93e6",
    ),
    (
        "Cedar, request and entities made",
        "cedar, request and entities made",
        "middle",
        "#8fb6f2",
    ),
    (
        "Casbin, one policy for all",
        "casbin, attributes",
        "middle",
        "#e08a00",
    ),
    (
        "Casbin, a policy each, the first",
        "casbin, domains",
        "first",
        "#d1495b",
    ),
    (
        "Casbin, a policy each, the middle one",
        "casbin, domains",
        "middle",
        "#8c1d40",
    ),
];
const TENANTS: [u32; 3] = [1, 100, 10_000];

/// Where a time stands, on a logarithmic scale from 1 ns up to 100 ms.
fn height(nanos: f64) -> f64 {
    400.0 - nanos.log10() * 45.0
}

fn gate(times: &Times, picture: &Path) {
    // Of one tenant, the first is the middle one.
    let of = |bench: &str, place: &str, tenants: u32| {
        let place = if tenants == 1 { "first" } else { place };
        times[&(format!("{bench}, {place}"), tenants.to_string())]
    };

    println!("| | 1 tenant | 100 | 10,000 |\n|---|---|---|---|");
    for (name, bench, place, _) in ENGINES.into_iter().skip(1) {
        let ratio = |tenants| of(bench, place, tenants) / of("bailiwick", place, tenants);
        let [one, hundred, many] = TENANTS.map(|tenants| format!("{:.0}×", ratio(tenants)));
        println!("| {name} | {one} | {hundred} | {many} |");
    }

    let mut chart = Chart::new(
        460,
        "One decision about one request: time by number of tenants",
    );
    for (power, label) in [
        "1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms",
    ]
    .iter()
    .enumerate()
    {
        let y = height(10_f64.powi(i32::try_from(power).unwrap()));
        chart.grid((70.0, y), (540.0, y));
        chart.text((62.0, y + 4.0), Anchor::End, "#555", label);
    }
    let columns = [90.0, 305.0, 520.0];
    for (x, label) in columns
        .into_iter()
        .zip(["1 tenant", "100 tenants", "10,000 tenants"])
    {
        chart.text((x, 424.0), Anchor::Middle, "#555", label);
    }
    // Labels stand where their lines end, no nearer to each other than they can be read.
    let mut ends: Vec<(f64, usize)> = ENGINES
        .iter()
        .enumerate()
        .map(|(index, (_, bench, place, _))| (height(of(bench, place, TENANTS[2])), index))
        .collect();
    ends.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut lowest = f64::INFINITY;
    for (end, index) in ends {
        let (name, bench, place, colour) = ENGINES[index];
        chart.curve(
            &[0, 1, 2].map(|at| (columns[at], height(of(bench, place, TENANTS[at])))),
            colour,
        );
        lowest = end.min(lowest - 17.0);
        chart.pointer((526.0, end), (548.0, lowest), colour);
        chart.text((552.0, lowest + 4.0), Anchor::Start, colour, name);
    }
    chart.save(
        "The fastest samples of one run, on two shared cores; both scales are logarithmic. Lower is better.",
        picture,
    );
}

/// The checks in process, of either side, each with its colour.
const CHECKS: [(&str, &str); 7] = [
    ("governor, u64", "#2a6fdb"),
    ("governor, u64, with a snapshot", "#5b93e6"),
    ("governor, formatted text", "#8fb6f2"),
    ("bailiwick, addresses", "#0a7d4f"),
    ("bailiwick, accounts", "#0a7d4f"),
    ("bailiwick, accounts by key", "#4aa883"),
    ("bailiwick, accounts, two quotas", "#4aa883"),
];

/// The services, each with its colour. The first is the baseline.
const SERVICES: [(&str, &str); 8] = [
    ("no throttle", "#999"),
    ("a middleware that does nothing", "#bbb"),
    ("bailiwick", "#0a7d4f"),
    ("bailiwick, legacy headers", "#4aa883"),
    ("bailiwick, no headers", "#4aa883"),
    ("tower_governor", "#2a6fdb"),
    ("tower_governor, no headers", "#8fb6f2"),
    ("axum-governor", "#e08a00"),
];

fn throttle(checks: &Times, services: &Times, picture: &Path) {
    // What either side calls the time: at hand, and looked at for each check.
    let of = |name: &str, column: usize| {
        let times = if name.starts_with("governor") {
            ["FakeRelativeClock", "its own clock"]
        } else {
            ["ready now", "Utc::now()"]
        };
        checks[&(name.to_owned(), times[column].to_owned())]
    };
    println!("\n| | time at hand | | clock read | |\n|---|---|---|---|---|");
    for (name, _) in CHECKS {
        let [ready, read] = [0, 1].map(|column| {
            let nanos = of(name, column);
            format!(
                "{nanos:.0} ns | {:.1}×",
                nanos / of("governor, u64", column)
            )
        });
        println!("| {name} | {ready} | {read} |");
    }
    let request = |name: &str| services[&(name.to_owned(), String::new())];
    let more = |name: &str| request(name) - request(SERVICES[0].0);
    println!("\n| | a request | more than without |\n|---|---|---|");
    for (name, _) in SERVICES {
        println!(
            "| {name} | {:.0} ns | {:.0} ns |",
            request(name),
            more(name)
        );
    }

    let checks = CHECKS.map(|(name, colour)| (name, colour, of(name, 1)));
    let services = SERVICES.map(|(name, colour)| (name, colour, more(name)));
    let mut chart = Chart::new(456, "The throttle with 100,000 keys");
    let mut y = 52.0;
    let panels = [
        (
            "One check in process, the clock read for each",
            checks.as_slice(),
        ),
        (
            "What it adds to a request of a service on axum",
            &services[1..],
        ),
    ];
    for (title, bars) in panels {
        chart.text((70.0, y), Anchor::Start, "#222", title);
        // Each scale is linear and begins at nothing.
        let longest = bars.iter().map(|(_, _, nanos)| *nanos).fold(1.0, f64::max);
        for (name, colour, nanos) in bars {
            y += 22.0;
            let width = nanos.max(0.0) / longest * 470.0;
            chart.text((272.0, y + 4.0), Anchor::End, "#555", name);
            chart.bar((280.0, y - 8.0), width, colour);
            chart.text(
                (286.0 + width, y + 4.0),
                Anchor::Start,
                "#555",
                &format!("{nanos:.0} ns"),
            );
        }
        y += 44.0;
    }
    chart.save(
        "The medians of one run, on two shared cores; each half has a scale of its own. Shorter is better.",
        picture,
    );
}

fn main() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let measured = package.join("target/criterion");
    let engines = times(&measured.join("gate"), fastest);
    let [checks, services] =
        ["throttle check", "throttle service"].map(|group| times(&measured.join(group), median));
    assert!(
        !engines.is_empty() || !services.is_empty(),
        "run `cargo bench` first"
    );
    // Either bench may have been run alone.
    if !engines.is_empty() {
        gate(&engines, &package.join("../gate.svg"));
    }
    if !checks.is_empty() && !services.is_empty() {
        throttle(&checks, &services, &package.join("../throttle.svg"));
    }
}
