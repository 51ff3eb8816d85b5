//! Entries and scopes come from an access alone; levels, modes and values are sealed.

use bailiwick::{Entry, Read, Scope, Site, Write};

struct Mine;

impl bailiwick::Level for Mine {}
impl bailiwick::Mode for Mine {}
impl bailiwick::Covers<bailiwick::Account> for Site {}
impl bailiwick::Covers<Mine> for Site {}
impl bailiwick::ScopeLevel for Mine {}
impl bailiwick::SettableIn<Site, Site> for bailiwick::Key {}
impl bailiwick::Permits<Write> for Read {}

fn f(read: Scope<Site, Read>) {
    let _ = Entry::<Write>::default();
    let _ = Scope::<Site, Write>::of([]);
    let _: Scope<Site, Write> = read.into();
}

fn main() {}
