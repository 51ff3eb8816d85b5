//! G3: the fields of a billing access are private.
fn main() {
    let _ = bailiwick::gate::BillingAccess {};
}
