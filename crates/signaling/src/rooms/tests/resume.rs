//! Members that lose their connection and come back.

use super::*;

const KEEPS: Holder = Holder::Signed;
const SECRET: Holder = Holder::Secret([7; 32]);

/// Anna and Ben in one room; Anna may come back.
fn pair(now: Instant) -> Rooms {
    pair_held(now, KEEPS)
}

fn pair_held(now: Instant, by: Holder) -> Rooms {
    let mut rooms = rooms();
    let holder = Some(by);
    let join = Join {
        holder,
        ..entry("north", "Anna")
    };
    rooms.handle(now, ANNA, Input::Join(join)).unwrap();
    rooms
        .handle(now, BEN, Input::Join(entry("north", "Ben")))
        .unwrap();
    rooms
}

fn come_back(rooms: &mut Rooms, now: Instant, holder: Holder, seen: Option<u64>) -> Answer {
    rooms.handle(now, ANNA, Input::Resume { holder, seen })
}

/// The numbers and texts of the notices that Anna is told, after the first, which is that she is in.
fn missed(outputs: &[Output]) -> Vec<u64> {
    assert!(matches!(outputs[0].notice, Notice::Joined { .. }));
    let numbers = outputs[1..].iter().filter(|told| told.to == ANNA);
    numbers.map(|told| told.number.unwrap()).collect()
}

#[test]
fn a_lost_member_keeps_its_place_and_the_others_hear_that_it_is_reconnecting() {
    let now = Instant::now();
    let mut rooms = pair(now);
    assert_eq!(
        rooms.handle(now, ANNA, Input::Lose),
        Ok(vec![to(BEN, Notice::PeerReconnecting(ANNA))])
    );
    assert_eq!(join(&mut rooms, CHIE, "north", ""), Err(Refusal::RoomFull));
    let told = come_back(&mut rooms, now, KEEPS, Some(1)).unwrap();
    assert_eq!(
        told,
        [
            to(ANNA, joined(peer(ANNA, "Anna"), vec![peer(BEN, "Ben")])),
            to(BEN, Notice::PeerReconnected(ANNA)),
        ]
    );
}

#[test]
fn what_was_missed_comes_in_order_and_once() {
    let now = Instant::now();
    let mut rooms = pair(now);
    // Number 1 was that Ben came, and 2 is written to a connection that is already dead.
    let dead = rooms.handle(now, BEN, send(ANNA, "two")).unwrap();
    assert_eq!(dead[0].number, Some(2));
    rooms.handle(now, ANNA, Input::Lose).unwrap();
    for text in ["three", "four"] {
        assert_eq!(rooms.handle(now, BEN, send(ANNA, text)), Ok(vec![]));
    }
    let told = come_back(&mut rooms, now, KEEPS, Some(1)).unwrap();
    assert_eq!(missed(&told), [2, 3, 4]);
    let signal_of = |told: &Output| {
        let Notice::Signal { signal, .. } = &told.notice else {
            panic!("{told:?}");
        };
        signal.clone()
    };
    let texts: Vec<_> = told[1..4].iter().map(signal_of).collect();
    assert_eq!(texts, [sdp("two"), sdp("three"), sdp("four")]);
    let again = come_back(&mut rooms, now, KEEPS, Some(4)).unwrap();
    assert_eq!(missed(&again), [0_u64; 0]);
}

#[test]
fn who_counts_nothing_is_told_what_came_after_the_loss() {
    let now = Instant::now();
    let mut rooms = pair_held(now, SECRET);
    let told = rooms.handle(now, BEN, send(ANNA, "heard")).unwrap();
    assert_eq!(told[0].number, None);
    rooms.handle(now, ANNA, Input::Lose).unwrap();
    rooms.handle(now, BEN, send(ANNA, "missed")).unwrap();
    let told = come_back(&mut rooms, now, SECRET, None).unwrap();
    assert_eq!(missed(&told), [1]);
    assert_eq!(rooms.kept, 0, "and once it is told nothing of it is kept");
    let again = come_back(&mut rooms, now, SECRET, None).unwrap();
    assert_eq!(missed(&again), [0_u64; 0]);
}

