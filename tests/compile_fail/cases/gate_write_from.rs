//! G3: no conversion makes a write access of an access.
fn convert(access: bailiwick::Access) -> bailiwick::WriteAccess {
    access.into()
}

fn main() {}
