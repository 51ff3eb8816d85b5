//! What has no sum is not added up, what has no order has no least, and nothing is no aggregate.

use bailiwick::Scope;
use bailiwick::scope::Dialect;
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

fn f(site: &Scope<Site, Write>) {
    let _ = site.aggregate::<Page>().sum(Page::TITLE);
    let _ = site.aggregate::<Page>().average(Page::TITLE);
    let _ = site.aggregate::<Page>().least(Page::OPEN);
    let _ = site.aggregate::<Page>().sum(Sites::ID);
    let _ = site.aggregate::<Page>().build(Dialect::Sqlite);
}

fn main() {}
