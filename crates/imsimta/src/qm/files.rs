//! Message files by name: what an operator types behind `imsimta return`, and behind the one-shot
//! forms of `hold`, `release`, `return`, `delete`, `read` and `history`.

use super::listing;
use crate::logs::matches_pattern;
use mta_envelope::names::{ChannelName, Place};
use mta_queue::Queue;
use mta_queue::scan::ScanFault;
use std::path::{Path, PathBuf};

/// Whether a name stands for several files.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// What a name says of where a file lies.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    channel: String,
    subdirectory: Subdirectory,
    file: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Subdirectory {
    /// Wherever it lies in its channel.
    Any,
    /// In the channel's own directory.
    None,
    /// In one that matches.
    Matching(String),
}

impl Wanted {
    fn channel(&self, name: &ChannelName) -> bool {
        matches_pattern(&self.channel, name.as_str())
    }

    fn place(&self, place: &Place) -> bool {
        let here = match (&self.subdirectory, place.subdir) {
            (Subdirectory::Any, _) | (Subdirectory::None, None) => true,
            (Subdirectory::Matching(pattern), Some(number)) => {
                matches_pattern(pattern, &format!("{number:03}"))
            }
            (Subdirectory::None, Some(_)) | (Subdirectory::Matching(_), None) => false,
        };
        here && matches_pattern(&self.file, place.file.as_str())
    }
}

/// The message files that a name stands for: a path (of the working directory or below the
/// queue), whose channel, subdirectory and file may hold `*` and `?`; `CHANNEL/FILE` and `FILE`
/// as listings show them. With what could not be looked at.
pub(crate) fn named(queue: &Queue, typed: &str) -> (Vec<(ChannelName, Place)>, Vec<ScanFault>) {
    let Some(wanted) = below(queue.path(), typed).and_then(|parts| wanted(&parts)) else {
        return (Vec::new(), Vec::new());
    };
    if let Some(found) = one(queue, &wanted) {
        return (vec![found], Vec::new());
    }
    let channels = match queue.channels() {
        Ok(channels) => channels,
        Err(source) => {
            let path = queue.path().to_owned();
            return (Vec::new(), vec![ScanFault { path, source }]);
        }
    };
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for channel in channels.iter().filter(|channel| wanted.channel(channel)) {
        let mut scan = queue.scan(channel);
        let places = scan.by_ref().map(|file| file.place);
        let places = places.filter(|place| wanted.place(place));
        found.extend(places.map(|place| (channel.clone(), place)));
        faults.append(&mut scan.faults());
    }
    found.sort();
    (found, faults)
}

/// A file that is named in full, without a walk through its channel.
fn one(queue: &Queue, wanted: &Wanted) -> Option<(ChannelName, Place)> {
    let text = match &wanted.subdirectory {
        Subdirectory::Any => return None,
        Subdirectory::None => wanted.file.clone(),
        Subdirectory::Matching(subdirectory) => format!("{subdirectory}/{}", wanted.file),
    };
    if is_pattern(&wanted.channel) || is_pattern(&text) {
        return None;
    }
    let channel = ChannelName::new(&wanted.channel).ok()?;
    let place = Place::parse(&text).ok()?;
    listing::file_path(queue, &channel, &place)
        .is_file()
        .then_some((channel, place))
}

fn wanted(parts: &[String]) -> Option<Wanted> {
    let of = |channel: &str, subdirectory, file: &str| Wanted {
        channel: channel.to_owned(),
        subdirectory,
        file: file.to_owned(),
    };
    match parts {
        // All files of all channels is nothing that a name should stand for.
        [file] if is_pattern(file) => None,
        [file] => Some(of("*", Subdirectory::Any, file)),
        [channel, file] if is_pattern(file) => Some(of(channel, Subdirectory::None, file)),
        [channel, file] => Some(of(channel, Subdirectory::Any, file)),
        [channel, subdirectory, file] => Some(of(
            channel,
            Subdirectory::Matching(subdirectory.clone()),
            file,
        )),
        _ => None,
    }
}

