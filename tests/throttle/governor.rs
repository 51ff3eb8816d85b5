//! Our quotas on governor's limiter: the same decisions, by the same clock.

use std::num::NonZeroU32;
use std::time::Duration;

use bailiwick::id::UserId;
use bailiwick::quota::ThrottleScope;
use bailiwick::throttle::{ThrottleKey, ThrottleSubject, gcra};
use bailiwick::{AccountId, Quota, throttle_scope};
use chrono::DateTime;
use governor::RateLimiter;
use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

const AI: ThrottleScope = throttle_scope!("ai");
const START: u64 = 1_767_225_600_000_000_000;

proptest! {
    #[test]
    fn t4_a_quota_handed_to_governor_decides_as_ours(
        (cells, seconds, burst) in (1..2_000_u32, prop_oneof![Just(1), Just(7), Just(60), Just(86_400_u32)], 1..200_u32),
        requests in prop::collection::vec((0..3_000_000_000_u64, 1..20_u32), 1..60),
    ) {
        let Ok(quota) = Quota::new(cells, seconds).and_then(|quota| quota.with_burst(burst)) else { return Ok(()) };
        let clock = FakeRelativeClock::default();
        let limiter = RateLimiter::hashmap_with_clock(governor::Quota::from(&quota), clock.clone());
        let (account, user) = (AccountId::from(7), UserId::from(7));
        let key = ThrottleKey::derive(AI, ThrottleSubject::Account(&account));
        let (mut now, mut state) = (START, None);
        for (pause, cost) in requests {
            clock.advance(Duration::from_nanos(pause));
            now += pause;
            let ours = gcra::decide(&quota, state, DateTime::from_timestamp_nanos(i64::try_from(now).unwrap()), cost);
            let theirs = limiter.check_key_n(&key, NonZeroU32::new(cost).unwrap());
            prop_assert_eq!(ours.is_allowed(), matches!(theirs, Ok(Ok(()))));
            prop_assert_eq!(ours.verdict() == gcra::Verdict::CostExceedsBurst, theirs.is_err());
            if ours.must_store() {
                state = Some(ours.state());
            }
        }
        // Another key is another bucket.
        let other = ThrottleKey::derive(AI, ThrottleSubject::User(&account, &user));
        prop_assert!(matches!(limiter.check_key_n(&other, NonZeroU32::new(burst).unwrap()), Ok(Ok(()))));
    }
}
