//! A value of another type does not fit, and a column that is never null is not compared with null.

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

fn f() {
    let _ = Article::ID.equals("7");
    let _ = Article::ID.one_of(["7"]);
    let _ = Article::ID.contains("7");
    let _ = Article::TITLE.is_null();
    let _ = Article::ID.equals(None::<i64>);
}

fn main() {}
