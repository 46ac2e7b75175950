//! `watari check`: what keeps calls from working on this machine, and what to do about it.
//!
//! Each group has a module that gathers facts and judges them apart. Nothing is changed, neither here nor at the servers.

mod address;
mod certified;
mod clock;
mod files;
mod finding;
mod kernel;
mod ports;
mod relaying;
mod secrets;
mod services;
mod subject;
mod telling;

use signaling_load::sockets::Sockets;

use crate::{
    cli::CheckArgs,
    failure::Failure,
    verbs::check_config::{self, Checked},
};
use finding::Finding;
use ports::{Place, Range};
use subject::Subject;
use telling::Telling;

/// Looks at the settings first: nothing else is worth a look while they are wrong.
pub(crate) fn run(arguments: &CheckArgs) -> Result<(), Failure> {
    let checked = check_config::look(&arguments.which);
    if !checked.iter().all(Checked::is_fine) {
        return check_config::tell(checked, arguments.json);
    }
    let subject = Subject::read(arguments)?;
    let sockets = Sockets::look();
    let places = ports::look(&subject, &sockets);
    let server = places.iter().find_map(|(_, place)| match place {
        Place::Ours(process) => Some(process.pid),
        Place::Free | Place::Activated | Place::Taken(_) | Place::Hidden | Place::Unusable(_) => None,
    });
    let mut telling = Telling::new(arguments.json);
    let settings = checked
        .iter()
        .map(|checked| Finding::fine(format!("{}: no mistake", checked.title())));
    telling.group("Settings", settings)?;
    telling.group("Files", files::look(&subject, server))?;
    let health = match arguments.offline {
        true => Vec::new(),
        false => services::health(&places),
    };
    let runs = server.is_some() || health.iter().any(|finding| finding.grade == finding::Grade::Fine);
    telling.group("Ports", ports::judge(&places, runs))?;
    for relay in &subject.relays {
        telling.group("Ports", Range::look(relay, &subject, &sockets).judge())?;
    }
    let facts = address::Facts::look(&subject, arguments);
    telling.group("Addresses", facts.judge())?;
    telling.group("Reachability", address::reachability(&subject, &facts, runs))?;
    telling.group("Certificates", certified::look(&subject, &arguments.ca))?;
    telling.group("Kernel", kernel::Facts::look(&subject, server).judge())?;
    telling.say("Clock", clock::look())?;
    telling.group("Services", health)?;
    if !arguments.offline {
        telling.group("Services", services::pages(&places))?;
        telling.group("Services", subject.redis.iter().map(|url| services::redis(url)))?;
        for relay in &subject.relays {
            relaying::look(relay, &places, |finding| telling.say("Relay", finding))?;
        }
    }
    telling.end()
}
