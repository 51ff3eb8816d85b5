//! The story of an account that pays by bank transfer.

use super::send;
use super::{
    BASIC, DAY, FREE, Happening, PRO, Part, Random, What, YEAR, YEARLY, at, method, price,
};
use bailiwick::bank_transfer::AfterRefund;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::subscription::Command;

pub fn tell(
    random: &mut Random,
    (account, accounts): (usize, usize),
    began: i64,
    events: &mut Vec<Happening>,
) {
    let mut tell = |second: i64, what: What| {
        events.push(Happening {
            second,
            account,
            what,
        });
    };
    if random.chance(40) {
        let until = began + 14 * DAY;
        tell(began, What::Trial { until });
        // Once more, in vain.
        tell(
            began + 20 * DAY,
            What::Trial {
                until: began + 40 * DAY,
            },
        );
    }
    for _ in 0..random.below(5) {
        let plan = [BASIC, PRO, PRO, YEARLY, FREE, FREE][usize::try_from(random.below(6)).unwrap()];
        let plan = plan.into();
        let command = match random.below(8) {
            0 => Command::Pause,
            1 => Command::Resume,
            2 => Command::CancelAtPeriodEnd,
            3 => Command::WithdrawCancellation,
            4..=6 => Command::ChangePlanAtPeriodEnd { plan },
            _ => Command::ChangePlan { plan },
        };
        tell(random.below(YEAR), What::Order(command));
    }
    charges(random, account, events);

    let mut second = began;
    for number in 0..14 {
        if second >= YEAR {
            return;
        }
        let basic = price(BASIC);
        let amounts = [
            basic,
            basic,
            basic,
            basic,
            basic - 1,
            20,
            29,
            2 * basic,
            price(PRO),
            price(PRO) - 1,
            110,
            price(YEARLY),
        ];
        let amount = amounts[usize::try_from(random.below(12)).unwrap()];
        transfer(
            random,
            (account, accounts),
            (number, second, amount),
            events,
        );
        second += 20 * DAY + random.below(20 * DAY);
    }
}

/// A transfer that is confirmed, and what becomes of it.
fn transfer(
    random: &mut Random,
    (account, accounts): (usize, usize),
    (number, second, amount): (i64, i64, i64),
    events: &mut Vec<Happening>,
) {
    // The same name for two accounts is a conflict, unless it was retracted meanwhile.
    let transaction = format!("tx-{account}-{number}");
    let what = What::Transfer {
        transaction: transaction.clone(),
        amount,
        booked: at(second).date_naive(),
    };
    let heard = send(random, account, second, &what, events);

    match random.below(100) {
        0..6 => {
            let then = if random.chance(50) {
                AfterRefund::KeepService
            } else {
                AfterRefund::EndService
            };
            let total = 1 + random.below(amount);
            let what = What::Refund {
                transaction,
                total,
                then,
            };
            send(random, account, second + 25 * DAY, &what, events);
        }
        // It was meant for another account.
        6..14 => {
            let second = heard + random.below(8 * DAY);
            events.push(Happening {
                second,
                account,
                what: What::Retraction { transaction },
            });
            let other = (account + 3) % accounts;
            if method(other) == PaymentMethod::BankTransfer {
                send(random, other, second + 3_600, &what, events);
            }
        }
        _ => {}
    }
}

/// Upgrades, downgrades at once, and packs.
fn charges(random: &mut Random, account: usize, events: &mut Vec<Happening>) {
    for number in 0..random.below(6) {
        let charge = i64::try_from(account).unwrap() * 100 + number;
        let opened = random.below(YEAR);
        let to = if random.chance(15) { YEARLY } else { PRO };
        let what = match random.below(6) {
            0..=2 => What::Upgrade { charge, to },
            3 => What::Downgrade { charge, to: BASIC },
            _ => What::Pack { charge },
        };
        events.push(Happening {
            second: opened,
            account,
            what,
        });

        let transaction = format!("ch-{account}-{number}");
        let made = opened + random.below(18 * DAY);
        let what = What::ChargePayment {
            transaction: transaction.clone(),
            charge,
            part: match random.below(8) {
                0 => Part::AlmostAll,
                1 => Part::Half,
                2 => Part::More,
                _ => Part::Exact,
            },
            booked: at(made).date_naive(),
        };
        let heard = send(random, account, made, &what, events);
        if random.chance(12) {
            let second = heard + random.below(12 * DAY);
            events.push(Happening {
                second,
                account,
                what: What::Retraction { transaction },
            });
        }
    }
}
