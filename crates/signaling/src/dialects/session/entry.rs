//! How a client gets into a room and back into it, and what it is given there.

use super::{Refused, Session, Sink, Standing};
use crate::{
    dialects::event::{ComeBack, Event},
    hub::Clogged,
    ice::IceServer,
    names::{MemberId, MemberName, RoomKey, Space},
    problem::Problem,
    rooms::{Holder, Input, Join, Notice, Output, Permissions},
};

impl Session {
    pub(super) fn join(
        &self,
        room: RoomKey,
        name: MemberName,
        token: Option<String>,
        resume: bool,
        reply: &dyn Sink,
    ) -> Result<(), Refused> {
        let token = token.as_ref().or(self.token.as_ref());
        let pass = self.context.doors.open(token.map(String::as_str), &room.name)?;
        let returns = resume && self.context.resume_seconds > 0;
        let is_classic = room.space == Space::Classic;
        let join = Join {
            room: room.clone(),
            capacity: self.context.capacity,
            name: pass.name.unwrap_or(name),
            permissions: pass.permissions,
            holder: returns.then_some(Holder::Signed),
        };
        let place = self.now().place;
        let welcome = |told: &Output| {
            *self.standing() = Standing {
                place,
                permissions: pass.permissions,
                returns,
                is_classic,
            };
            match is_classic {
                true => reply.tell(told),
                false => self.welcome(told, reply),
            }
        };
        match self.context.hub.apply(place, Input::Join(join), &welcome) {
            Err(Problem::RoomFull) if is_classic => Err(Refused::Full(room)),
            done => Ok(done?),
        }
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
            resume: self.now().returns.then(|| self.way_back(this.id)),
        })
    }

    pub(super) fn resume(&self, token: &str, seen: u64, reply: &dyn Sink) -> Result<(), Problem> {
        let place = self.now().place;
        let welcome = |told: &Output| {
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
                place,
                permissions,
                returns: true,
                is_classic: false,
            };
            let (ice_servers, ice_ttl) = self.ice(permissions);
            reply.send(&Event::Resumed {
                this,
                room: &told.room.name,
                received: *received,
                ice_servers: &ice_servers,
                ice_ttl,
                resume: self.way_back(this.id),
            })
        };
        let resumed = self.context.hub.resume(place, token, seen, &welcome)?;
        self.standing().place = resumed;
        Ok(())
    }

    pub(super) fn renew(&self, reply: &dyn Sink) -> Result<(), Problem> {
        let Standing {
            place,
            permissions,
            returns,
            ..
        } = self.now();
        if !permissions.ice {
            return Err(Problem::Forbidden);
        }
        let (ice_servers, ice_ttl) = self.ice(permissions);
        let event = Event::Ice {
            ice_servers: &ice_servers,
            ice_ttl,
            resume: returns.then(|| self.way_back(place.id)),
        };
        if reply.send(&event).is_err() {
            self.end(Problem::TooSlow);
        }
        Ok(())
    }

    fn ice(&self, permissions: Permissions) -> (Vec<IceServer>, u64) {
        if !permissions.ice {
            return (Vec::new(), 0);
        }
        let grant = self.context.hub.grant(&self.visit);
        (grant.ice_servers(), grant.ttl)
    }

    fn way_back(&self, id: MemberId) -> ComeBack {
        ComeBack {
            token: self.context.hub.session_token(id),
            seconds: self.context.resume_seconds,
        }
    }
}
