//! Every how many runs something is done: a number in a file, counted up by each run.

use std::fs;
use std::io;
use std::path::Path;

/// Whether this run is one that counts, with one in `every`; counts it.
///
/// # Errors
/// What the system said when the count could not be kept.
pub(super) fn is_due(counter: &Path, every: i64) -> io::Result<bool> {
    if every <= 1 {
        return Ok(true);
    }
    let runs = match fs::read_to_string(counter) {
        Ok(text) => text.trim().parse::<i64>().unwrap_or(0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let runs = runs.saturating_add(1);
    let due = runs >= every;
    let next = if due { 0 } else { runs };
    // A run that dies here is counted again: the logs are turned a little later.
    let aside = counter.with_extension("new");
    fs::write(&aside, format!("{next}\n"))?;
    fs::rename(&aside, counter)?;
    Ok(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_in_three_counts() {
        let dir = tempfile::tempdir().unwrap();
        let counter = dir.path().join("return_job.count");
        let due: Vec<bool> = (0..7).map(|_| is_due(&counter, 3).unwrap()).collect();
        assert_eq!(due, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn every_run_counts_by_default_and_needs_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let counter = dir.path().join("return_job.count");
        assert!(is_due(&counter, 1).unwrap());
        assert!(!counter.exists());
    }

    #[test]
    fn a_spoiled_count_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let counter = dir.path().join("return_job.count");
        fs::write(&counter, "nonsense").unwrap();
        assert!(!is_due(&counter, 2).unwrap());
        assert!(is_due(&counter, 2).unwrap());
    }
}
