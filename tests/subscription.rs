#[path = "subscription/manual.rs"]
mod manual;

/// Compares a page of the manual with what the table says, or writes it when asked to.
fn check_page(name: &str, page: &str) {
    let path = format!("{}/src/manual/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "{name} is not what the table says; run UPDATE_MANUAL=1 cargo test --test subscription");
}

#[test]
fn b1_the_manual_is_what_the_table_says() {
    check_page("transitions.md", &manual::markdown());
    check_page("transitions.svg", &manual::diagram());
}
