//! The manual's table of codes is what the crate says.

use std::fmt::Write;

use bailiwick::Code;

use crate::root::in_tree;

/// The table in Markdown.
fn markdown() -> String {
    let mut page = String::from(
        "What a client can be told. A code, once released, keeps its text and its status; new ones may come.\n\n\
         | code | status | title | remedy | problem type |\n|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let (status, title, remedy) = (code.status(), code.title(), code.remedy());
        let _ = writeln!(
            page,
            "| `{code}` | {status} | {title} | {remedy} | `{}` |",
            code.problem_type()
        );
    }
    page
}

#[test]
fn a1_the_manual_lists_every_code() {
    let path = in_tree("src/manual/codes.md");
    let page = markdown();
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "codes.md is not what the crate says; run UPDATE_MANUAL=1 cargo test --test ground"
    );
}

/// A stray bar or line break in a text would break its row.
#[test]
fn a1_every_row_of_the_manual_has_five_cells() {
    let page = markdown();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), Code::ALL.len());
    for row in rows {
        assert_eq!(row.matches('|').count(), 6, "{row}");
    }
}
