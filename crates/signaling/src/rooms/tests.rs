use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::names::{RoomName, Space};

mod absent;
mod resume;

const ANNA: MemberId = MemberId::new(1);
const BEN: MemberId = MemberId::new(2);
const CHIE: MemberId = MemberId::new(3);

fn limits(rooms: usize) -> Limits {
    Limits {
        rooms: RoomLimits {
            calls: rooms,
            classic: rooms,
            topics: rooms,
        },
        resume_within: Duration::from_secs(30),
        history: HistoryLimits {
            messages: 4,
            bytes: 10_000,
            total: 15_000,
        },
        mailbox: MailboxLimits {
            wait: Duration::from_secs(5),
            signals: 8,
            signals_each: 4,
            bytes: 1000,
            bytes_each: 600,
        },
    }
}

fn rooms() -> Rooms {
    Rooms::new(limits(2))
}

fn room(name: &str) -> RoomKey {
    RoomKey {
        space: Space::Calls,
        name: RoomName::new(name).unwrap(),
    }
}

fn name(name: &str) -> MemberName {
    MemberName::new(name).unwrap()
}

fn peer(id: MemberId, text: &str) -> Peer {
    Peer {
        id,
        name: name(text),
        reconnecting: false,
    }
}

fn entry(to: &str, text: &str) -> Join {
    Join {
        room: room(to),
        capacity: 2,
        name: name(text),
        permissions: Permissions::ALL,
        holder: None,
    }
}

fn enter(rooms: &mut Rooms, id: MemberId, join: Join) -> Answer {
    rooms.handle(Instant::now(), id, Input::Join(join))
}

fn join(rooms: &mut Rooms, id: MemberId, to: &str, name: &str) -> Answer {
    enter(rooms, id, entry(to, name))
}

fn sdp(text: &str) -> Signal {
    let body = serde_json::value::RawValue::from_string(format!("{{\"sdp\":\"{text}\"}}")).unwrap();
    Signal {
        label: "offer",
        body: Arc::from(body),
    }
}

fn send(to: MemberId, text: &str) -> Input {
    Input::Send {
        to,
        signal: sdp(text),
        number: None,
        keep_for: None,
    }
}

fn relay(rooms: &mut Rooms, from: MemberId, to: MemberId) -> Answer {
    rooms.handle(Instant::now(), from, send(to, "v=0"))
}

fn leave(rooms: &mut Rooms, id: MemberId) -> Answer {
    rooms.handle(Instant::now(), id, Input::Leave)
}

fn to(to: MemberId, notice: Notice) -> Output {
    let number = None;
    let room = room("north");
    Output {
        to,
        room,
        number,
        notice,
    }
}

fn joined(this: Peer, peers: Vec<Peer>) -> Notice {
    Notice::Joined {
        this,
        peers,
        permissions: Permissions::ALL,
        received: 0,
    }
}

type Answer = Result<Vec<Output>, Refusal>;

#[test]
fn the_first_in_a_room_finds_nobody() {
    assert_eq!(
        join(&mut rooms(), ANNA, "north", "Anna"),
        Ok(vec![to(ANNA, joined(peer(ANNA, "Anna"), vec![]))])
    );
}

#[test]
fn the_second_finds_the_first_and_the_first_hears_of_the_second() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "Anna").unwrap();
    assert_eq!(
        join(&mut rooms, BEN, "north", "Ben"),
        Ok(vec![
            to(BEN, joined(peer(BEN, "Ben"), vec![peer(ANNA, "Anna")])),
            to(ANNA, Notice::PeerJoined(peer(BEN, "Ben"))),
        ])
    );
}

#[test]
fn a_signal_goes_to_the_other_member_with_the_senders_id() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    join(&mut rooms, BEN, "north", "").unwrap();
    let signal = Notice::Signal {
        from: peer(ANNA, ""),
        signal: sdp("v=0"),
        members: 2,
    };
    assert_eq!(relay(&mut rooms, ANNA, BEN), Ok(vec![to(BEN, signal)]));
}

#[test]
fn a_signal_never_crosses_into_another_room() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    join(&mut rooms, BEN, "south", "").unwrap();
    assert_eq!(relay(&mut rooms, ANNA, BEN), Err(Refusal::UnknownPeer));
}

#[test]
fn a_signal_to_oneself_or_to_nobody_is_refused() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    assert_eq!(relay(&mut rooms, ANNA, ANNA), Err(Refusal::UnknownPeer));
    assert_eq!(relay(&mut rooms, ANNA, CHIE), Err(Refusal::UnknownPeer));
}

#[test]
fn who_is_in_no_room_can_neither_signal_nor_leave() {
    let mut rooms = rooms();
    join(&mut rooms, BEN, "north", "").unwrap();
    assert_eq!(relay(&mut rooms, ANNA, BEN), Err(Refusal::NotJoined));
    assert_eq!(leave(&mut rooms, ANNA), Err(Refusal::NotJoined));
}

#[test]
fn the_one_who_stays_hears_who_left_and_waits() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    join(&mut rooms, BEN, "north", "").unwrap();
    assert_eq!(
        leave(&mut rooms, ANNA),
        Ok(vec![to(BEN, Notice::PeerLeft(ANNA)), to(BEN, Notice::Waiting),])
    );
    assert_eq!(relay(&mut rooms, BEN, ANNA), Err(Refusal::UnknownPeer));
}

#[test]
fn those_who_stay_together_are_not_told_to_wait() {
    let mut rooms = rooms();
    for id in [ANNA, BEN, CHIE] {
        let capacity = 3;
        let join = Join {
            capacity,
            ..entry("north", "")
        };
        enter(&mut rooms, id, join).unwrap();
    }
    assert_eq!(
        leave(&mut rooms, BEN),
        Ok(vec![
            to(ANNA, Notice::PeerLeft(BEN)),
            to(CHIE, Notice::PeerLeft(BEN)),
        ])
    );
}

