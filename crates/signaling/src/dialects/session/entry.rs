//! How a client gets into a room and back into it, and what it is given there.

use std::{sync::Arc, time::Duration};

use super::{Refused, Session, Sink, Standing};
use crate::{
    dialects::{
        Context,
        event::{ComeBack, Event},
    },
    gate::Visit,
    hub::{Answer, Clogged, Place},
    ice::IceServer,
    names::{MemberName, RoomKey, Space},
    problem::Problem,
    rooms::{Holder, Input, Join, Notice, Output, Permissions},
};

impl Session {
    pub(super) fn join(
        self: &Arc<Self>,
        room: RoomKey,
        name: MemberName,
        token: Option<String>,
        resume: bool,
        reply: &Arc<dyn Sink>,
    ) -> Result<(), Refused> {
        let token = token.as_ref().or(self.token.as_ref());
        let terms = self.context.hub.terms();
        let pass = terms.doors.open(token.map(String::as_str), &room.name)?;
        let returns = resume && self.context.resume_seconds > 0;
        let is_classic = room.space == Space::Classic;
        let permissions = pass.permissions;
        let capacity = match is_classic {
            true => self.context.classic_capacity,
            false => self.context.capacity,
        };
        let join = Join {
            room: room.clone(),
            capacity,
            name: pass.name.unwrap_or(name),
            permissions,
            holder: returns.then_some(Holder::Signed),
        };
        let place = self.now().place;
        let (session, sink) = (Arc::clone(self), Arc::clone(reply));
        let welcome = move |told: &Output| {
            *session.standing() = Standing {
                place,
                permissions,
                returns,
                is_classic,
                room: Some(told.room.clone()),
            };
            match is_classic {
                true => sink.tell(told),
                false => session.welcome(told, &*sink),
            }
        };
        let (session, sink) = (Arc::clone(self), Arc::clone(reply));
        let done = move |done: Result<Place, Problem>| match done {
            Ok(_) => {
                match is_classic {
                    true => session.let_expire(),
                    false => session.keep_fresh(),
                }
                session.visit.trail.joined();
                session.context.hub.metrics.message("join");
            }
            Err(Problem::RoomFull) if is_classic => session.refuse(Refused::Full(room), &*sink),
            Err(problem) => session.refuse(problem.into(), &*sink),
        };
        let answer = Answer::new(Box::new(welcome), Box::new(done));
        self.context.hub.ask(place, Input::Join(join), answer);
        Ok(())
    }

    /// Answers a join with the room and with fresh credentials.
    fn welcome(&self, told: &Output, reply: &dyn Sink) -> Result<(), Clogged> {
        let Notice::Joined {
            this,
            peers,
            permissions,
            ..
        } = &told.notice
        else {
            return Ok(());
        };
        let (ice_servers, ice_ttl) = self.giving().ice(*permissions);
        reply.send(&Event::Joined {
            this,
            room: &told.room.name,
            peers,
            waiting: peers.is_empty(),
            ice_servers: &ice_servers,
            ice_ttl,
            resume: self.giving().way_back(),
        })
    }

    pub(super) fn resume(self: &Arc<Self>, token: &str, seen: u64, reply: &Arc<dyn Sink>) {
        let place = self.now().place;
        let (session, sink) = (Arc::clone(self), Arc::clone(reply));
        let welcome = move |told: &Output| session.welcome_back(place, told, &*sink);
        let (session, sink) = (Arc::clone(self), Arc::clone(reply));
        let done = move |done: Result<Place, Problem>| match done {
            Ok(_) => {
                session.keep_fresh();
                session.visit.trail.resumed();
                session.context.hub.metrics.resume(None);
                session.context.hub.metrics.message("resume");
            }
            Err(problem) => {
                session.context.hub.metrics.resume(Some(problem));
                session.refuse(problem.into(), &*sink);
            }
        };
        let answer = Answer::new(Box::new(welcome), Box::new(done));
        self.context.hub.resume(place, token, seen, answer);
    }

    /// Answers a resumption; what was missed follows as it was told first.
    fn welcome_back(&self, place: Place, told: &Output, reply: &dyn Sink) -> Result<(), Clogged> {
        let Notice::Joined {
            this,
            permissions,
            received,
            ..
        } = &told.notice
        else {
            return Ok(());
        };
        let permissions = *permissions;
        *self.standing() = Standing {
            place: place.of(this.id),
            permissions,
            returns: true,
            is_classic: false,
            room: Some(told.room.clone()),
        };
        let giving = self.giving();
        let (ice_servers, ice_ttl) = giving.ice(permissions);
        reply.send(&Event::Resumed {
            this,
            room: &told.room.name,
            received: *received,
            ice_servers: &ice_servers,
            ice_ttl,
            resume: giving.come_back(&told.room),
        })
    }

    pub(super) fn renew(&self, reply: &dyn Sink) -> Result<(), Problem> {
        if !self.now().permissions.ice {
            return Err(Problem::Forbidden);
        }
        if self.giving().give(reply).is_ok() {
            self.keep_fresh();
        }
        Ok(())
    }
}

/// What a client is given, and as whom.
pub(super) struct Giving {
    pub(super) context: Context,
    pub(super) visit: Arc<Visit>,
    pub(super) place: Place,
    /// The room it may come back to.
    pub(super) returns_to: Option<RoomKey>,
}

impl Giving {
    /// Gives fresh credentials; whoever does not take them loses its connection.
    pub(super) fn give(&self, to: &dyn Sink) -> Result<(), Clogged> {
        let (ice_servers, ice_ttl) = self.ice(Permissions::ALL);
        let given = to.send(&Event::Ice {
            ice_servers: &ice_servers,
            ice_ttl,
            resume: self.way_back(),
        });
        if given.is_err() {
            self.context.hub.evict(self.place, Problem::TooSlow);
        }
        given
    }

    /// How long all of it will be good.
    pub(super) fn ttl(&self) -> Duration {
        let hub = &self.context.hub;
        let ttl = hub.terms().ice.ttl();
        match self.returns_to {
            Some(_) => ttl.min(hub.session_token_lifetime()),
            None => ttl,
        }
    }

    fn ice(&self, permissions: Permissions) -> (Vec<IceServer>, u64) {
        if !permissions.ice {
            return (Vec::new(), 0);
        }
        let grant = self.context.hub.grant(&self.visit);
        (grant.ice_servers(), grant.ttl)
    }

    fn way_back(&self) -> Option<ComeBack> {
        self.returns_to.as_ref().map(|room| self.come_back(room))
    }

    fn come_back(&self, room: &RoomKey) -> ComeBack {
        ComeBack {
            token: self.context.hub.session_token(self.place.id, room),
            seconds: self.context.resume_seconds,
        }
    }
}
