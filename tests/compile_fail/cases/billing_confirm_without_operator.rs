//! Only an operator confirms a transfer; who may pay for an account may claim, and no more.

fn confirm(access: &bailiwick::BillingAccess, transfer: &bailiwick::BankTransfer, facts: bailiwick::TransferFacts) {
    let _ = bailiwick::Policy::default().confirm_bank_transfer(access, transfer, facts, chrono::DateTime::UNIX_EPOCH);
}

fn main() {}
