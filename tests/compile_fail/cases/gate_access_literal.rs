//! G3: the fields of an access are private.
fn main() {
    let _ = bailiwick::Access {};
}
