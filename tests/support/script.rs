//! Scripts: text files below `tests/tables` in which each row is a command and ends in its expected
//! answer. This file reads rows and runs files; `tests/credit/tables.rs`, `tests/billing/tables.rs`
//! and `tests/subscription/tables.rs` carry the commands out.
//!
//! A row is a line of words. `name=value` is named, all other words stand by place, and `#` begins
//! a comment. An answer may say more than a refusal's code, where several refusals share one:
//! `refund_invalid:LaterPaid` names the variant too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bailiwick::Credits;
use bailiwick::problem::Explained;
use chrono::{DateTime, Utc};

use super::at;
use super::root::in_tree;

/// A fault of the script itself.
pub type Fault = String;

/// What a row expects and what was seen; `None` for a row that has no answer.
pub type Compared = Result<Option<(String, String)>, Fault>;

/// One row's words.
pub struct Row<'a> {
    pub command: &'a str,
    pub words: Vec<&'a str>,
    pub named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let line = line.split_once('#').map_or(line, |(before, _)| before);
        let mut all = line.split_whitespace();
        let command = all.next()?;

        // A price list is JSON and a key is any text: there may be anything in them.
        let (named, words): (Vec<&str>, Vec<&str>) =
            all.partition(|word| word.contains('=') && !word.starts_with('{') && command != "key");
        let named = named
            .into_iter()
            .filter_map(|word| word.split_once('='))
            .collect();

        Some(Self {
            command,
            words,
            named,
        })
    }

    /// Returns the words of a command that takes so many, without the answer after them.
    pub fn words<const N: usize>(&self) -> Result<[&'a str; N], Fault> {
        let (_, words) = self.words.split_last().ok_or("a row ends in its answer")?;
        words
            .try_into()
            .map_err(|_| format!("`{}` takes {N} words and an answer", self.command))
    }

    /// Returns the last word, which is the expected answer.
    pub fn answer(&self) -> &'a str {
        self.words.last().copied().unwrap_or_default()
    }

    /// Checks that the row has no words but named ones.
    pub fn no_words(&self) -> Result<(), Fault> {
        match self.words.first() {
            Some(word) => Err(format!("`{}` takes no `{word}`", self.command)),
            None => Ok(()),
        }
    }

    /// Checks that no other words are named than these.
    pub fn only(&self, names: &[&str]) -> Result<(), Fault> {
        match self.named.keys().find(|name| !names.contains(name)) {
            Some(name) => Err(format!("`{}` knows no `{name}=`", self.command)),
            None => Ok(()),
        }
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.named.get(name).copied()
    }

    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value)
    }

    /// Reads what is named, if it is.
    pub fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.get(name).map(read).transpose()
    }

    /// Compares what is named, each part by itself, with what is so: a row that looks at a state.
    /// The part is told what is expected of it, since a moment can be written in several ways.
    pub fn compare(&self, mut part: impl FnMut(&str, &str) -> Result<String, Fault>) -> Compared {
        if self.named.is_empty() {
            return Err(format!("`{}` names what it looks at", self.command));
        }
        let mut expected = Vec::new();
        let mut seen = Vec::new();
        for (name, value) in &self.named {
            expected.push(format!("{name}={value}"));
            seen.push(format!("{name}={}", part(name, value)?));
        }
        Ok(Some((expected.join(" "), seen.join(" "))))
    }
}

pub fn number<T: FromStr>(text: &str) -> Result<T, Fault> {
    text.parse()
        .map_err(|_| format!("`{text}` is no number of the right size"))
}

/// Reads a length of time in seconds: `90`, `-5` or, in days, `31d`.
pub fn seconds(text: &str) -> Result<i64, Fault> {
    match text.strip_suffix('d') {
        Some(days) => Ok(number::<i64>(days)? * 86_400),
        None => number(text),
    }
}

/// Reads a moment: so many seconds or days after the start, a date, or a date and a time.
pub fn moment(text: &str) -> Result<DateTime<Utc>, Fault> {
    let is_date = text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-');
    let zoned = match (is_date, text.contains('T')) {
        (false, _) => return Ok(at(seconds(text)?)),
        (true, false) => format!("{text}T00:00:00Z"),
        (true, true) => format!("{text}Z"),
    };
    zoned
        .parse()
        .map_err(|_| format!("`{text}` is no date and no time"))
}

/// Returns a moment as a row expects it, or else in full.
pub fn told(seen: Option<DateTime<Utc>>, expected: &str) -> Result<String, Fault> {
    let same = match seen {
        None => expected == "never",
        Some(seen) => expected != "never" && moment(expected)? == seen,
    };
    Ok(match seen {
        _ if same => expected.to_owned(),
        None => "never".to_owned(),
        Some(seen) => seen.naive_utc().format("%FT%T%.f").to_string(),
    })
}