#[test]
fn the_last_to_leave_tells_nobody_and_the_room_is_gone() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    assert_eq!(rooms.len(), 1);
    assert_eq!(leave(&mut rooms, ANNA), Ok(vec![]));
    assert!(rooms.is_empty());
}

#[test]
fn a_full_room_takes_nobody_until_a_member_leaves() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    join(&mut rooms, BEN, "north", "").unwrap();
    assert_eq!(join(&mut rooms, CHIE, "north", ""), Err(Refusal::RoomFull));
    leave(&mut rooms, ANNA).unwrap();
    assert!(join(&mut rooms, CHIE, "north", "").is_ok());
}

#[test]
fn no_room_is_made_beyond_the_bound_but_existing_ones_still_fill() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    join(&mut rooms, BEN, "south", "").unwrap();
    assert_eq!(join(&mut rooms, CHIE, "east", ""), Err(Refusal::TooManyRooms));
    assert!(join(&mut rooms, CHIE, "south", "").is_ok());
}

#[test]
fn rooms_of_one_kind_take_no_place_from_those_of_another() {
    let mut rooms = rooms();
    let kinds = [Space::Topics, Space::Classic, Space::Calls, Space::Peers];
    for (kind, space) in kinds.into_iter().enumerate() {
        let most = if space == Space::Peers { 1 } else { 2 };
        for number in 0..=most {
            let id = MemberId::new((kind * 10 + number) as u128);
            let mut join = entry(&number.to_string(), "");
            join.room.space = space;
            let full = Err(Refusal::TooManyRooms);
            assert_eq!(enter(&mut rooms, id, join) == full, number == most, "{space:?}");
        }
    }
}

#[test]
fn a_member_is_in_one_room_at_a_time() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    for name in ["north", "south"] {
        assert_eq!(join(&mut rooms, ANNA, name, ""), Err(Refusal::AlreadyJoined));
    }
    leave(&mut rooms, ANNA).unwrap();
    assert!(join(&mut rooms, ANNA, "south", "").is_ok());
}

#[test]
fn a_room_of_one_kind_is_not_the_room_of_another_by_the_same_name() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    let mut classic = entry("north", "");
    classic.room.space = Space::Classic;
    let told = enter(&mut rooms, BEN, classic).unwrap();
    assert_eq!(told.len(), 1, "nobody hears of it");
    assert_eq!(relay(&mut rooms, BEN, ANNA), Err(Refusal::UnknownPeer));
}

#[test]
fn who_may_not_send_is_refused_and_still_hears() {
    let mut rooms = rooms();
    let permissions = Permissions {
        send: false,
        ice: true,
    };
    enter(
        &mut rooms,
        ANNA,
        Join {
            permissions,
            ..entry("north", "")
        },
    )
    .unwrap();
    join(&mut rooms, BEN, "north", "").unwrap();
    assert_eq!(relay(&mut rooms, ANNA, BEN), Err(Refusal::Forbidden));
    let publish = Input::Publish {
        signal: sdp("v=0"),
        echo: true,
    };
    assert_eq!(
        rooms.handle(Instant::now(), ANNA, publish),
        Err(Refusal::Forbidden)
    );
    assert_eq!(relay(&mut rooms, BEN, ANNA).unwrap().len(), 1);
}

#[test]
fn what_is_published_reaches_everybody_in_the_room_and_the_publisher_if_it_wants() {
    let mut rooms = rooms();
    for (id, to) in [(ANNA, "north"), (BEN, "north"), (CHIE, "south")] {
        join(&mut rooms, id, to, "").unwrap();
    }
    for (echo, expected) in [(true, vec![ANNA, BEN]), (false, vec![BEN])] {
        let publish = Input::Publish {
            signal: sdp("v=0"),
            echo,
        };
        let told = rooms.handle(Instant::now(), ANNA, publish).unwrap();
        assert_eq!(told.iter().map(|told| told.to).collect::<Vec<_>>(), expected);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Join(u128, u8),
    Relay(u128, u128),
    Leave(u128),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..8u128, 0..4u8).prop_map(|(id, room)| Step::Join(id, room)),
        (0..8u128, 0..8u128).prop_map(|(from, to)| Step::Relay(from, to)),
        (0..8u128).prop_map(Step::Leave),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    /// The model is a plain list of who is where; `handle` checks its own books on the way.
    #[test]
    fn any_history_delivers_signals_within_a_room_only(steps in steps()) {
        let mut rooms = Rooms::new(limits(3));
        let mut model: HashMap<u128, u8> = HashMap::new();
        for step in steps {
            match step {
                Step::Join(id, number) => {
                    let join = Join { capacity: 3, ..entry(&number.to_string(), "") };
                    let joined = enter(&mut rooms, MemberId::new(id), join);
                    let there = model.values().filter(|place| **place == number).count();
                    if joined.is_ok() {
                        prop_assert!(there < 3);
                        prop_assert_eq!(joined.unwrap().len(), there + 1);
                        prop_assert_eq!(model.insert(id, number), None);
                    }
                }
                Step::Relay(from, to) => {
                    let together = model.contains_key(&from) && model.get(&from) == model.get(&to);
                    let relayed = relay(&mut rooms, MemberId::new(from), MemberId::new(to));
                    prop_assert_eq!(relayed.is_ok(), together && from != to);
                }
                Step::Leave(id) => {
                    let was = model.remove(&id);
                    prop_assert_eq!(leave(&mut rooms, MemberId::new(id)).is_ok(), was.is_some());
                }
            }
        }
    }
}
