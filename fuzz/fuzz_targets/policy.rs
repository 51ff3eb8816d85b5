//! Any bytes as a policy in JSON: no panic, every fault has a name, and whatever loads is within
//! bounds (A3).
#![no_main]

use bailiwick::Policy;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::{Overage, PolicySettings};
use libfuzzer_sys::fuzz_target;

/// A leap year, in seconds.
const YEAR: u64 = 366 * 86_400;
/// 10^12 credits, in micro-credits.
const MAX_CREDITS: i64 = 1_000_000_000_000_000_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(settings) = serde_json::from_slice::<PolicySettings>(bytes) else {
        return;
    };
    let Ok(again) = serde_json::from_slice::<PolicySettings>(bytes) else {
        panic!("the same bytes read otherwise")
    };
    let unread = settings.unread.len();
    match Policy::load(settings) {
        Err(error) => {
            assert!(error.faults().count() >= unread.max(1), "a fault was lost");
            assert!(error.faults().all(|(_, fault)| !fault.is_empty()));
        }
        Ok(policy) => {
            assert_eq!(unread, 0, "what could not be read was passed over");
            assert!(again.renewal_slack_seconds <= YEAR);
            assert_eq!(
                policy.renewal_slack().num_seconds().unsigned_abs(),
                again.renewal_slack_seconds
            );
            assert!(
                again
                    .past_due_grace
                    .is_none_or(|grace| (1..=YEAR).contains(&grace.seconds))
            );
            assert!((1..=4096).contains(&again.credit.max_open_holds));
            let amounts = [
                again.registration_credits.micros(),
                if let Overage::Debt(limit) = again.credit.overage {
                    limit.micros()
                } else {
                    0
                },
            ];
            assert!(
                amounts
                    .into_iter()
                    .all(|micros| (0..=MAX_CREDITS).contains(&micros))
            );
            for method in PaymentMethod::ALL {
                assert_eq!(
                    policy.is_enabled(method),
                    again.payment_methods.contains(&method)
                );
            }
            assert!(
                PaymentMethod::ALL
                    .into_iter()
                    .any(|method| policy.is_enabled(method))
            );
            for (scope, mode) in &again.throttle_failure {
                assert_eq!(policy.failure_mode(*scope), *mode);
            }
            let bypass = policy.bypass_throttle("a reason").is_some();
            assert_eq!(bypass, again.throttle_bypass);
            assert!(!bypass || again.development, "a bypass in production");

            // Written down and read again, it is the same policy.
            let written = serde_json::to_vec(&again).expect("settings can always be written");
            let read = serde_json::from_slice(&written).expect("what was written can be read");
            assert_eq!(
                Policy::load(read).expect("what was sound stays sound"),
                policy
            );
        }
    }
});
