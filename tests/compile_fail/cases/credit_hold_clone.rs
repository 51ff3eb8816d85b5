//! A hold cannot be copied, so it is settled once.

fn twice(hold: bailiwick::Hold) -> (bailiwick::Hold, bailiwick::Hold) {
    (hold.clone(), hold)
}

fn main() {}
