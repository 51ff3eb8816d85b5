//! What was not held cannot be settled.

fn pay(wallet: bailiwick::Wallet, record: &bailiwick::credit::HoldRecord, now: chrono::DateTime<chrono::Utc>) {
    let _ = wallet.settle(record, bailiwick::Credits::ZERO, None, now);
}

fn main() {}
