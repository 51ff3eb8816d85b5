//! The bound on the memory of a throttle in process.

/// The greatest number of keys that a [`Throttle`](crate::throttle::Throttle) holds: its bound on
/// memory.
///
/// A key with one quota takes about 100 bytes, with several about 250. It takes them from its first
/// request until it has drained and a new key needs its memory.
///
/// Keys are spread over shards of 512 and more by a seeded hash, so new keys may be turned away
/// from about nine tenths of the capacity on. Allow for twice the accounts and addresses that are
/// busy within the longest of their quotas' windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, as a literal"
)]
pub struct ThrottleCapacity {
    /// Accounts, counted once for each throttle scope that they use.
    ///
    /// As many keys of users, API keys and sites are held again, apart from these, and as many keys
    /// with leases. All accounts share that number, so an account that uses very many of its own
    /// leaves less for new ones of the others.
    pub accounts: u32,
    /// Addresses, counted once for each throttle scope that they use.
    ///
    /// An attacker can choose these, so they never take the memory of accounts. As many keys of
    /// addresses at an account are held again, apart from these.
    pub addresses: u32,
}
