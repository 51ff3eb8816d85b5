//! An account-wide table is out of reach of a site scope.

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
    let _ = site.select::<Sites>();
    let _ = site.count::<Sites>();
    let _ = site.insert::<Sites>();
    let _ = site.update::<Sites>();
    let _ = site.delete::<Sites>();
}

fn main() {}
