//! Bank transfers: a tenant claims one, an operator confirms it against the bank's statement, and
//! it becomes paid periods, credits, and a line in a registry that is unique over all tenants, in
//! one change set. A refund is another.
//!
//! What arrives is accounted for to the cent. Of all transfers of an account, what was received
//! less what was refunded is what paid for periods, by a transfer or from the [`Deposit`], less
//! what of that was taken back; and what is kept as the deposit; and what is noted for somebody to
//! give back.

mod allotment;
mod claim;
mod confirmation;
mod deposit;
mod refund;
mod transfer;

pub use claim::{Claim, ClaimError, ClaimRequest, ClaimState};
pub use confirmation::{ConfirmError, ConfirmedTransfer, TransferChange, TransferFacts};
pub use deposit::{Deposit, DepositChange, DepositFacts};
pub use refund::{
    AfterRefund, RefundFacts, TransferRefund, TransferRefundChange, TransferRefundError,
};
pub use transfer::{BankReference, BankTransfer, TransferError};