/// The parts of a name below the queue: of a path of the working directory if that leads there,
/// through whatever links, else of one below the queue.
fn below(queue: &Path, typed: &str) -> Option<Vec<String>> {
    let top = queue.canonicalize().unwrap_or_else(|_| queue.to_owned());
    let absolute = std::path::absolute(typed).ok();
    let candidates = [absolute, Some(queue.join(typed))];
    candidates
        .into_iter()
        .flatten()
        .find_map(|path| resolved(&path)?.strip_prefix(&top).ok().map(parts))
        .filter(|parts| !parts.is_empty())
}

fn parts(path: &Path) -> Vec<String> {
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.collect()
}

/// A path without links, up to its last part or its first wildcard.
fn resolved(path: &Path) -> Option<PathBuf> {
    let mut fixed = PathBuf::new();
    let mut rest = PathBuf::new();
    for part in path.parent()? {
        if rest.as_os_str().is_empty() && !is_pattern(&part.to_string_lossy()) {
            fixed.push(part);
        } else {
            rest.push(part);
        }
    }
    let mut resolved = fixed.canonicalize().ok()?;
    resolved.push(rest);
    resolved.push(path.file_name()?);
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A directory with a queue of three files, and a link to it.
    struct Area {
        top: PathBuf,
        queue: Queue,
    }

    impl Area {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("imsimta-files-{}-{number}", std::process::id());
            let top = std::env::temp_dir().join(name);
            for file in ["ims-ms/001/ZZa.00", "ims-ms/002/ZZb.00", "tcp_local/ZZa.00"] {
                let path = top.join("real/queue").join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            std::os::unix::fs::symlink("real", top.join("link")).unwrap();
            let queue = Queue::open(&top.join("real/queue")).unwrap();
            Self { top, queue }
        }

        fn named(&self, typed: &str) -> Vec<String> {
            let (found, faults) = named(&self.queue, typed);
            assert!(faults.is_empty());
            let text = |(channel, place)| format!("{channel}/{place}");
            found.into_iter().map(text).collect()
        }
    }

    impl Drop for Area {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.top));
        }
    }

    #[test]
    fn a_name_is_a_path_or_what_a_listing_shows() {
        let area = Area::new();
        let (a, b, c) = ("ims-ms/001/ZZa.00", "ims-ms/002/ZZb.00", "tcp_local/ZZa.00");
        for (typed, files) in [
            (a, vec![a]),
            ("ims-ms/ZZb.00", vec![b]),
            ("ZZb.00", vec![b]),
            ("ZZa.00", vec![a, c]),
            ("ims-ms/*/ZZ*.00", vec![a, b]),
            ("*/00?/ZZa.00", vec![a]),
            ("tcp_local/*", vec![c]),
            ("ims-ms/*", vec![]),
            ("*", vec![]),
            ("ZZnosuch.00", vec![]),
            ("ims-ms/001/../../../secret", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(area.named(typed), files, "{typed}");
        }
    }

    #[test]
    fn a_path_may_lead_through_a_link_and_hold_wildcards_anywhere() {
        let area = Area::new();
        let (a, b) = ("ims-ms/001/ZZa.00", "ims-ms/002/ZZb.00");
        for (below, files) in [
            (a, vec![a]),
            ("ims-ms/*/ZZ*.00", vec![a, b]),
            ("ims-ms/002/*", vec![b]),
            ("ims-*/00?/ZZ*", vec![a, b]),
            ("nosuch/001/ZZa.00", vec![]),
        ] {
            for way in ["real", "link"] {
                let typed = area.top.join(way).join("queue").join(below);
                assert_eq!(area.named(&typed.to_string_lossy()), files, "{way} {below}");
            }
        }
    }
}
