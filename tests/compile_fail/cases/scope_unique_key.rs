//! A unique key names columns of the table that are not null, by their types; an upsert has a value
//! for each.

use bailiwick::Scope;
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

bailiwick::table! {
    pub struct Unknown: Account in "unknown" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" String;
        unique BY_NAME = ("named" String);
    }
}
bailiwick::table! {
    pub struct Null: Account in "nulls" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" Option<String>;
        unique BY_NAME = ("name" String);
    }
}
bailiwick::table! {
    pub struct Tenanted: Account in "tenanted" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        unique BY_ACCOUNT = ("account_id" i64);
    }
}

fn f(site: &Scope<Site, Write>) {
    let _ = site.upsert(Page::BY_TITLE, (7,));
    let _ = site.upsert(Page::BY_TITLE, ("a", "b"));
    let _ = site.upsert_key::<Sites>(7);
    let _ = site.insert_many((Page::TITLE, Page::PATH));
    let _ = site.insert_many((Page::TITLE,)).row(("x",));
    let _ = site.insert_many((Page::TITLE,)).keyed_row("/", (7,));
}

fn main() {}
