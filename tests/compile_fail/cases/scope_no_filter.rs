//! An update or a delete without a filter says `.all_in_scope()`.

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
    pub struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
    }
}

fn f(site: &Scope<Site, Write>) {
    let _ = site.delete::<Article>().build(Dialect::Sqlite);
    let _ = site.update::<Article>().set(Article::TITLE, "x").build(Dialect::Sqlite);
}

fn main() {}
