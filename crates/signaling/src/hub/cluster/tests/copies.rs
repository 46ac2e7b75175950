//! Copies of a room: alike on all nodes, whatever happens, and whenever they begin.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::{
    config::{Config, MAILBOX},
    hub::{
        cluster::{
            entry::{Desk, Entry, NodeId, RedisClock, What},
            log::Position,
            replica::{Applied, Replica},
        },
        limits,
    },
    names::{MemberId, MemberName, RoomKey, RoomName, Space},
    problem::Problem,
    rooms::{Clock as _, HistoryLimits, Holder, Input, Join, Limits, Notice, Permissions, Signal},
};

fn node(number: u64) -> NodeId {
    serde_json::from_str(&format!("\"{number:x}\"")).unwrap()
}

fn clock() -> RedisClock {
    RedisClock::new(Instant::now(), 1_800_000_000_000)
}

fn small() -> Limits {
    Limits {
        history: HistoryLimits {
            messages: 4,
            bytes: 2000,
            total: 6000,
        },
        mailbox: crate::rooms::MailboxLimits {
            signals: 4,
            ..MAILBOX
        },
        ..limits(&Config::default())
    }
}

/// Takes the next entry, marked with its own number.
fn take(copy: &mut Replica, millis: u64, entry: Entry) -> Applied {
    let seq = copy.at.seq + 1;
    copy.apply(Position { seq, mark: seq }, millis, entry)
}

fn copy() -> Replica {
    Replica::new(small(), clock())
}

fn join(holder: Option<Holder>, space: Space) -> Join {
    Join {
        room: RoomKey {
            space,
            name: RoomName::new("north").unwrap(),
        },
        capacity: 3,
        name: MemberName::new("渡").unwrap(),
        permissions: Permissions::ALL,
        holder,
    }
}

fn ask(node: NodeId, member: u128, connection: u64, number: u64, input: Input) -> Entry {
    Entry {
        node,
        spare: 6000,
        what: What::Ask {
            member: MemberId::new(member),
            connection,
            number,
            input,
        },
    }
}

fn say(to: u128, text: &str) -> Input {
    let body = RawValue::from_string(format!("\"{text}\"")).unwrap();
    Input::Send {
        to: MemberId::new(to),
        signal: Signal {
            label: "offer",
            body: body.into(),
        },
        number: None,
        keep_for: MemberName::new("absent"),
    }
}

/// Anna (1) at node 1 and Ben (2) at node 2, both of whom may come back.
fn pair() -> Replica {
    let mut copy = copy();
    for (at, member) in [(node(1), 1), (node(2), 2)] {
        let input = Input::Join(join(Some(Holder::Signed), Space::Calls));
        let applied = take(&mut copy, 1, ask(at, member, 7, 1, input));
        assert_eq!(applied.result, Ok(()));
        assert_eq!(applied.entered, Some(MemberId::new(member)));
    }
    copy
}

#[test]
fn what_is_written_twice_is_taken_once() {
    let mut copy = pair();
    let entry = ask(node(1), 1, 7, 2, say(2, "once"));
    let first = take(&mut copy, 2, entry.clone());
    assert_eq!(first.outputs.len(), 1);
    let second = take(&mut copy, 3, entry);
    assert!(second.again && second.outputs.is_empty());
    assert_eq!(
        take(&mut copy, 4, ask(node(1), 1, 7, 3, say(2, "more")))
            .outputs
            .len(),
        1
    );
}

#[test]
fn a_connection_whose_member_is_elsewhere_says_nothing_more_for_it() {
    let mut copy = pair();
    let resume = Input::Resume {
        holder: Holder::Signed,
        seen: Some(1),
    };
    let moved = take(&mut copy, 2, ask(node(2), 1, 9, 1, resume));
    assert_eq!(moved.entered, Some(MemberId::new(1)));
    let there = Desk {
        node: node(2),
        connection: 9,
    };
    assert_eq!(copy.desk(MemberId::new(1)), Some(there));
    for input in [say(2, "late"), Input::Lose, Input::Leave, Input::Return] {
        let applied = take(&mut copy, 3, ask(node(1), 1, 7, 9, input));
        assert_eq!(applied.result, Err(Problem::Replaced));
    }
    assert_eq!(copy.desk(MemberId::new(1)), Some(there));
}

