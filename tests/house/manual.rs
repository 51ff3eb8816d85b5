//! The manual says nothing that is not there.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All source text below a folder.
fn below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn the_table_of_invariants_names_tests_targets_and_sources_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = below(&root.join("tests"));
    let rows: Vec<String> = read("src/manual/invariants.md")
        .lines()
        .map(str::to_owned)
        .collect();
    let rows = rows
        .iter()
        .filter(|row| row.starts_with("| ") && !row.starts_with("| invariant"));
    let mut invariants = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (number, test, target, source) = (cells[1], cells[3], cells[4], cells[5]);
        let name = test.split('`').nth(1).unwrap();
        assert!(
            name.starts_with(&format!("{}_", number.to_lowercase())),
            "{row}"
        );
        assert!(tests.contains(&format!("fn {name}(")), "no test {name}");
        if !target.is_empty() {
            assert!(
                root.join(format!("fuzz/fuzz_targets/{}.rs", target.trim_matches('`')))
                    .exists(),
                "{row}"
            );
        }
        assert!(
            root.join("src").join(source.trim_matches('`')).exists(),
            "{row}"
        );
        invariants += 1;
    }
    assert!(invariants > 30);
}

#[test]
fn the_readmes_code_is_the_examples_own() {
    let readme = read("README.md");
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let blocks: Vec<_> = readme
        .split("```rust,ignore\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let examples = ["examples/saas/service/articles.rs", "examples/queries.rs"];
    assert_eq!(blocks.len(), examples.len());
    for (block, example) in blocks.iter().zip(examples) {
        assert!(
            flat(&read(example)).contains(&flat(block)),
            "README.md shows other code than {example}"
        );
    }
}

#[test]
fn from_refusals_names_every_refusal() {
    let source = below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let list = source
        .split("macro_rules! from_refusals")
        .nth(1)
        .unwrap()
        .split("macro_rules! __from_refusals")
        .next();
    let (list, sql) = (
        list.unwrap(),
        source
            .split_once("macro_rules! __from_sql_refusals")
            .unwrap()
            .1,
    );
    for refusal in source
        .split("impl Explained for ")
        .skip(1)
        .map(|rest| rest.split(" {").next().unwrap())
    {
        assert!(
            list.contains(&format!("{refusal},")) || sql.contains(&format!("{refusal},")),
            "{refusal}"
        );
    }
}
