//! The transition table of subscriptions as state machines of others. Each is the same table,
//! written by hand in the peer's own words for the commands that a subscription meets daily; a test
//! holds them to the same answers.

use bailiwick::subscription::{CommandKind, SubscriptionStatus};

/// The commands that the peers are given: those of a subscription's daily life.
pub const COMMANDS: [CommandKind; 12] = [
    CommandKind::StartTrial,
    CommandKind::Activate,
    CommandKind::ExpireIncomplete,
    CommandKind::EndTrialThenPause,
    CommandKind::RecordPayment,
    CommandKind::FailPayment,
    CommandKind::ExhaustRetriesThenUnpaid,
    CommandKind::ExhaustRetriesThenCancel,
    CommandKind::Pause,
    CommandKind::Resume,
    CommandKind::CancelNow,
    CommandKind::EndPeriod,
];

/// [rust-fsm](https://docs.rs/rust-fsm): a table in a language of its own.
pub mod rust_fsm_machine {
    use bailiwick::subscription::{CommandKind, SubscriptionStatus};
    use rust_fsm::*;

    state_machine! {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub billing(Incomplete)

        Incomplete => {
            StartTrial => Trialing, Activate => Active, ExpireIncomplete => IncompleteExpired, CancelNow => Canceled
        },
        Trialing => { Activate => Active, EndTrialThenPause => Paused, CancelNow => Canceled },
        Active => {
            RecordPayment => Active, FailPayment => PastDue, Pause => Paused, EndPeriod => PastDue, CancelNow => Canceled
        },
        PastDue => {
            RecordPayment => Active, FailPayment => PastDue, ExhaustRetriesThenUnpaid => Unpaid,
            ExhaustRetriesThenCancel => Canceled, CancelNow => Canceled
        },
        Unpaid => { RecordPayment => Active, FailPayment => Unpaid, CancelNow => Canceled },
        Paused => { RecordPayment => Active, Resume => Active, CancelNow => Canceled }
    }

    pub fn state(status: SubscriptionStatus) -> Option<billing::State> {
        Some(match status {
            SubscriptionStatus::Incomplete => billing::State::Incomplete,
            SubscriptionStatus::IncompleteExpired => billing::State::IncompleteExpired,
            SubscriptionStatus::Trialing => billing::State::Trialing,
            SubscriptionStatus::Active => billing::State::Active,
            SubscriptionStatus::PastDue => billing::State::PastDue,
            SubscriptionStatus::Unpaid => billing::State::Unpaid,
            SubscriptionStatus::Paused => billing::State::Paused,
            SubscriptionStatus::Canceled => billing::State::Canceled,
            SubscriptionStatus::Unknown => return None,
        })
    }

    pub fn input(command: CommandKind) -> Option<billing::Input> {
        Some(match command {
            CommandKind::StartTrial => billing::Input::StartTrial,
            CommandKind::Activate => billing::Input::Activate,
            CommandKind::ExpireIncomplete => billing::Input::ExpireIncomplete,
            CommandKind::EndTrialThenPause => billing::Input::EndTrialThenPause,
            CommandKind::RecordPayment => billing::Input::RecordPayment,
            CommandKind::FailPayment => billing::Input::FailPayment,
            CommandKind::ExhaustRetriesThenUnpaid => billing::Input::ExhaustRetriesThenUnpaid,
            CommandKind::ExhaustRetriesThenCancel => billing::Input::ExhaustRetriesThenCancel,
            CommandKind::Pause => billing::Input::Pause,
            CommandKind::Resume => billing::Input::Resume,
            CommandKind::CancelNow => billing::Input::CancelNow,
            CommandKind::EndPeriod => billing::Input::EndPeriod,
            _ => return None,
        })
    }

    /// Where a command leads, if anywhere.
    #[inline]
    pub fn step(from: billing::State, input: &billing::Input) -> Option<billing::State> {
        <billing::Impl as StateMachineImpl>::transition(&from, input)
    }
}

/// [statig](https://docs.rs/statig): a hierarchical machine; whatever lives can be canceled.
pub mod statig_machine {
    use bailiwick::subscription::{CommandKind, SubscriptionStatus};
    use statig::prelude::*;

