//! G3: a write access cannot be wrapped around an access; only `into_write` makes one.
fn wrap(access: bailiwick::Access) -> bailiwick::WriteAccess {
    bailiwick::WriteAccess(access)
}

fn main() {}
