//! A second wallet, written the naive way: it looks at every single second, counts in integers, and shares no code with
//! the crate.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overage {
    Reject,
    Cap,
    Available,
    Debt(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    pub granted: i64,
    pub scheduled: i64,
    pub free: i64,
    pub held: i64,
    pub spent: i64,
    pub expired: i64,
    pub debt: i64,
}

#[derive(Clone, Debug)]
struct Grant {
    id: String,
    priority: u8,
    effective: i64,
    expires: Option<i64>,
    scheduled: i64,
    free: i64,
}

#[derive(Clone, Debug)]
struct Hold {
    slices: Vec<(String, i64)>,
    expires: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Pending,
    Settled { cost: i64, charged: i64 },
    Released,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub now: i64,
    overage: Overage,
    most_holds: usize,
    grants: Vec<Grant>,
    holds: BTreeMap<u8, Hold>,
    /// What each key was used for, and what became of it.
    pub keys: BTreeMap<u8, (String, End)>,
    granted: i64,
    spent: i64,
    expired: i64,
    debt: i64,
}

impl Model {
    pub fn new(overage: Overage, most_holds: usize) -> Self {
        Self {
            now: 0,
            overage,
            most_holds,
            grants: vec![],
            holds: BTreeMap::new(),
            keys: BTreeMap::new(),
            granted: 0,
            spent: 0,
            expired: 0,
            debt: 0,
        }
    }

    pub fn totals(&self) -> Totals {
        Totals {
            granted: self.granted,
            scheduled: self.grants.iter().map(|g| g.scheduled).sum(),
            free: self.grants.iter().map(|g| g.free).sum(),
            held: self.holds.values().flat_map(|h| &h.slices).map(|s| s.1).sum(),
            spent: self.spent,
            expired: self.expired,
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
            let over: Vec<u8> = self.holds.iter().filter(|(_, h)| h.expires == now).map(|(k, _)| *k).collect();
            for key in over {
                self.give_back(key, 0);
            }
            for grant in &mut self.grants {
                if grant.expires == Some(now) {
                    self.expired += grant.free;
                    grant.free = 0;
                }
            }
            for grant in &mut self.grants {
                if grant.effective == now {
                    grant.free += grant.scheduled;
                    grant.scheduled = 0;
                }
            }
            self.repay();
        }
    }

    fn repay(&mut self) {
        let paid = self.draw(self.debt).iter().map(|s| s.1).sum::<i64>();
        self.debt -= paid;
    }

    /// Takes up to `amount` out of free credits in burn order.
    fn draw(&mut self, mut amount: i64) -> Vec<(String, i64)> {
        self.grants.sort_by_key(|g| (g.priority, g.expires.unwrap_or(i64::MAX), g.effective, g.id.clone()));
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

    /// Ends a hold: `captured` of it is spent, the rest goes home or lapses.
    fn give_back(&mut self, key: u8, mut captured: i64) {
        for (id, amount) in self.holds.remove(&key).expect("an open hold").slices {
            let spent = captured.min(amount);
            captured -= spent;
            self.spent += spent;
            let grant = self.grants.iter_mut().find(|g| g.id == id).expect("the grant");
            if grant.expires.is_some_and(|end| end <= self.now) {
                self.expired += amount - spent;
            } else {
                grant.free += amount - spent;
            }
        }
    }

    pub fn grant(&mut self, id: &str, amount: i64, priority: u8, effective: i64, expires: Option<i64>) -> &'static str {
        let effective = effective.max(self.now);
        if amount == 0 || expires.is_some_and(|end| end <= effective) {
            return "grant_invalid";
        }
        self.granted += amount;
        let (scheduled, free) = if effective > self.now { (amount, 0) } else { (0, amount) };
        self.grants.push(Grant { id: id.to_owned(), priority, effective, expires, scheduled, free });
        self.repay();
        "fresh"
    }

    pub fn hold(&mut self, key: u8, units: i64, life: i64) -> &'static str {
        let intent = format!("hold {units} {life}");
        if let Some((earlier, end)) = self.keys.get(&key) {
            return match end {
                _ if *earlier != intent => "idempotency_key_reused",
                End::Settled { .. } => "settled",
                End::Released => "released",
                End::Pending if self.is_open(key) => "pending",
                End::Pending => "expired",
            };
        }
        if self.holds.len() >= self.most_holds {
            return "too_many_holds";
        }
        if self.totals().free - self.debt < units {
            return "credits_insufficient";
        }
        let slices = self.draw(units);
        self.holds.insert(key, Hold { slices, expires: self.now + life });
        self.keys.insert(key, (intent, End::Pending));
        "fresh"
    }

    fn charge(&mut self, key: u8, cost: i64) -> Option<i64> {
        let held: i64 = self.holds[&key].slices.iter().map(|s| s.1).sum();
        let excess = (cost - held).max(0);
        let free = self.totals().free;
        let (from_free, debt) = match self.overage {
            _ if excess == 0 => (0, 0),
            Overage::Reject => return None,
            Overage::Cap => (0, 0),
            Overage::Available => (excess.min(free), 0),
            Overage::Debt(limit) => {
                let debt = (excess - free).max(0);
                if self.debt + debt > limit {
                    return None;
                }
                (excess - debt, debt)
            }
        };
        let captured = cost.min(held);
        self.give_back(key, captured);
        self.draw(from_free);
        self.spent += from_free + debt;
        self.debt += debt;
        self.repay();
        Some(captured + from_free + debt)
    }

    pub fn settle(&mut self, key: u8, cost: i64) -> &'static str {
        match self.keys[&key].1.clone() {
            End::Settled { cost: earlier, .. } if earlier == cost => return "settled",
            End::Settled { .. } => return "hold_settled",
            End::Released => return "hold_released",
            End::Pending if !self.is_open(key) => return "hold_expired",
            End::Pending => {}
        }
        match self.charge(key, cost) {
            None => "cost_exceeds_hold",
            Some(charged) => {
                self.keys.get_mut(&key).expect("the key").1 = End::Settled { cost, charged };
                "fresh"
            }
        }
    }

    pub fn release(&mut self, key: u8) -> &'static str {
        match &self.keys[&key].1 {
            End::Settled { .. } => return "hold_settled",
            End::Released => return "released",
            End::Pending if !self.is_open(key) => return "expired",
            End::Pending => {}
        }
        self.give_back(key, 0);
        self.repay();
        self.keys.get_mut(&key).expect("the key").1 = End::Released;
        "fresh"
    }

    pub fn deduct(&mut self, key: u8, units: i64) -> &'static str {
        let intent = format!("deduct {units}");
        if let Some((earlier, _)) = self.keys.get(&key) {
            return if *earlier == intent { "settled" } else { "idempotency_key_reused" };
        }
        if self.holds.len() >= self.most_holds {
            return "too_many_holds";
        }
        if self.totals().free - self.debt < units {
            return "credits_insufficient";
        }
        let spent: i64 = self.draw(units).iter().map(|s| s.1).sum();
        self.spent += spent;
        self.keys.insert(key, (intent, End::Settled { cost: units, charged: spent }));
        "fresh"
    }
}
