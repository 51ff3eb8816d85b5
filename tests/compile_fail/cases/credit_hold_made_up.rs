//! Only a wallet makes a hold: what the store keeps is a record and proves nothing.

fn stored<T: serde::de::DeserializeOwned>() {}

fn main() {
    stored::<bailiwick::credit::HoldRecord>();
    stored::<bailiwick::Hold>();
    let _ = bailiwick::Hold { account: 7.into(), key: "key".parse().unwrap(), amount: bailiwick::Credits::ZERO };
}
