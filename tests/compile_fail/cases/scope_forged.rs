//! Entries and scopes come from an access alone; levels, modes and values are sealed.

use bailiwick::Scope;
use bailiwick::scope::Entry;
use bailiwick::scope::state::{Read, Write};
use bailiwick::tenant::Site;

struct Mine;

impl bailiwick::scope::traits::Level for Mine {}
impl bailiwick::scope::traits::Mode for Mine {}
impl bailiwick::scope::traits::Covers<bailiwick::Account> for Site {}
impl bailiwick::scope::traits::Covers<Mine> for Site {}
impl bailiwick::scope::traits::ScopeLevel for Mine {}
impl bailiwick::scope::traits::SettableIn<Site, Site> for bailiwick::scope::state::Key {}
impl bailiwick::scope::traits::Permits<Write> for Read {}

fn f(read: Scope<Site, Read>) {
    let _ = Entry::<Write>::default();
    let _ = Scope::<Site, Write>::of([]);
    let _: Scope<Site, Write> = read.into();
}

fn main() {}
