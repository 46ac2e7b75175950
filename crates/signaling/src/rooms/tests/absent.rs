//! Signals for those who are not there yet, as PeerJS keeps them.

use super::*;

fn peers(name: &str) -> Join {
    let mut join = entry("peerjs", name);
    join.room.space = Space::Peers;
    join.capacity = usize::MAX;
    join
}

fn call(rooms: &mut Rooms, now: Instant, from: MemberId, text: &str) -> Answer {
    let input = Input::Send {
        to: CHIE,
        signal: sdp(text),
        number: None,
        keep_for: Some(name("chie")),
    };
    rooms.handle(now, from, input)
}

fn pair() -> Rooms {
    let mut rooms = rooms();
    for (id, name) in [(ANNA, "anna"), (BEN, "ben")] {
        let told = enter(&mut rooms, id, peers(name)).unwrap();
        assert_eq!(told.len(), 1, "nobody hears who comes");
    }
    rooms
}

fn texts(outputs: &[Output]) -> Vec<(MemberId, Signal)> {
    let signals = outputs.iter().filter_map(|told| {
        let Notice::Signal { from, signal, .. } = &told.notice else {
            return None;
        };
        Some((from.id, signal.clone()))
    });
    signals.collect()
}

#[test]
fn what_is_said_to_the_absent_is_there_when_they_come() {
    let now = Instant::now();
    let mut rooms = pair();
    assert_eq!(call(&mut rooms, now, ANNA, "one"), Ok(vec![]));
    assert_eq!(call(&mut rooms, now, BEN, "two"), Ok(vec![]));
    let told = enter(&mut rooms, CHIE, peers("chie")).unwrap();
    assert!(matches!(told[0].notice, Notice::Joined { .. }));
    assert_eq!(texts(&told), [(ANNA, sdp("one")), (BEN, sdp("two"))]);
    leave(&mut rooms, CHIE).unwrap();
    assert_eq!(
        texts(&enter(&mut rooms, CHIE, peers("chie")).unwrap()),
        [],
        "once"
    );
}

#[test]
fn who_comes_too_late_finds_nothing_and_each_sender_hears_so_once() {
    let now = Instant::now();
    let mut rooms = pair();
    for from in [ANNA, BEN, ANNA] {
        call(&mut rooms, now, from, "").unwrap();
    }
    let due = now + Duration::from_secs(5);
    assert_eq!(rooms.poll_timeout(), Some(due));
    let told = rooms.handle_timeout(due);
    let to: Vec<_> = told.iter().map(|told| told.to).collect();
    assert_eq!(to, [ANNA, BEN]);
    for told in told {
        assert_eq!(told.notice, Notice::Unanswered(name("chie")));
    }
    assert_eq!(texts(&enter(&mut rooms, CHIE, peers("chie")).unwrap()), []);
}

#[test]
fn what_a_stranger_of_another_room_says_is_not_there() {
    let now = Instant::now();
    let mut rooms = pair();
    call(&mut rooms, now, ANNA, "one").unwrap();
    leave(&mut rooms, ANNA).unwrap();
    call(&mut rooms, now, BEN, "two").unwrap();
    join(&mut rooms, CHIE, "north", "chie").unwrap();
    assert_eq!(relay(&mut rooms, BEN, CHIE), Err(Refusal::UnknownPeer));
}

#[test]
fn one_id_gets_no_more_than_its_share_of_the_bytes() {
    let now = Instant::now();
    let mut rooms = pair();
    let half = "x".repeat(400);
    assert_eq!(call(&mut rooms, now, ANNA, &half), Ok(vec![]));
    assert_eq!(call(&mut rooms, now, ANNA, &half), Err(Refusal::UnknownPeer));
    let other = Input::Send {
        to: MemberId::new(4),
        signal: sdp(&half),
        number: None,
        keep_for: Some(name("dan")),
    };
    assert_eq!(rooms.handle(now, ANNA, other), Ok(vec![]));
}

#[test]
fn no_more_is_kept_than_there_is_place_for_and_the_place_comes_back() {
    let now = Instant::now();
    let mut rooms = pair();
    for round in 0..20 {
        let now = now + Duration::from_secs(10 * round);
        for _ in 0..4 {
            assert_eq!(call(&mut rooms, now, ANNA, ""), Ok(vec![]));
        }
        assert_eq!(call(&mut rooms, now, ANNA, ""), Err(Refusal::UnknownPeer));
        rooms.handle_timeout(now + Duration::from_secs(5));
        let large = "x".repeat(2000);
        assert_eq!(call(&mut rooms, now, ANNA, &large), Err(Refusal::UnknownPeer));
    }
}
