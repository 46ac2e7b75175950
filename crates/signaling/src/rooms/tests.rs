use proptest::prelude::*;

use super::*;

const ANNA: MemberId = MemberId::new(1);
const BEN: MemberId = MemberId::new(2);
const CHIE: MemberId = MemberId::new(3);

fn rooms() -> Rooms {
    Rooms::new(Limits {
        members_per_room: 2,
        rooms: 2,
    })
}

fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

fn peer(id: MemberId, name: &str) -> Peer {
    let name = MemberName::new(name).unwrap();
    Peer { id, name }
}

fn join(rooms: &mut Rooms, id: MemberId, to: &str, name: &str) -> Answer {
    let name = MemberName::new(name).unwrap();
    rooms.handle(id, Input::Join { room: room(to), name })
}

fn relay(rooms: &mut Rooms, from: MemberId, to: MemberId) -> Answer {
    rooms.handle(from, Input::Relay { to, signal: "sdp" })
}

fn leave(rooms: &mut Rooms, id: MemberId) -> Answer {
    rooms.handle(id, Input::Leave)
}

fn to(to: MemberId, notice: Notice<&'static str>) -> Output<&'static str> {
    Output { to, notice }
}

type Answer = Result<Vec<Output<&'static str>>, Refusal>;

#[test]
fn the_first_in_a_room_finds_nobody() {
    let joined = Notice::Joined {
        room: room("north"),
        this: peer(ANNA, "Anna"),
        peers: vec![],
    };
    assert_eq!(
        join(&mut rooms(), ANNA, "north", "Anna"),
        Ok(vec![to(ANNA, joined)])
    );
}

#[test]
fn the_second_finds_the_first_and_the_first_hears_of_the_second() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "Anna").unwrap();
    let joined = Notice::Joined {
        room: room("north"),
        this: peer(BEN, "Ben"),
        peers: vec![peer(ANNA, "Anna")],
    };
    assert_eq!(
        join(&mut rooms, BEN, "north", "Ben"),
        Ok(vec![
            to(BEN, joined),
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
        from: ANNA,
        signal: "sdp",
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
    let mut rooms = Rooms::new(Limits {
        members_per_room: 3,
        rooms: 1,
    });
    for id in [ANNA, BEN, CHIE] {
        join(&mut rooms, id, "north", "").unwrap();
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
fn a_member_is_in_one_room_at_a_time() {
    let mut rooms = rooms();
    join(&mut rooms, ANNA, "north", "").unwrap();
    for name in ["north", "south"] {
        assert_eq!(join(&mut rooms, ANNA, name, ""), Err(Refusal::AlreadyJoined));
    }
    leave(&mut rooms, ANNA).unwrap();
    assert!(join(&mut rooms, ANNA, "south", "").is_ok());
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
        let mut rooms = Rooms::new(Limits { members_per_room: 3, rooms: 3 });
        let mut model: HashMap<u128, u8> = HashMap::new();
        for step in steps {
            match step {
                Step::Join(id, number) => {
                    let joined = join(&mut rooms, MemberId::new(id), &number.to_string(), "");
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
