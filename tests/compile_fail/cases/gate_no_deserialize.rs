//! G3: no proof is read from a text, and no principal: what a client sends was never verified.
fn main() {
    let _ = serde_json::from_str::<bailiwick::Access>("{}");
    let _ = serde_json::from_str::<bailiwick::WriteAccess>("{}");
    let _ = serde_json::from_str::<bailiwick::gate::BillingAccess>("{}");
    let _ = serde_json::from_str::<bailiwick::gate::Operator>("{}");
    let _ = serde_json::from_str::<bailiwick::Principal>("{}");
}
