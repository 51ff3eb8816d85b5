//! Draws `benches/gate.svg` and prints the table of ratios, from what criterion measured last.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// What is drawn and told: the engine's name, its bench, where its tenant's line stands, and its colour.
const SERIES: [(&str, &str, &str, &str); 7] = [
    ("bailiwick", "bailiwick", "middle", "#0a7d4f"),
    ("Cedar, request and entities at hand", "cedar, all at hand", "middle", "#2a6fdb"),
    ("Cedar, request made", "cedar, request made", "middle", "#5b93e6"),
    ("Cedar, request and entities made", "cedar, request and entities made", "middle", "#8fb6f2"),
    ("Casbin, one policy for all", "casbin, attributes", "middle", "#e08a00"),
    ("Casbin, a policy each, the first", "casbin, domains", "first", "#d1495b"),
    ("Casbin, a policy each, the middle one", "casbin, domains", "middle", "#8c1d40"),
];
const TENANTS: [u32; 3] = [1, 100, 10_000];

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The fastest of each bench's hundred samples in nanoseconds, by its name and its number of tenants. On a machine that is
/// shared, what is slower than that is the others' doing.
fn fastest(folder: &Path) -> BTreeMap<(String, u32), f64> {
    let mut all = BTreeMap::new();
    for bench in fs::read_dir(folder).expect("run `cargo bench` first").map(|entry| entry.unwrap().path()) {
        for size in fs::read_dir(bench).into_iter().flatten().map(|entry| entry.unwrap().path().join("new")) {
            if size.join("benchmark.json").exists() {
                let about = json(&size.join("benchmark.json"));
                let sample = json(&size.join("sample.json"));
                let numbers = |name: &str| sample[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
                let each = numbers("times").zip(numbers("iters")).map(|(time, iterations)| time / iterations);
                let fastest = each.fold(f64::INFINITY, f64::min);
                let tenants = about["value_str"].as_str().unwrap().parse().unwrap();
                all.insert((about["function_id"].as_str().unwrap().to_owned(), tenants), fastest);
            }
        }
    }
    all
}

/// Where a time stands, on a logarithmic scale from 1 ns up to 100 ms.
fn height(nanos: f64) -> f64 {
    400.0 - nanos.log10() * 45.0
}

fn main() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let times = fastest(&package.join("target/criterion/gate"));
    // Of one tenant, the first is the middle one.
    let of = |bench: &str, place: &str, tenants: u32| {
        let place = if tenants == 1 { "first" } else { place };
        times[&(format!("{bench}, {place}"), tenants)]
    };

    println!("| | 1 tenant | 100 | 10,000 |\n|---|---|---|---|");
    for (name, bench, place, _) in SERIES.into_iter().skip(1) {
        let ratio = |tenants| of(bench, place, tenants) / of("bailiwick", place, tenants);
        let [one, hundred, many] = TENANTS.map(|tenants| format!("{:.0}×", ratio(tenants)));
        println!("| {name} | {one} | {hundred} | {many} |");
    }

    let mut svg = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 460" font-family="system-ui, sans-serif" font-size="13">
<rect width="860" height="460" fill="#ffffff"/>
<text x="70" y="24" font-size="15" font-weight="600" fill="#222">One decision about one request: time by number of tenants</text>
"##,
    );
    for (power, label) in ["1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms"].iter().enumerate()
    {
        let y = height(10_f64.powi(i32::try_from(power).unwrap()));
        writeln!(svg, r##"<line x1="70" x2="540" y1="{y}" y2="{y}" stroke="#e2e2e2"/>"##).unwrap();
        writeln!(svg, r##"<text x="62" y="{}" text-anchor="end" fill="#555">{label}</text>"##, y + 4.0).unwrap();
    }
    let x = |index: usize| [90.0, 305.0, 520.0][index];
    for (index, label) in ["1 tenant", "100 tenants", "10,000 tenants"].iter().enumerate() {
        writeln!(svg, r##"<text x="{}" y="424" text-anchor="middle" fill="#555">{label}</text>"##, x(index)).unwrap();
    }
    // Labels stand where their lines end, no nearer to each other than they can be read.
    let mut ends: Vec<(f64, usize)> = SERIES
        .iter()
        .enumerate()
        .map(|(index, (_, bench, place, _))| (height(of(bench, place, TENANTS[2])), index))
        .collect();
    ends.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut lowest = f64::INFINITY;
    for (end, index) in ends {
        let (name, bench, place, colour) = SERIES[index];
        let points = [0, 1, 2].map(|at| format!("{},{:.1}", x(at), height(of(bench, place, TENANTS[at]))));
        let points_text = points.join(" ");
        writeln!(svg, r##"<polyline points="{points_text}" fill="none" stroke="{colour}" stroke-width="2.5"/>"##)
            .unwrap();
        for point in points {
            let (cx, cy) = point.split_once(',').unwrap();
            writeln!(svg, r##"<circle cx="{cx}" cy="{cy}" r="3.5" fill="{colour}"/>"##).unwrap();
        }
        lowest = end.min(lowest - 17.0);
        let (tick, y) = (lowest, lowest + 4.0);
        writeln!(svg, r##"<line x1="526" x2="548" y1="{end:.1}" y2="{tick:.1}" stroke="{colour}" opacity="0.6"/>"##)
            .unwrap();
        writeln!(svg, r##"<text x="552" y="{y:.1}" fill="{colour}">{name}</text>"##).unwrap();
    }
    svg.push_str(
        r##"<text x="70" y="448" font-size="11" fill="#777">The fastest samples of one run, on two shared cores; both scales are logarithmic. Lower is better.</text>
</svg>
"##,
    );
    fs::write(package.join("../gate.svg"), svg).unwrap();
}
