//! Credits are granted for a cause, and a cause cannot be made up.

fn main() {
    let kind = bailiwick::credit::CauseKind::BankTransfer;
    let _ = bailiwick::credit::Cause { account: 7.into(), kind, key: "grant/transfer/1".into() };
}
