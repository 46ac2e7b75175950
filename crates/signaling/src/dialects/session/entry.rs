//! How a client gets into a room and back into it, and what it is given there.

use std::sync::Arc;

use super::{Refused, Session, Sink, Standing};
use crate::{
    dialects::event::{ComeBack, Event},
    hub::{Answer, Clogged, Place},
    ice::IceServer,
    names::{MemberId, MemberName, RoomKey, Space},
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
        let pass = self.context.doors.open(token.map(String::as_str), &room.name)?;
        let returns = resume && self.context.resume_seconds > 0;
        let is_classic = room.space == Space::Classic;
        let permissions = pass.permissions;
        let join = Join {
            room: room.clone(),
            capacity: self.context.capacity,
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
            Ok(_) => session.context.hub.metrics.message("join"),
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
        let (ice_servers, ice_ttl) = self.ice(*permissions);
        reply.send(&Event::Joined {
            this,
            room: &told.room.name,
            peers,
            waiting: peers.is_empty(),
            ice_servers: &ice_servers,
            ice_ttl,
            resume: self.now().returns.then(|| self.way_back(this.id, &told.room)),
        })
    }

    pub(super) fn resume(self: &Arc<Self>, token: &str, seen: u64, reply: &Arc<dyn Sink>) {
        let place = self.now().place;
        let (session, sink) = (Arc::clone(self), Arc::clone(reply));
        let welcome = move |told: &Output| session.welcome_back(place, told, &*sink);
        let (session, sink) = (Arc::clone(self), Arc::clone(reply));
        let done = move |done: Result<Place, Problem>| match done {
            Ok(_) => session.context.hub.metrics.message("resume"),
            Err(problem) => session.refuse(problem.into(), &*sink),
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
        let (ice_servers, ice_ttl) = self.ice(permissions);
        reply.send(&Event::Resumed {
            this,
            room: &told.room.name,
            received: *received,
            ice_servers: &ice_servers,
            ice_ttl,
            resume: self.way_back(this.id, &told.room),
        })
    }

    pub(super) fn renew(&self, reply: &dyn Sink) -> Result<(), Problem> {
        let standing = self.now();
        if !standing.permissions.ice {
            return Err(Problem::Forbidden);
        }
        let (ice_servers, ice_ttl) = self.ice(standing.permissions);
        let room = standing.room.filter(|_| standing.returns);
        let event = Event::Ice {
            ice_servers: &ice_servers,
            ice_ttl,
            resume: room.map(|room| self.way_back(standing.place.id, &room)),
        };
        self.mind(reply.send(&event));
        Ok(())
    }

    fn ice(&self, permissions: Permissions) -> (Vec<IceServer>, u64) {
        if !permissions.ice {
            return (Vec::new(), 0);
        }
        let grant = self.context.hub.grant(&self.visit);
        (grant.ice_servers(), grant.ttl)
    }

    fn way_back(&self, id: MemberId, room: &RoomKey) -> ComeBack {
        ComeBack {
            token: self.context.hub.session_token(id, room),
            seconds: self.context.resume_seconds,
        }
    }
}
