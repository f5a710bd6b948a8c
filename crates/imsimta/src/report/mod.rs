//! The wording and columns of every listing: one view type each, printed as the product lays it
//! out or as JSON. Nothing here asks anybody anything; a correction of a layout is made here and
//! nowhere else.

pub(crate) mod cache;
pub(crate) mod clean;
pub(crate) mod clock;
pub(crate) mod directory;
pub(crate) mod jobs;
pub(crate) mod message;
pub(crate) mod processes;
pub(crate) mod rewriting;
pub(crate) mod summary;
pub(crate) mod top;
