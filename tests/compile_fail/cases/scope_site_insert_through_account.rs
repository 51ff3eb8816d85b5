//! A row of a site is inserted through the site's scope.

use bailiwick::{Account, Scope};
use bailiwick::scope::state::Write;

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

fn f(account: &Scope<Account, Write>) {
    let _ = account.insert::<Article>();
}

fn main() {}
