use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Mutex,
    thread,
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use super::*;
use crate::plan::tests::plan;

/// What a server does with the member that enters as this one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Kind,
    /// Every third member is told that the room is full.
    Full,
    /// No candidate is passed on.
    Forgetful,
    /// Whoever offers is sent away.
    Strict,
}

/// Members by name, and the way to each.
type Members = Arc<Mutex<HashMap<String, UnboundedSender<Message>>>>;

/// A server of the room protocol in few lines, on a thread of its own.
fn server(mood: Mood) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let members = Members::default();
            for number in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, mood, number, Arc::clone(&members)));
            }
        });
    });
    told.recv().unwrap()
}

async fn serve(stream: TcpStream, mood: Mood, number: u32, members: Members) {
    let (mut sink, mut source) = accept_async(stream).await.unwrap().split();
    let (sender, mut queue) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            if sink.send(message).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(Message::Text(text))) = source.next().await {
        let message: Value = serde_json::from_str(&text).unwrap();
        let answer = match message["type"].as_str().unwrap() {
            "join" if mood == Mood::Full && number.is_multiple_of(3) => {
                Some(json!({ "type": "problem", "code": "room_full", "message": "full" }))
            }
            "join" => {
                let name = message["name"].as_str().unwrap();
                members.lock().unwrap().insert(name.to_owned(), sender.clone());
                Some(json!({ "type": "joined", "self": { "id": name, "name": name } }))
            }
            "candidate" if mood == Mood::Forgetful => None,
            "offer" if mood == Mood::Strict => {
                sender.send(Message::Close(None)).unwrap();
                return;
            }
            _ => {
                let to = message["to"].as_str().unwrap();
                let members = members.lock().unwrap();
                members[to].send(Message::text(&*text)).unwrap();
                None
            }
        };
        if let Some(answer) = answer {
            sender.send(Message::text(answer.to_string())).unwrap();
        }
    }
}

fn found(mood: Mood, connections: u32, patience: Duration) -> Found {
    let plan = Plan {
        server: server(mood),
        connections,
        at_once: 1,
        patience,
        ..plan()
    };
    measure(&plan, &Control::default()).unwrap()
}

fn failures(found: &Found) -> Vec<(&str, u64)> {
    let failures: &BTreeMap<_, _> = &found.failures;
    failures.iter().map(|(word, count)| (&**word, *count)).collect()
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn both_members_of_each_room_get_all_that_the_other_says() {
    let found = found(Mood::Kind, 10, LONG);
    // An offer, an answer and two candidates of each.
    assert_eq!((found.joined, found.sent, found.delivered), (10, 30, 30));
    assert_eq!(failures(&found), []);
    assert!(found.delivery.unwrap().max_us > 0.0 && found.joins_per_second > 0.0);
    assert!(found.memory.is_none() && !found.is_cancelled);
}

#[test]
fn a_room_that_is_not_entered_is_counted_by_the_servers_code_and_the_others_go_on() {
    let found = found(Mood::Full, 6, LONG);
    // The third member belongs to the second room, which then ends; the sixth does not come.
    assert_eq!(failures(&found), [("room_full", 1)]);
    assert_eq!((found.joined, found.delivered), (4, 12));
}

#[test]
fn signals_that_do_not_come_are_missed() {
    let found = found(Mood::Forgetful, 4, Duration::from_millis(300));
    assert_eq!(failures(&found), [("not_delivered", 2)]);
    assert_eq!((found.sent, found.delivered), (12, 4));
}

#[test]
fn a_connection_that_ends_is_a_failure() {
    let found = found(Mood::Strict, 4, LONG);
    assert_eq!(failures(&found), [("ended", 2)]);
    assert_eq!(found.delivered, 0);
}

#[test]
fn a_run_that_is_cancelled_ends_and_tells_what_there_was() {
    let plan = Plan {
        server: server(Mood::Kind),
        rate: 0.001,
        ..plan()
    };
    let control = Control::default();
    let found = thread::scope(|scope| {
        let run = scope.spawn(|| measure(&plan, &control));
        // The first room exchanges at once, the other one much later.
        while control.progress().exchanged < 1 {
            thread::sleep(Duration::from_millis(5));
        }
        control.cancel();
        run.join().unwrap().unwrap()
    });
    assert!(found.is_cancelled);
    assert_eq!((found.joined, found.delivered), (4, 6));
    assert_eq!(failures(&found), []);
}
