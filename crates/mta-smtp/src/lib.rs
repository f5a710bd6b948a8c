//! mta-smtp: to be described.
