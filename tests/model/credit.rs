//! A second wallet, written the naive way: it looks at every single second, counts in integers, and
//! shares no code with the crate.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overage {
    Reject,
    Cap,
    Available,
    Debt(i64),
}

/// What a settlement after its hold's end may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    Refuse,
    Available,
    Debt(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub overage: Overage,
    pub late: Late,
    pub late_seconds: i64,
    pub refund_life: i64,
    pub most_holds: usize,
}

/// How long credits live: nothing, to a second, for ever. Ordered so that the greatest lives
/// longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    Nothing,
    Until(i64),
    Forever,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    pub granted: i64,
    pub scheduled: i64,
    pub free: i64,
    pub held: i64,
    pub spent: i64,
    pub expired: i64,
    pub revoked: i64,
    pub debt: i64,
}

/// The month that another takes over from, at least and at most so much.
pub type Keeps = (String, i64, i64);

#[derive(Clone, Debug)]
struct Grant {
    id: String,
    priority: u8,
    effective: i64,
    expires: Option<i64>,
    scheduled: i64,
    free: i64,
    revoked: bool,
    /// The month whose credits these are.
    month: Option<String>,
    /// What it takes over, if that is still to come.
    keeps: Option<Keeps>,
}

#[derive(Clone, Debug)]
struct Hold {
    amount: i64,
    /// What is left of it.
    slices: Vec<(String, i64)>,
    expires: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Pending {
        drawn: i64,
        paid_with: Life,
        late_until: i64,
        refunded: i64,
    },
    Settled {
        cost: i64,
        charged: i64,
        paid_with: Life,
        refunded: i64,
    },
    Released {
        drawn: i64,
        paid_with: Life,
        refunded: i64,
    },
}

#[derive(Clone, Debug)]
pub struct Model {
    pub now: i64,
    policy: Policy,
    grants: Vec<Grant>,
    holds: BTreeMap<u8, Hold>,
    /// What each key was used for, and what became of it.
    keys: BTreeMap<u8, (String, End)>,
    /// How often each key was held.
    attempts: BTreeMap<u8, u32>,
    /// The most that was granted for each month, and what its end found unspent.
    months: BTreeMap<String, i64>,
    left: BTreeMap<String, i64>,
    granted: i64,
    spent: i64,
    expired: i64,
    revoked: i64,
    debt: i64,
}

impl Model {
    pub fn new(policy: Policy) -> Self {
        Self {
            now: 0,
            policy,
            grants: vec![],
            holds: BTreeMap::new(),
            keys: BTreeMap::new(),
            attempts: BTreeMap::new(),
            months: BTreeMap::new(),
            left: BTreeMap::new(),
            granted: 0,
            spent: 0,
            expired: 0,
            revoked: 0,
            debt: 0,
        }
    }

    pub fn totals(&self) -> Totals {
        Totals {
            granted: self.granted,
            scheduled: self.grants.iter().map(|g| g.scheduled).sum(),
            free: self.grants.iter().map(|g| g.free).sum(),
            held: self
                .holds
                .values()
                .flat_map(|h| &h.slices)
                .map(|s| s.1)
                .sum(),
            spent: self.spent,
            expired: self.expired,
            revoked: self.revoked,
            debt: self.debt,
        }
    }

    pub fn is_open(&self, key: u8) -> bool {
        self.holds.contains_key(&key)
    }

    /// Lets every second pass, one after the other.
    pub fn wait_until(&mut self, now: i64) {
        while self.now < now {
            self.now += 1;
            let now = self.now;
            let over: Vec<u8> = self
                .holds
                .iter()
                .filter(|(_, h)| h.expires == now)
                .map(|(k, _)| *k)
                .collect();
            for key in over {
                self.give_back(key);
            }
            for grant in &mut self.grants {
                if grant.expires == Some(now) {
                    self.expired += grant.free;
                    if let Some(month) = &grant.month {
                        *self.left.entry(month.clone()).or_default() += grant.free;
                    }
                    grant.free = 0;
                }
            }
            for grant in &mut self.grants {
                if grant.effective == now {
                    grant.free += grant.scheduled;
                    grant.scheduled = 0;
                }
            }
            self.roll_over();
            self.repay();
        }
    }