#[test]
fn an_id_is_its_holders_present_or_not() {
    let now = Instant::now();
    for (holder, thief) in [
        (SECRET, Holder::Secret([8; 32])),
        (SECRET, KEEPS),
        (KEEPS, SECRET),
    ] {
        let mut rooms = pair_held(now, holder.clone());
        let stolen = come_back(&mut rooms, now, thief.clone(), None);
        assert_eq!(stolen, Err(Refusal::Taken));
        rooms.handle(now, ANNA, Input::Lose).unwrap();
        let stolen = come_back(&mut rooms, now, thief, None);
        assert_eq!(stolen, Err(Refusal::Taken));
        come_back(&mut rooms, now, holder, None).unwrap();
    }
    let (holder, seen) = (KEEPS, None);
    assert_eq!(
        pair(now).handle(now, BEN, Input::Resume { holder, seen }),
        Err(Refusal::Taken),
        "Ben did not mean to come back"
    );
}

#[test]
fn who_does_not_come_back_in_time_has_left() {
    let now = Instant::now();
    let mut rooms = pair(now);
    rooms.handle(now, ANNA, Input::Lose).unwrap();
    let due = now + Duration::from_secs(30);
    assert_eq!(rooms.poll_timeout(), Some(due));
    assert_eq!(rooms.handle_timeout(due - Duration::from_millis(1)), vec![]);
    assert_eq!(
        rooms.handle_timeout(due),
        [
            to(ANNA, Notice::Forgotten),
            to(BEN, Notice::PeerLeft(ANNA)),
            to(BEN, Notice::Waiting),
        ]
    );
    assert_eq!(rooms.poll_timeout(), None);
    assert_eq!(
        come_back(&mut rooms, due, KEEPS, None),
        Err(Refusal::CannotResume)
    );
}

#[test]
fn who_misses_more_than_is_kept_has_left() {
    let now = Instant::now();
    let mut rooms = pair(now);
    rooms.handle(now, ANNA, Input::Lose).unwrap();
    for _ in 0..4 {
        assert_eq!(rooms.handle(now, BEN, send(ANNA, "")), Ok(vec![]));
    }
    let told = rooms.handle(now, BEN, send(ANNA, "")).unwrap();
    assert_eq!(
        told,
        [
            to(ANNA, Notice::Forgotten),
            to(BEN, Notice::PeerLeft(ANNA)),
            to(BEN, Notice::Waiting),
        ]
    );
    let large = "x".repeat(6000);
    let mut rooms = pair(now);
    rooms.handle(now, ANNA, Input::Lose).unwrap();
    rooms.handle(now, BEN, send(ANNA, &large)).unwrap();
    let told = rooms.handle(now, BEN, send(ANNA, &large)).unwrap();
    assert_eq!(told.len(), 3, "bytes count too");
}

#[test]
fn who_counts_nothing_keeps_its_id_however_much_it_misses() {
    let now = Instant::now();
    let mut rooms = pair_held(now, SECRET);
    rooms.handle(now, ANNA, Input::Lose).unwrap();
    for _ in 0..100 {
        assert_eq!(rooms.handle(now, BEN, send(ANNA, "flood")), Ok(vec![]));
    }
    let thief = come_back(&mut rooms, now, Holder::Secret([8; 32]), None);
    assert_eq!(thief, Err(Refusal::Taken));
    let told = come_back(&mut rooms, now, SECRET, None).unwrap();
    assert_eq!(missed(&told), [97, 98, 99, 100], "the newest");
}

