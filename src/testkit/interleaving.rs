//! Every order in which three clients may load and commit.

use super::book::Book;
use super::facts::{self, at};
use super::fault::{self, Fault};
use super::probe::Probe;
use super::store::CreditStore;
use crate::change::Answer;
use crate::credit::{Change, GrantTerms, Outcome, Wallet};
use crate::money::Credits;

/// Checks that three clients, two of them with the same request and with credits for one request
/// only, end like clients that came one by one, in whatever order they load and commit.
pub(super) fn interleaves<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    for schedule in schedules() {
        let mut book = Book::open(probe)?;
        book.grant("interleave", GrantTerms::forever(Credits::whole(5)), at(0))?;
        let mut clients = [
            Client::new("same"),
            Client::new("same"),
            Client::new("other"),
        ];

        for step in schedule {
            if let Some(client) = clients.get_mut(step) {
                client.step(&mut book)?;
            }
        }

        // A client that missed begins again, and now nobody is in its way.
        for client in &mut clients {
            while !client.is_done {
                client.step(&mut book)?;
            }
        }

        let fresh = clients.iter().filter(|client| client.is_fresh).count();
        if fresh != 1 {
            let seen = format!("{fresh} were carried out");
            return Err(probe.fault(
                fault::NOT_ONCE,
                "three credits of five are charged to one client",
                seen,
            ));
        }
        book.verify()?;
    }
    Ok(())
}

/// Lists every order of two steps by each of three clients.
fn schedules() -> Vec<Vec<usize>> {
    let fits = |path: &Vec<usize>| {
        (0..3).all(|client| path.iter().filter(|step| **step == client).count() <= 2)
    };
    let longer = |path: Vec<usize>| (0..3).map(move |client| [path.as_slice(), &[client]].concat());

    // Six steps: two by each.
    (0..6).fold(vec![Vec::new()], |paths, _| {
        paths.into_iter().flat_map(longer).filter(fits).collect()
    })
}

/// A client that wants three credits: at its first step it loads and asks, at its second it
/// commits.
struct Client {
    name: &'static str,
    change: Option<Change>,
    made_from: Option<Wallet>,
    is_done: bool,
    is_fresh: bool,
}

impl Client {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            change: None,
            made_from: None,
            is_done: false,
            is_fresh: false,
        }
    }

    fn step<S: CreditStore>(&mut self, book: &mut Book<'_, '_, S>) -> Result<(), Fault> {
        if self.is_done {
            return Ok(());
        }

        let Some(change) = self.change.take() else {
            let probe = book.probe;
            let quote = probe.own(facts::quote(3))?;
            let request = probe.own(facts::deduction(self.name, &quote))?;
            let (wallet, prior) = book.load(&Outcome::spend_key(&request.key))?;
            self.made_from = Some(wallet.clone());

            match wallet.deduct(&book.access, &request, prior.as_ref(), at(0)) {
                Ok(Answer::Fresh(change)) => self.change = Some(change.without_result()),
                Ok(Answer::Replayed(_)) | Err(_) => self.is_done = true,
            }
            return Ok(());
        };

        // The book is what is stored, so it knows whether the guard must hold.
        if self.made_from.as_ref() == Some(&book.wallet()) {
            book.write(change)?;
            self.is_done = true;
            self.is_fresh = true;
            return Ok(());
        }
        book.refuse(
            &change,
            fault::UNGUARDED,
            "another client has committed meanwhile",
        )
    }
}