    /// A month that is in effect takes over what the month before had left, once that is over.
    fn roll_over(&mut self) {
        let now = self.now;
        for place in 0..self.grants.len() {
            let own = self.grants[place].clone();
            let Some((from, least, most)) = own.keeps.clone().filter(|_| own.effective <= now)
            else {
                continue;
            };
            if self
                .grants
                .iter()
                .any(|g| g.month.as_ref() == Some(&from) && g.expires > Some(now) && !g.revoked)
            {
                continue;
            }
            self.grants[place].keeps = None;
            let amount = self.left.remove(&from).unwrap_or(0).max(least).min(most);
            let id = format!("{}/rollover", own.id);
            let (free, scheduled, effective) = (amount, 0, now);
            self.granted += amount;
            self.grants.push(Grant {
                id,
                free,
                scheduled,
                effective,
                month: None,
                keeps: None,
                ..own
            });
        }
    }

    fn repay(&mut self) {
        let paid = self.take(self.debt).iter().map(|s| s.1).sum::<i64>();
        self.debt -= paid;
    }

    /// Takes up to `amount` out of free credits in burn order.
    fn take(&mut self, mut amount: i64) -> Vec<(String, i64)> {
        self.grants.sort_by_key(|g| {
            (
                g.priority,
                g.expires.unwrap_or(i64::MAX),
                g.effective,
                g.id.clone(),
            )
        });
        let mut slices = vec![];
        for grant in &mut self.grants {
            let part = amount.min(grant.free);
            if part > 0 {
                grant.free -= part;
                amount -= part;
                slices.push((grant.id.clone(), part));
            }
        }
        slices
    }

    fn life(&self, slices: &[(String, i64)]) -> Life {
        let expiry = |id: &String| {
            self.grants
                .iter()
                .find(|g| g.id == *id)
                .expect("the grant")
                .expires
        };
        slices
            .iter()
            .map(|(id, _)| expiry(id).map_or(Life::Forever, Life::Until))
            .max()
            .unwrap_or(Life::Nothing)
    }

    /// Spends the first `amount` of what a hold has left, and says how long that would have lived.
    fn spend_hold(&mut self, key: u8, mut amount: i64) -> Life {
        let hold = self.holds.get_mut(&key).expect("an open hold");
        let mut spent = vec![];
        for slice in &mut hold.slices {
            let part = slice.1.min(amount);
            slice.1 -= part;
            amount -= part;
            if part > 0 {
                spent.push((slice.0.clone(), part));
            }
        }
        assert_eq!(amount, 0, "no more than there is");
        self.spent += spent.iter().map(|s| s.1).sum::<i64>();
        self.life(&spent)
    }

    /// Ends a hold: what is left goes home, repays debt and lapses, or is revoked.
    fn give_back(&mut self, key: u8) {
        for (id, amount) in self.holds.remove(&key).expect("an open hold").slices {
            let grant = self
                .grants
                .iter_mut()
                .find(|g| g.id == id)
                .expect("the grant");
            if grant.revoked {
                self.revoked += amount;
            } else if grant.expires.is_some_and(|end| end <= self.now) {
                // Debt comes first, and the rest lapses.
                let repaid = amount.min(self.debt);
                self.debt -= repaid;
                self.expired += amount - repaid;
            } else {
                grant.free += amount;
            }
        }
    }

