//! Which components are ready to serve.

use std::collections::BTreeMap;

use tokio::sync::watch;

/// What the components of a process say about themselves; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(watch::Sender<State>);

#[derive(Debug, Default)]
pub(crate) struct State {
    components: BTreeMap<String, bool>,
    draining: bool,
}

impl Health {
    /// Starts with no component, which is not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether a component can serve; the first word of a component also makes it known.
    pub fn set_ready(&self, component: &str, ready: bool) {
        self.0
            .send_if_modified(|state| state.components.insert(component.to_owned(), ready) != Some(ready));
    }

    /// Says that the process is about to end and wants no new work.
    pub fn set_draining(&self) {
        self.0
            .send_if_modified(|state| !std::mem::replace(&mut state.draining, true));
    }

    /// Tells whether the process is about to end.
    pub fn is_draining(&self) -> bool {
        self.0.borrow().draining
    }

    /// Tells whether there are components, all are ready, and the process is not draining.
    pub fn is_ready(&self) -> bool {
        let state = self.0.borrow();
        !state.draining && !state.components.is_empty() && state.components.values().all(|ready| *ready)
    }

    /// Lists every component and whether it is ready.
    pub fn components(&self) -> BTreeMap<String, bool> {
        self.0.borrow().components.clone()
    }

    /// What tells whoever waits that any of this has changed since now.
    pub(crate) fn changes(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }
}
