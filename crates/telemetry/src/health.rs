//! Which components are ready to serve.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What the components of a process say about themselves; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
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
        self.state().components.insert(component.to_owned(), ready);
    }

    /// Says that the process is about to end and wants no new work.
    pub fn set_draining(&self) {
        self.state().draining = true;
    }

    /// Tells whether the process is about to end.
    pub fn is_draining(&self) -> bool {
        self.state().draining
    }

    /// Tells whether there are components, all are ready, and the process is not draining.
    pub fn is_ready(&self) -> bool {
        let state = self.state();
        !state.draining && !state.components.is_empty() && state.components.values().all(|ready| *ready)
    }

    /// Lists every component and whether it is ready.
    pub fn components(&self) -> BTreeMap<String, bool> {
        self.state().components.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can be left half-written by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
