//! watcher: to be described.
