//! Entries and scopes come from an access alone; levels, modes and values are sealed.

use bailiwick::{Entry, Read, Scope, Site, Write};

struct Mine;

impl bailiwick::Level for Mine {}
impl bailiwick::Mode for Mine {}
impl bailiwick::Covers<bailiwick::Account> for Site {}

fn f(read: Scope<Site, Read>) {
    let _ = Entry::<Write>::default();
    let _ = Scope::<Site, Write>::of([]);
    let _: Scope<Site, Write> = read.into();
}

fn main() {}
