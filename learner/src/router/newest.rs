//! Something of which only the newest counts, sent to many: what waits is replaced while it waits.
//!
//! Invariant: at most one transfer per connection is being written, and at most one waits; what waits is taken when its
//! turn comes, so it is the newest then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A version as messages, shared by all who are sent it.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub number: u64,
    /// For anybody.
    pub whole: Arc<Vec<u8>>,
    /// For a connection that was last sent that version.
    pub difference: Option<(u64, Arc<Vec<u8>>)>,
}

/// The newest version, and who counts what is sent.
pub(crate) struct Newest {
    version: Mutex<Option<Version>>,
    sent: Box<dyn Fn(usize) + Send + Sync>,
}

impl Newest {
    /// None yet. `sent` hears of each message of so many bytes that is about to be written.
    pub fn new(sent: impl Fn(usize) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            version: Mutex::default(),
            sent: Box::new(sent),
        })
    }

    /// From now on this one.
    pub fn set(&self, version: Version) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
    }

    fn get(&self) -> Option<Version> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What one connection is owed.
#[derive(Clone)]
pub struct Debt {
    newest: Arc<Newest>,
    waits: Arc<AtomicBool>,
}

impl Debt {
    pub(crate) fn new(newest: Arc<Newest>) -> Self {
        Self {
            newest,
            waits: Arc::default(),
        }
    }

    /// Notes that the newest is to be sent; false when that waits already.
    pub(crate) fn owe(&self) -> bool {
        !self.waits.swap(true, Ordering::AcqRel)
    }

    /// What is to be written to a connection that was last sent version `held`, which becomes what it is sent now.
    pub(crate) fn pay(&self, held: &mut Option<u64>) -> Option<Arc<Vec<u8>>> {
        // Before the newest is looked at: who publishes and then owes gets what it published.
        self.waits.store(false, Ordering::Release);
        let version = self.newest.get()?;
        let before = held.replace(version.number);
        let message = match version.difference {
            Some((base, difference)) if before == Some(base) => difference,
            _ => version.whole,
        };
        (self.newest.sent)(message.len());
        Some(message)
    }
}
