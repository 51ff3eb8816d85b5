//! A cursor belongs to its table; a supplied key tells rows apart at its own level only.

use bailiwick::{Account, Scope};
use bailiwick::scope::Cursor;
use bailiwick::scope::state::Write;
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

fn f(site: &Scope<Site, Write>, account: &Scope<Account, Write>, of_sites: Cursor<Sites>) {
    let _ = site.select::<Page>().after(None);
    let _ = site.get::<Page>("/");
    let _ = site.select::<Page>().after(Some(of_sites));
    let _ = account.select::<Page>().after(None);
    let _ = account.get::<Page>("/");
}

fn main() {}
