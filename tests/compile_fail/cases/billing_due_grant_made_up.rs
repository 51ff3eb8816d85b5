//! Credits are due by a change that says so: nobody makes the list up.

fn due(cause: bailiwick::Cause, terms: bailiwick::GrantTerms) {
    let _ = bailiwick::DueGrant { cause, terms };
    let _ = bailiwick::DueRevocation { account: 7.into(), grant: "grant/transfer/1".into() };
}

fn main() {}