    pub fn grant(
        &mut self,
        id: &str,
        amount: i64,
        priority: u8,
        effective: i64,
        expires: Option<i64>,
    ) -> &'static str {
        self.fund((id, None, None), amount, priority, effective, expires)
    }

    /// The credits of a month: what is asked beyond the most that was asked for it before.
    pub fn month(
        &mut self,
        id: &str,
        amount: i64,
        (start, end): (i64, i64),
        keeps: Option<Keeps>,
    ) -> &'static str {
        let before = self.months.get(id).copied();
        let (own, more, keeps) = match before {
            Some(before) if amount <= before => return "granted",
            Some(before) => (format!("{id}/to/{amount}000000"), amount - before, None),
            None => (id.to_owned(), amount, keeps),
        };
        let answer = self.fund(
            (&own, Some(id.to_owned()), keeps),
            more,
            100,
            start,
            Some(end),
        );
        if answer == "fresh" {
            self.months.insert(id.to_owned(), amount);
        }
        answer
    }

    fn fund(
        &mut self,
        (id, month, keeps): (&str, Option<String>, Option<Keeps>),
        amount: i64,
        priority: u8,
        effective: i64,
        expires: Option<i64>,
    ) -> &'static str {
        let effective = effective.max(self.now);
        if amount == 0 || expires.is_some_and(|end| end <= effective) {
            return "grant_invalid";
        }
        self.granted += amount;
        let (scheduled, free) = if effective > self.now {
            (amount, 0)
        } else {
            (0, amount)
        };
        let id = id.to_owned();
        let revoked = false;
        self.grants.push(Grant {
            id,
            priority,
            effective,
            expires,
            scheduled,
            free,
            revoked,
            month,
            keeps,
        });
        self.roll_over();
        self.repay();
        "fresh"
    }

    pub fn revoke(&mut self, id: &str) -> &'static str {
        let pinned: i64 = self
            .holds
            .values()
            .flat_map(|h| &h.slices)
            .filter(|s| s.0 == id)
            .map(|s| s.1)
            .sum();
        let Some(grant) = self.grants.iter_mut().find(|g| g.id == id) else {
            return "not_found";
        };
        if grant.revoked {
            return "revoked";
        }
        if grant.free + grant.scheduled + pinned == 0 {
            return "not_found";
        }
        self.revoked += grant.free + grant.scheduled;
        (grant.free, grant.scheduled, grant.revoked, grant.keeps) = (0, 0, true, None);
        "fresh"
    }

    pub fn hold(&mut self, key: u8, units: i64, life: i64) -> &'static str {
        let intent = format!("hold {units} {life}");
        if let Some((earlier, end)) = self.keys.get(&key) {
            let answer = match end {
                _ if *earlier != intent => "idempotency_key_reused",
                End::Settled { .. } => "settled",
                // It charged nothing, so the key is free.
                End::Released { drawn: 0, .. } => "",
                End::Released { .. } => "released",
                End::Pending { .. } if self.is_open(key) => "pending",
                End::Pending { drawn: 0, .. } => "",
                End::Pending { .. } => "expired",
            };
            if !answer.is_empty() {
                return answer;
            }
        }
        if self.holds.len() >= self.policy.most_holds {
            return "too_many_holds";
        }
        if self.totals().free - self.debt < units || self.debt > 0 {
            return "credits_insufficient";
        }
        *self.attempts.entry(key).or_default() += 1;
        let slices = self.take(units);
        let expires = self.now + life;
        self.holds.insert(
            key,
            Hold {
                amount: units,
                slices,
                expires,
            },
        );
        let late_until = expires + self.policy.late_seconds;
        self.keys.insert(
            key,
            (
                intent,
                End::Pending {
                    drawn: 0,
                    paid_with: Life::Nothing,
                    late_until,
                    refunded: 0,
                },
            ),
        );
        "fresh"
    }

    /// What whoever has the first hold of a key is told, once there was a second.
    pub fn stale(&self, key: u8) -> Option<&'static str> {
        let attempts = self.attempts.get(&key).copied().unwrap_or_default();
        (attempts > 1).then_some("hold_superseded")
    }

    fn end_of(&self, key: u8) -> End {
        self.keys[&key].1.clone()
    }

    fn set_end(&mut self, key: u8, end: End) {
        self.keys.get_mut(&key).expect("the key").1 = end;
    }

    pub fn draw(&mut self, key: u8, total: i64) -> &'static str {
        if let End::Pending { drawn, .. } | End::Released { drawn, .. } = self.end_of(key)
            && drawn > 0
            && total <= drawn
        {
            return "drawn";
        }
        let (drawn, paid_with, late_until, refunded) = match self.end_of(key) {
            End::Settled { .. } => return "hold_settled",
            End::Released { .. } => return "hold_released",
            End::Pending { .. } if !self.is_open(key) => return "hold_expired",
            End::Pending {
                drawn,
                paid_with,
                late_until,
                refunded,
            } => (drawn, paid_with, late_until, refunded),
        };
        if total <= drawn {
            return "drawn";
        }
        if total > self.holds[&key].amount {
            return "cost_exceeds_hold";
        }
        let paid_with = self.spend_hold(key, total - drawn).max(paid_with);
        self.set_end(
            key,
            End::Pending {
                drawn: total,
                paid_with,
                late_until,
                refunded,
            },
        );
        "fresh"
    }

    /// What free credits and a debt up to a limit come to; `None` if they do not reach.
    fn beyond(&self, amount: i64, limit: i64) -> Option<(i64, i64)> {
        let from_free = amount.min(self.totals().free);
        let debt = amount - from_free;
        (self.debt + debt <= limit).then_some((from_free, debt))
    }

    fn charge(&mut self, from_free: i64, debt: i64) -> Life {
        let slices = self.take(from_free);
        self.spent += from_free + debt;
        self.debt += debt;
        self.life(&slices)
    }

    pub fn settle(&mut self, key: u8, cost: i64) -> &'static str {
        let (drawn, mut paid_with, late_until, refunded) = match self.end_of(key) {
            End::Settled { cost: earlier, .. } if earlier == cost => return "settled",
            End::Settled { .. } => return "hold_settled",
            End::Released { .. } => return "hold_released",
            End::Pending {
                drawn,
                paid_with,
                late_until,
                refunded,
            } => (drawn, paid_with, late_until, refunded),
        };
        if cost < drawn {
            return "less_than_drawn";
        }
        let charged = if self.is_open(key) {
            let amount = self.holds[&key].amount;
            let excess = (cost - amount).max(0);
            let (from_free, debt) = match self.policy.overage {
                _ if excess == 0 => (0, 0),
                Overage::Reject => return "cost_exceeds_hold",
                Overage::Cap => (0, 0),
                Overage::Available => (excess.min(self.totals().free), 0),
                Overage::Debt(limit) => match self.beyond(excess, limit) {
                    Some(parts) => parts,
                    None => return "cost_exceeds_hold",
                },
            };
            let captured = cost.min(amount);
            paid_with = paid_with.max(self.spend_hold(key, captured - drawn));
            // What is charged beyond the hold does not come from what the hold gives back, or after
            // it: it gives back only where nothing is beyond it.
            paid_with = paid_with.max(self.charge(from_free, debt));
            self.give_back(key);
            captured + from_free + debt
        } else {
            let due = cost - drawn;
            let covered = due == 0 && drawn > 0;
            if self.now >= late_until && !covered {
                return "hold_expired";
            }
            let (from_free, debt) = match self.policy.late {
                _ if covered => (0, 0),
                Late::Refuse => return "hold_expired",
                Late::Available => (due.min(self.totals().free), 0),
                Late::Debt(limit) => match self.beyond(due, limit) {
                    Some(parts) => parts,
                    None => return "credits_insufficient",
                },
            };
            paid_with = paid_with.max(self.charge(from_free, debt));
            drawn + from_free + debt
        };
        self.repay();
        self.set_end(
            key,
            End::Settled {
                cost,
                charged,
                paid_with,
                refunded,
            },
        );
        "fresh"
    }

    pub fn release(&mut self, key: u8) -> &'static str {
        let (drawn, paid_with, refunded) = match self.end_of(key) {
            End::Settled { .. } => return "hold_settled",
            End::Released { .. } => return "released",
            End::Pending { .. } if !self.is_open(key) => return "expired",
            End::Pending {
                drawn,
                paid_with,
                refunded,
                ..
            } => (drawn, paid_with, refunded),
        };
        self.give_back(key);
        self.repay();
        self.set_end(
            key,
            End::Released {
                drawn,
                paid_with,
                refunded,
            },
        );
        "fresh"
    }

    pub fn deduct(&mut self, key: u8, units: i64) -> &'static str {
        let intent = format!("deduct {units}");
        if let Some((earlier, _)) = self.keys.get(&key) {
            return if *earlier == intent {
                "settled"
            } else {
                "idempotency_key_reused"
            };
        }
        if self.holds.len() >= self.policy.most_holds {
            return "too_many_holds";
        }
        if self.totals().free - self.debt < units || self.debt > 0 {
            return "credits_insufficient";
        }
        let paid_with = self.charge(units, 0);
        self.keys.insert(
            key,
            (
                intent,
                End::Settled {
                    cost: units,
                    charged: units,
                    paid_with,
                    refunded: 0,
                },
            ),
        );
        "fresh"
    }

    pub fn refund(&mut self, key: u8, total: i64) -> &'static str {
        let Some((_, end)) = self.keys.get(&key).cloned() else {
            return "refund_invalid";
        };
        let (charged, paid_with, refunded) = match end {
            End::Settled {
                charged,
                paid_with,
                refunded,
                ..
            } => (charged, paid_with, refunded),
            End::Released {
                drawn,
                paid_with,
                refunded,
            } => (drawn, paid_with, refunded),
            End::Pending {
                drawn,
                paid_with,
                refunded,
                ..
            } if !self.is_open(key) => (drawn, paid_with, refunded),
            End::Pending { .. } => return "refund_invalid",
        };
        if total > charged {
            return "refund_invalid";
        }
        if total <= refunded {
            return "refunded";
        }
        let least = self.now + self.policy.refund_life;
        let expires = match paid_with {
            Life::Nothing => Some(least),
            Life::Until(end) => Some(end.max(least)),
            Life::Forever => None,
        };
        match &mut self.keys.get_mut(&key).expect("the key").1 {
            End::Settled { refunded, .. }
            | End::Released { refunded, .. }
            | End::Pending { refunded, .. } => {
                *refunded = total;
            }
        }
        let id = format!("spend/request-{key} refund {total}000000");
        self.grant(&id, total - refunded, 100, self.now, expires)
    }
}
