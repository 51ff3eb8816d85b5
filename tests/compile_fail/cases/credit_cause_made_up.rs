//! Credits are granted for a cause, and a cause cannot be made up.

fn main() {
    let _ = bailiwick::Cause { kind: bailiwick::CauseKind::BankTransfer, key: "grant/transfer/1".into() };
}
