//! G3: the fields of an operator are private.
fn main() {
    let _ = bailiwick::gate::Operator {};
}
