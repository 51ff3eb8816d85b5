//! The state machines of others are asked the same question only if they give the same answers.

use bailiwick::subscription::SubscriptionStatus;
use bailiwick::transition;
use bailiwick_peers::machines::{COMMANDS, rust_fsm_machine, statig_machine};

#[test]
fn all_machines_agree_on_every_status_and_command() {
    let mut steps = 0;
    for status in SubscriptionStatus::ALL {
        for command in COMMANDS {
            let ours = transition(status, command);
            let input = rust_fsm_machine::input(command).unwrap();
            let theirs = rust_fsm_machine::step(rust_fsm_machine::state(status).unwrap(), &input);
            assert_eq!(
                theirs,
                ours.ok().and_then(rust_fsm_machine::state),
                "rust-fsm: {status} {command:?}"
            );
            // statig ignores what it has no answer for.
            let theirs = statig_machine::step(statig_machine::state(status), command);
            assert_eq!(
                theirs,
                statig_machine::state(ours.unwrap_or(status)),
                "statig: {status} {command:?}"
            );
            steps += usize::from(ours.is_ok());
        }
    }
    assert!(steps > 20, "{steps}");
}
