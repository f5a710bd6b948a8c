//! imsimta: to be described.
