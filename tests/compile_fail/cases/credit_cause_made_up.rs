//! Credits are granted for a cause, and a cause cannot be made up.

fn main() {
    let kind = bailiwick::CauseKind::BankTransfer;
    let _ = bailiwick::Cause { account: 7.into(), kind, key: "grant/transfer/1".into() };
}
