//! An entry has no statements.

use bailiwick::WriteAccess;

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

fn f(access: &WriteAccess) {
    let _ = access.read().select::<Article>();
    let _ = access.write().insert::<Article>();
}

fn main() {}