pub fn credit(text: &str) -> Result<Credits, Fault> {
    text.parse()
        .map_err(|error: bailiwick::money::AmountError| format!("`{text}`: {error}"))
}

/// One of a few words.
pub fn one_of<T: Copy>(text: &str, what: &str, all: &[(&str, T)]) -> Result<T, Fault> {
    all.iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| format!("there is no {what} `{text}`"))
}

/// The refusals that rows were answered with: error, variant, code.
#[derive(Default)]
pub struct Refusals(pub BTreeSet<(&'static str, String, &'static str)>);

impl Refusals {
    /// Notes a refusal and returns it as an answer: its code, and its variant where the row names
    /// one.
    pub fn answer<E: Explained + Debug>(&mut self, row: &Row, error: &E) -> String {
        let whole = std::any::type_name::<E>();
        let name = whole.rsplit("::").next().unwrap();
        let debug = format!("{error:?}");
        let variant = debug
            .split(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap()
            .to_owned();
        let code = error.code().as_str();

        self.0.insert((name, variant.clone(), code));
        if row.answer().contains(':') {
            format!("{code}:{variant}")
        } else {
            code.to_owned()
        }
    }
}

/// What carries out the rows of one script.
pub trait Script: Sized {
    fn new() -> Self;

    fn row(&mut self, row: &Row) -> Compared;

    /// Checks what must hold whatever a script has done.
    fn check(&self) -> Result<(), Fault>;
}

/// A script that was run to its end.
pub struct Played<S> {
    /// Every row that did not answer as it says, with its file and line.
    pub failures: Vec<String>,
    pub rows: usize,
    pub script: S,
}

pub fn play<S: Script>(mut script: S, name: &str, text: &str) -> Played<S> {
    let mut failures = Vec::new();
    let mut rows = 0;
    for (line, text) in text.lines().enumerate() {
        let Some(row) = Row::parse(text) else {
            continue;
        };
        rows += 1;
        let place = format!("{name}:{}: {}", line + 1, text.trim());
        match script.row(&row) {
            Ok(Some((expected, seen))) if expected != seen => {
                failures.push(format!(
                    "{place}\n    expected {expected}\n    seen     {seen}"
                ));
            }
            Ok(_) => {}
            Err(fault) => failures.push(format!("{place}\n    {fault}")),
        }
    }
    if let Err(fault) = script.check() {
        failures.push(format!("{name}: at its end: {fault}"));
    }
    Played {
        failures,
        rows,
        script,
    }
}

/// Runs one script, by its path below `tests/tables`.
pub fn pass<S: Script>(path: &str) {
    let name = format!("tests/tables/{path}");
    let path = in_tree(&name);
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let failures = play(S::new(), &name, &text).failures;
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Runs all scripts of a folder below `tests/tables`, each begun by `new`.
pub fn play_all<S: Script>(folder: &str, new: impl Fn() -> S) -> Vec<Played<S>> {
    let folder = format!("tests/tables/{folder}");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(in_tree(&folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            let text = std::fs::read_to_string(path).unwrap();
            assert!(text.starts_with("# "), "{name} says first what it is about");
            play(new(), &name, &text)
        })
        .collect()
}

/// Asserts that every row of every script of a folder answered as it says.
pub fn pass_all<S>(played: &[Played<S>]) {
    let failures: Vec<&str> = played
        .iter()
        .flat_map(|played| &played.failures)
        .map(String::as_str)
        .collect();
    let rows: usize = played.iter().map(|played| played.rows).sum();
    println!("{rows} rows in {} scripts", played.len());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Asserts that a script of one row or more is refused with exactly one such failure.
pub fn fails<S: Script>(text: &str, expected: &str) {
    let failures = play(S::new(), "t", text).failures;
    assert!(
        failures.len() == 1 && failures[0].starts_with(expected),
        "{failures:?} instead of {expected:?}"
    );
}

/// Returns the variants of a public enum, as the source lists them.
pub fn variants(name: &str) -> BTreeSet<String> {
    fn find(folder: &Path, head: &str) -> Option<String> {
        std::fs::read_dir(folder).unwrap().find_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                return find(&path, head);
            }
            let text = std::fs::read_to_string(path).unwrap();
            let (_, body) = text.split_once(head)?;
            Some(body.split("\n}").next()?.to_owned())
        })
    }

    let head = format!("pub enum {name} {{\n");
    let body = find(&in_tree("src"), &head).unwrap_or_else(|| panic!("there is no enum {name}"));
    let variants: BTreeSet<String> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| {
            line.split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(variants.len() > 1, "{name} has variants");
    variants
}

/// Tests that run one script each, so that an invariant's number finds the scripts that check it.
macro_rules! scripts {
    ($script:ty: $($(#[$about:meta])* fn $name:ident() runs $path:literal;)*) => {
        $($(#[$about])*
        #[test]
        fn $name() {
            crate::support::script::pass::<$script>($path);
        })*
    };
}
pub(crate) use scripts;
