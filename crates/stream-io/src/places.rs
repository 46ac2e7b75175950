//! A table of connections with dense indexes, whose places are used again.

use datagram_io::ConnectionId;

use crate::connection::Connection;

#[derive(Default)]
pub(crate) struct Places {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Place {
    generation: u32,
    connection: Option<Connection>,
}

impl Places {
    /// The name that the next connection gets.
    pub(crate) fn vacant(&mut self) -> ConnectionId {
        let index = match self.free.last() {
            Some(index) => *index,
            None => {
                self.places.push(Place::default());
                let index = (self.places.len() - 1) as u32;
                self.free.push(index);
                index
            }
        };
        ConnectionId {
            index,
            generation: self.places[index as usize].generation,
        }
    }

    /// Puts a connection where [`Places::vacant`] said.
    pub(crate) fn fill(&mut self, id: ConnectionId, connection: Connection) {
        debug_assert_eq!(self.free.last(), Some(&id.index), "the place that was named last");
        self.free.pop();
        self.places[id.index as usize].connection = Some(connection);
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<(ConnectionId, Connection)> {
        let place = self.places.get_mut(index as usize)?;
        let connection = place.connection.take()?;
        let id = ConnectionId {
            index,
            generation: place.generation,
        };
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index);
        Some((id, connection))
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        let place = self.places.get(id.index as usize)?;
        place
            .connection
            .as_ref()
            .filter(|_| place.generation == id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let place = self.places.get_mut(id.index as usize)?;
        place
            .connection
            .as_mut()
            .filter(|_| place.generation == id.generation)
    }

    /// Whoever is in that place now, and its name.
    pub(crate) fn at(&mut self, index: u32) -> Option<(ConnectionId, &mut Connection)> {
        let place = self.places.get_mut(index as usize)?;
        let generation = place.generation;
        let connection = place.connection.as_mut()?;
        Some((ConnectionId { index, generation }, connection))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}
