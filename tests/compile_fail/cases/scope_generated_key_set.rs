//! A generated key can be neither set, supplied nor updated.

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
    pub struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
    }
}

fn f(site: &Scope<Site, Write>) {
    let _ = site.insert::<Article>().set(Article::ID, 8);
    let _ = site.insert::<Article>().key(8);
    let _ = site.update::<Article>().set(Article::ID, 8);
}

fn main() {}