#[test]
fn a_dead_nodes_members_are_waited_for_and_one_that_lives_has_them_back() {
    let mut copy = pair();
    let dead = Entry {
        node: node(2),
        spare: 0,
        what: What::Dead(node(1)),
    };
    let applied = take(&mut copy, 2, dead.clone());
    assert_eq!(applied.lost, [MemberId::new(1)]);
    assert_eq!(
        applied.outputs[0].notice,
        Notice::PeerReconnecting(MemberId::new(1))
    );
    assert_eq!(take(&mut copy, 3, dead).outputs, [], "once, whoever finds out");
    take(&mut copy, 4, ask(node(2), 2, 7, 2, say(1, "meanwhile")));
    let said = take(&mut copy, 4, ask(node(1), 1, 7, 2, say(2, "I am here")));
    assert_eq!(
        said.outputs.len(),
        1,
        "a connection that lives speaks for its member"
    );
    let back = take(&mut copy, 5, ask(node(1), 1, 7, 0, Input::Return));
    let told: Vec<_> = back.outputs.iter().map(|told| (told.to, told.number)).collect();
    assert_eq!(told, [(MemberId::new(1), Some(2)), (MemberId::new(2), Some(3))]);
    assert!(take(&mut copy, 6, ask(node(1), 1, 7, 0, Input::Return)).again);
    assert!(take(&mut copy, 6, ask(node(1), 1, 7, 2, say(2, "I am here"))).again);
    assert_eq!(
        take(&mut copy, 6, ask(node(1), 1, 7, 3, say(2, "on")))
            .outputs
            .len(),
        1
    );
}

#[test]
fn time_passes_by_the_entries_alone() {
    let mut copy = pair();
    take(&mut copy, 1000, ask(node(1), 1, 7, 2, Input::Lose));
    let tick = |spare| Entry {
        node: node(2),
        spare,
        what: What::Tick,
    };
    assert_eq!(take(&mut copy, 30_999, tick(0)).outputs, []);
    // A clock that was set back does not give anybody more time.
    assert_eq!(take(&mut copy, 5, tick(0)).outputs, []);
    let given_up = take(&mut copy, 31_000, tick(0));
    assert!(
        given_up
            .outputs
            .iter()
            .any(|told| told.notice == Notice::Forgotten)
    );
    assert!(!copy.rooms.holds(MemberId::new(1)));
}

#[test]
fn moments_are_milliseconds_there_and_back() {
    let clock = clock();
    for millis in [0, 1_799_999_999_999, 1_800_000_000_000, 1_800_000_123_456] {
        let near = clock.moment(millis);
        let exact = millis > 1_700_000_000_000;
        assert!(!exact || clock.millis(near) == millis, "{millis}");
    }
    let later = clock.moment(1_800_000_000_000) + Duration::from_millis(30_000);
    assert_eq!(clock.millis(later), 1_800_000_030_000);
}

fn input(space: Space) -> impl Strategy<Value = Input> {
    let holder = prop_oneof![
        Just(None),
        Just(Some(Holder::Signed)),
        Just(Some(Holder::Secret([7; 32])))
    ];
    let seen = prop_oneof![Just(None), (0..4_u64).prop_map(Some)];
    prop_oneof![
        2 => holder.clone().prop_map(move |holder| Input::Join(join(holder, space))),
        2 => holder.prop_map(move |holder| Input::Claim(join(holder, space))),
        4 => (1..5_u128, "[a-c]{0,300}").prop_map(|(to, text)| say(to, &text)),
        1 => Just(Input::Leave),
        2 => Just(Input::Lose),
        1 => Just(Input::Return),
        2 => seen.prop_map(|seen| Input::Resume {
            holder: if seen.is_some() { Holder::Signed } else { Holder::Secret([7; 32]) },
            seen,
        }),
    ]
}

fn entry(space: Space) -> impl Strategy<Value = Entry> {
    let what = prop_oneof![
        12 => (1..5_u128, 1..4_u64, 0..20_u64, input(space)).prop_map(|(member, connection, number, input)| {
            What::Ask { member: MemberId::new(member), connection, number, input }
        }),
        1 => (1..4_u64).prop_map(|dead| What::Dead(node(dead))),
        1 => Just(What::Tick),
    ];
    (1..4_u64, 0..4000_usize, what).prop_map(|(writer, spare, what)| Entry {
        node: node(writer),
        spare,
        what,
    })
}

fn log() -> impl Strategy<Value = Vec<(u64, Entry)>> {
    prop_oneof![Just(Space::Calls), Just(Space::Peers), Just(Space::Topics)]
        .prop_flat_map(|space| proptest::collection::vec((0..40_000_u64, entry(space)), 1..60))
}

proptest! {
    #[test]
    fn whoever_begins_with_a_snapshot_makes_the_same_of_the_rest(log in log(), begins in 0..60_usize) {
        let mut all = copy();
        let mut late: Option<Replica> = None;
        for (index, (millis, entry)) in log.into_iter().enumerate() {
            if index == begins {
                // Another process has another idea of what a moment is.
                let other = RedisClock::new(Instant::now() + Duration::from_secs(77), 1_800_000_000_000);
                let moved = RedisClock::new(Instant::now(), 1_800_000_500_000);
                let clock = if begins % 2 == 0 { other } else { moved };
                late = Some(Replica::load(&all.save(), all.at, small(), clock).unwrap());
            }
            // As it arrives: through the text.
            let text = serde_json::to_string(&entry).unwrap();
            let read: Entry = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read, &entry);
            let millis = 1_800_000_000_000 + millis;
            let expected = take(&mut all, millis, entry);
            if let Some(late) = &mut late {
                prop_assert_eq!(take(late, millis, read), expected);
                prop_assert_eq!(late.save(), all.save());
            }
        }
    }
}
