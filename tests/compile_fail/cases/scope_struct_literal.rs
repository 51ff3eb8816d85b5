//! An entry and a scope have private fields.

use std::marker::PhantomData;

use bailiwick::{AccountId, Entry, Scope, Site, SiteId, Write};

fn f(account: AccountId, scope: Scope<Site, Write>) {
    let _ = Entry::<Write> { account, sites: [SiteId::from(1)].into(), bound: None, mode: PhantomData };
    let _ = Scope::<Site, Write> { kind: PhantomData, ..scope };
}

fn main() {}
