//! The engines are asked the same question only if they give the same answer to all of it.

use bailiwick::Policy;
use bailiwick::policy::PolicySettings;
use bailiwick_peers::{SLACK, casbin, cedar, instant, standings};

#[test]
fn all_engines_agree_on_every_standing() {
    let settings = PolicySettings {
        renewal_slack_seconds: SLACK.unsigned_abs(),
        ..Default::default()
    };
    let policy = Policy::load(settings).unwrap();
    let cedar = cedar::Engine::new();
    let (domains, attributes) = (casbin::Engine::domains(10), casbin::Engine::attributes());
    let mut answers = [0, 0];
    for account in [1, 5] {
        for (name, facts) in standings(account) {
            for now in [10, 499, 500, 999, 1_000, 999 + SLACK, 1_000 + SLACK] {
                let access = policy.validate_account_and_plan(
                    &facts.principal,
                    Some(&facts.tenant),
                    instant(now),
                );
                let ours = access.is_ok();
                let row = casbin::Row::new(&facts);
                let seconds = i32::try_from(now).unwrap();
                assert_eq!(
                    cedar.decide(&cedar.request(&facts, now), &cedar.entities([&facts])),
                    ours,
                    "{name}, {now}"
                );
                assert_eq!(domains.decide(&row, seconds), ours, "{name}, {now}");
                assert_eq!(attributes.decide(&row, seconds), ours, "{name}, {now}");
                answers[usize::from(ours)] += 1;
            }
        }
    }
    assert!(answers[0] > 100 && answers[1] > 30, "{answers:?}");
}
