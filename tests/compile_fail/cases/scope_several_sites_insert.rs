//! A row belongs to one site: a scope over several does not insert, and reaches no account-wide
//! table.

use bailiwick::Scope;
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

fn f(sites: &Scope<SeveralSites, Write>) {
    let _ = sites.insert::<Page>();
    let _ = sites.insert_many((Page::TITLE,));
    let _ = sites.upsert(Page::BY_TITLE, ("x",));
    let _ = sites.select::<Sites>();
}

fn main() {}
