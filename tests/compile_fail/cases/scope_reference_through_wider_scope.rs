//! A reference is set through a scope of the table's own level.

use bailiwick::{Account, Scope};
use bailiwick::scope::state::{SeveralSites, Write};

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

fn f(account: &Scope<Account, Write>, sites: &Scope<SeveralSites, Write>) {
    let _ = account.update::<Page>().set(Page::TITLE, "x");
    let _ = account.update::<Page>().set(Page::AUTHOR, 7);
    let _ = sites.update::<Page>().set(Page::AUTHOR, 7);
}

fn main() {}