#[test]
fn all_together_keep_no_more_than_there_is_place_for() {
    let now = Instant::now();
    let mut rooms = pair(now);
    for (id, to) in [(CHIE, "south"), (MemberId::new(4), "south")] {
        let holder = Some(KEEPS);
        enter(
            &mut rooms,
            id,
            Join {
                holder,
                ..entry(to, "")
            },
        )
        .unwrap();
    }
    let large = "x".repeat(8000);
    for (from, to) in [(BEN, ANNA), (MemberId::new(4), CHIE)] {
        rooms.handle(now, from, send(to, &large)).unwrap();
    }
    rooms.handle(now, CHIE, Input::Lose).unwrap();
    let back = Input::Resume {
        holder: KEEPS,
        seen: Some(1),
    };
    assert_eq!(rooms.handle(now, CHIE, back), Err(Refusal::CannotResume));
    leave(&mut rooms, ANNA).unwrap();
    rooms.handle(now, MemberId::new(4), send(CHIE, &large)).unwrap();
    let back = Input::Resume {
        holder: KEEPS,
        seen: Some(2),
    };
    assert_eq!(
        rooms.handle(now, CHIE, back).map(|told| told[1].number),
        Ok(Some(3))
    );
}

#[test]
fn a_gap_that_cannot_be_filled_is_refused_and_so_is_a_number_never_told() {
    let now = Instant::now();
    let mut rooms = pair(now);
    for _ in 0..5 {
        rooms.handle(now, BEN, send(ANNA, "")).unwrap();
    }
    for seen in [1, 7] {
        let back = come_back(&mut rooms, now, KEEPS, Some(seen));
        assert_eq!(back, Err(Refusal::CannotResume), "{seen}");
    }
    assert!(come_back(&mut rooms, now, KEEPS, Some(2)).is_ok());
}

#[test]
fn who_did_not_mean_to_come_back_leaves_with_the_connection() {
    let now = Instant::now();
    let mut rooms = pair(now);
    let told = rooms.handle(now, BEN, Input::Lose).unwrap();
    assert_eq!(told[0].notice, Notice::PeerLeft(BEN));
    assert_eq!(told[1].notice, Notice::Waiting);
}

#[test]
fn a_signal_sent_twice_is_taken_once() {
    let now = Instant::now();
    let mut rooms = pair(now);
    let mut sent = |number| {
        let input = Input::Send {
            to: BEN,
            signal: sdp("v=0"),
            number: Some(number),
            keep_for: None,
        };
        rooms.handle(now, ANNA, input).unwrap().len()
    };
    assert_eq!([1, 2, 1, 2, 3].map(&mut sent), [1, 1, 0, 0, 1]);
    let told = come_back(&mut rooms, now, KEEPS, None).unwrap();
    assert!(matches!(told[0].notice, Notice::Joined { received: 3, .. }));
}

proptest! {
    /// Whatever is said, lost and resumed: Anna hears all of it, in order and once.
    #[test]
    fn nothing_is_missed_or_told_twice(steps in prop::collection::vec((0..3u8, 0..4usize), 0..40)) {
        let now = Instant::now();
        let mut limits = limits(2);
        limits.history.messages = 1000;
        let mut rooms = Rooms::new(limits);
        let join = Join { holder: Some(KEEPS), ..entry("north", "") };
        enter(&mut rooms, ANNA, join).unwrap();
        join_ben(&mut rooms);
        let mut heard = vec![1];
        let mut said = 1;
        for (step, lost) in steps {
            match step {
                0 => {
                    said += 1;
                    let told = rooms.handle(now, BEN, send(ANNA, "")).unwrap();
                    heard.extend(told.iter().filter_map(|told| told.number));
                }
                1 => {
                    rooms.handle(now, ANNA, Input::Lose).unwrap();
                    // The last that were written did not arrive.
                    heard.truncate(heard.len().saturating_sub(lost).max(1));
                }
                _ => {
                    let seen = heard.last().copied();
                    heard.extend(missed(&come_back(&mut rooms, now, KEEPS, seen).unwrap()));
                }
            }
        }
        let seen = heard.last().copied();
        heard.extend(missed(&come_back(&mut rooms, now, KEEPS, seen).unwrap()));
        prop_assert_eq!(heard, (1..=said).collect::<Vec<u64>>());
    }
}

fn join_ben(rooms: &mut Rooms) {
    join(rooms, BEN, "north", "").unwrap();
}
