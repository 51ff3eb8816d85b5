//! What is prepared is run by a scope of its level and mode only.

use bailiwick::{Account, Scope};
use bailiwick::scope::state::Unbound;
use bailiwick::scope::{Dialect, Prepared};
use bailiwick::scope::state::{Read, Write};
use bailiwick::tenant::Site;

bailiwick::table! {
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" String;
    }
}
bailiwick::table! {
    pub struct Member: Account in "members" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" String;
    }
}
bailiwick::table! {
    pub struct Page: Site in "pages" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key PATH = "path" String supplied;
        column OPEN = "open" bool;
        column TITLE = "title" String;
        column SCORE = "score" i64;
        reference AUTHOR = "author_id" to Member;
        unique BY_TITLE = ("title" String);
    }
}

fn f(read: &Scope<Site, Read>, account: &Scope<Account, Write>, template: &Scope<Site, Write, Unbound>) {
    let _ = template.select::<Page>().build(Dialect::Sqlite);
    let _ = template.prelude();
    let _ = Prepared::<Site, Read, ()>::new(Dialect::Sqlite, |site, ()| site.delete::<Page>().all_in_scope());
    let _ = Prepared::<Site, Write, ()>::new(Dialect::Sqlite, |site, ()| site.delete::<Page>());
    let _ = Prepared::<Site, Read, ()>::new(Dialect::Sqlite, |_, ()| read.select::<Page>());
    let _ = Prepared::<Site, Read, (i64,)>::new(Dialect::Sqlite, |site, (score,)| {
        site.select::<Page>().filter(Page::TITLE.equals(score))
    });
    let delete = Prepared::<Site, Write, ()>::new(Dialect::Sqlite, |site, ()| site.delete::<Page>().all_in_scope());
    let delete = delete.unwrap();
    let _ = delete.bind(read, ());
    let _ = delete.bind(account, ());
}

fn main() {}
