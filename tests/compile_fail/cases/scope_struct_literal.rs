//! An entry and a scope have private fields.

use std::marker::PhantomData;

use bailiwick::{AccountId, Scope, SiteId};
use bailiwick::scope::Entry;
use bailiwick::scope::state::Write;
use bailiwick::tenant::Site;

fn f(account: AccountId, scope: Scope<Site, Write>) {
    let _ = Entry::<Write> { account, sites: [SiteId::from(1)].into(), bound: None, mode: PhantomData };
    let _ = Scope::<Site, Write> { kind: PhantomData, ..scope };
}

fn main() {}