    #[derive(Default)]
    pub struct Billing;

    #[state_machine(
        initial = "State::incomplete()",
        state(derive(Clone, Copy, Debug, PartialEq, Eq))
    )]
    impl Billing {
        #[state(superstate = "live")]
        fn incomplete(event: &CommandKind) -> Outcome<State> {
            match event {
                CommandKind::StartTrial => Transition(State::trialing()),
                CommandKind::Activate => Transition(State::active()),
                CommandKind::ExpireIncomplete => Transition(State::incomplete_expired()),
                _ => Super,
            }
        }

        #[state(superstate = "live")]
        fn trialing(event: &CommandKind) -> Outcome<State> {
            match event {
                CommandKind::Activate => Transition(State::active()),
                CommandKind::EndTrialThenPause => Transition(State::paused()),
                _ => Super,
            }
        }

        #[state(superstate = "live")]
        fn active(event: &CommandKind) -> Outcome<State> {
            match event {
                CommandKind::RecordPayment => Transition(State::active()),
                CommandKind::FailPayment | CommandKind::EndPeriod => Transition(State::past_due()),
                CommandKind::Pause => Transition(State::paused()),
                _ => Super,
            }
        }

        #[state(superstate = "live")]
        fn past_due(event: &CommandKind) -> Outcome<State> {
            match event {
                CommandKind::RecordPayment => Transition(State::active()),
                CommandKind::FailPayment => Transition(State::past_due()),
                CommandKind::ExhaustRetriesThenUnpaid => Transition(State::unpaid()),
                CommandKind::ExhaustRetriesThenCancel => Transition(State::canceled()),
                _ => Super,
            }
        }

        #[state(superstate = "live")]
        fn unpaid(event: &CommandKind) -> Outcome<State> {
            match event {
                CommandKind::RecordPayment => Transition(State::active()),
                CommandKind::FailPayment => Transition(State::unpaid()),
                _ => Super,
            }
        }

        #[state(superstate = "live")]
        fn paused(event: &CommandKind) -> Outcome<State> {
            match event {
                CommandKind::RecordPayment | CommandKind::Resume => Transition(State::active()),
                _ => Super,
            }
        }

        #[superstate]
        fn live(event: &CommandKind) -> Outcome<State> {
            match event {
                CommandKind::CancelNow => Transition(State::canceled()),
                _ => Super,
            }
        }

        #[state]
        fn incomplete_expired(event: &CommandKind) -> Outcome<State> {
            let _ = event;
            Super
        }

        #[state]
        fn canceled(event: &CommandKind) -> Outcome<State> {
            let _ = event;
            Super
        }
    }

    /// Where a command leads: the same status where the machine ignores it. It is set up in the
    /// status first, since a stored subscription comes in any.
    #[inline]
    pub fn step(from: State, command: CommandKind) -> State {
        let mut machine = Billing.uninitialized_state_machine();
        *machine.state_mut() = from;
        let mut machine = machine.init();
        machine.handle(&command);
        *machine.state()
    }

    pub fn state(status: SubscriptionStatus) -> State {
        match status {
            SubscriptionStatus::Incomplete => State::incomplete(),
            SubscriptionStatus::IncompleteExpired => State::incomplete_expired(),
            SubscriptionStatus::Trialing => State::trialing(),
            SubscriptionStatus::Active => State::active(),
            SubscriptionStatus::PastDue => State::past_due(),
            SubscriptionStatus::Unpaid => State::unpaid(),
            SubscriptionStatus::Paused => State::paused(),
            SubscriptionStatus::Canceled | SubscriptionStatus::Unknown => State::canceled(),
        }
    }
}

/// A fixed sequence of statuses and commands in no order that a processor could learn.
pub fn sequence() -> Vec<(SubscriptionStatus, CommandKind)> {
    let mut seed = 7u64;
    let mut next = |most: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most
    };
    let statuses = SubscriptionStatus::ALL;
    (0..1024)
        .map(|_| {
            (
                statuses[next(statuses.len())],
                COMMANDS[next(COMMANDS.len())],
            )
        })
        .collect()
}
