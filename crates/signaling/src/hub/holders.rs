//! Members that somebody holds: taken by an id of one's own choice, and taken up again over another connection.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{Hub, Kind, Outbox, Place, Welcome, seats::Taken};
use crate::{
    gate::Visit,
    names::MemberId,
    problem::Problem,
    rooms::{Holder, Input, Join},
};

impl Hub {
    /// Makes a connection known under an id of the client's own choice, which it joins with or comes back as.
    pub(crate) fn claim(
        &self,
        id: MemberId,
        join: Join,
        visit: Arc<Visit>,
        outbox: Arc<dyn Outbox>,
        welcome: Welcome<'_>,
    ) -> Result<Place, Problem> {
        let mut clogged = Vec::new();
        let (place, replaced) = {
            let mut state = self.lock();
            let input = match (state.rooms.holds(id), &join.holder) {
                (true, Some(holder)) => Input::Resume {
                    holder: holder.clone(),
                    seen: None,
                },
                (true, None) | (false, _) => Input::Join(join),
            };
            let outputs = state.rooms.handle(Instant::now(), id, input)?;
            let place = state.seats.place(id);
            let replaced = state
                .seats
                .sit(place, Taken::new(Kind::Connection, visit, outbox));
            state.deliver(&outputs, welcome, &mut clogged);
            self.settle(&mut state);
            (place, replaced)
        };
        self.close(replaced, Problem::Replaced);
        self.evict_clogged(clogged);
        Ok(place)
    }

    /// Lets the connection at `place` go on as the member that `token` names, after its notice `seen`.
    pub(crate) fn resume(
        &self,
        place: Place,
        token: &str,
        seen: u64,
        welcome: Welcome<'_>,
    ) -> Result<Place, Problem> {
        let id = self.tokens.check(token, SystemTime::now());
        let id = id.ok_or(Problem::CannotResume)?;
        let mut clogged = Vec::new();
        let (resumed, replaced) = {
            let mut state = self.lock();
            state.seats.check(place)?;
            if state.rooms.holds(place.id) {
                return Err(Problem::AlreadyJoined);
            }
            let input = Input::Resume {
                holder: Holder::Signed,
                seen: Some(seen),
            };
            // Whether there is somebody else by that id is nobody's business.
            let told = state.rooms.handle(Instant::now(), id, input);
            let outputs = told.map_err(|_| Problem::CannotResume)?;
            let (resumed, replaced) = state.seats.change(place, id);
            state.deliver(&outputs, welcome, &mut clogged);
            self.settle(&mut state);
            (resumed, replaced)
        };
        self.close(replaced, Problem::Replaced);
        self.evict_clogged(clogged);
        Ok(resumed)
    }

    /// Signs a token for whoever is the member `id`.
    pub(crate) fn session_token(&self, id: MemberId) -> String {
        self.tokens.sign(id, SystemTime::now())
    }
}
