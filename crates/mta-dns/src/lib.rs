//! mta-dns: to be described.
