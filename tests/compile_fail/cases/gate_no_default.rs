//! G3: no proof has a default.
fn made<T: Default>() {}

fn main() {
    made::<bailiwick::Access>();
    made::<bailiwick::WriteAccess>();
    made::<bailiwick::gate::BillingAccess>();
    made::<bailiwick::gate::Operator>();
}
