//! A malformed declaration says what is expected.

bailiwick::table! {
    pub struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
        column NAME = "name" String;
    }
}

bailiwick::table! {
    pub struct Region: Region in "regions" { key ID = "id" i64 generated; }
}
bailiwick::table! {
    pub struct NoTenant: Account in "rows" { key ID = "id" i64 generated; }
}
bailiwick::table! {
    pub struct NoKey: Account in "rows" { tenant "account_id" Int; column A = "a" String; }
}
bailiwick::table! {
    pub struct Given: Account in "rows" { tenant "account_id" Int; key ID = "id" i64 given; }
}
bailiwick::table! {
    pub struct Quoted: Account in "rows\" --" { tenant "account_id" Int; key ID = "id" i64 generated; }
}
bailiwick::table! {
    pub struct Orphan: Site in "rows" {
        tenant "account_id" Int, "site_id" Int of Orphan;
        key ID = "id" i64 generated;
    }
}

fn main() {}
