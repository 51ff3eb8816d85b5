//! A column of another table does not fit.

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
    let _ = account.select::<Article>().filter(Sites::ID.equals(1));
    let _ = account.select::<Article>().order_by(Sites::ID.ascending());
    let _ = account.update::<Article>().set(Sites::NAME, "x");
    let _ = Article::ID.equals(1).and(Sites::ID.equals(1));
}

fn main() {}
