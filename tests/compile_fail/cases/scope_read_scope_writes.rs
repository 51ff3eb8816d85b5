//! A read scope cannot write.

use bailiwick::{Access, Scope};
use bailiwick::scope::state::Read;
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

fn f(access: &Access, site: &Scope<Site, Read>) {
    let _ = access.write();
    let _ = site.insert::<Article>();
    let _ = site.update::<Article>();
    let _ = site.delete::<Article>();
}

fn main() {}
