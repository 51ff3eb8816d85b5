//! A provider's event is one whose signature was checked: it is neither made up nor read from a
//! text.

fn main() {
    let at = chrono::DateTime::UNIX_EPOCH;
    let _ = bailiwick::provider::ProviderEvent { id: "evt_1".into(), kind: "invoice.paid".into(), at };
    let _: bailiwick::provider::ProviderEvent = serde_json::from_str("{}").unwrap();
}
