//! Channels in the compiled configuration.
//!
//! A process reads all of them at its start, and there may be a thousand of which it uses a few. So
//! what the options of each say is kept as octets until somebody asks, the names of options are
//! written once, and channels that say the same share it.

use super::{Channel, ChannelOption, Channels, Options};
use crate::value::Value;
use mta_envelope::names::ChannelName;
use mta_mapping::records::{Octets, encode};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// All channels.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    /// Names of channel options.
    names: Vec<String>,
    /// What channels say, one behind the other.
    said: Octets,
    channels: Vec<StoredChannel>,
}

#[derive(Serialize, Deserialize)]
struct StoredOptions {
    /// Each with the number of its name.
    settings: Vec<(u16, Value)>,
    backoff: [Vec<u32>; 3],
    notices: [Vec<u32>; 3],
}

#[derive(Serialize, Deserialize)]
struct StoredChannel {
    name: ChannelName,
    official_host: String,
    local_host_alias: Option<String>,
    hosts: Vec<(String, Option<String>)>,
    /// Where what it says stands.
    said: (u32, u32),
    file: BTreeMap<String, String>,
    group_words: Vec<String>,
}

/// What the options of a channel say, read when it is asked for first.
#[derive(Debug, Clone)]
pub(super) struct Said {
    options: OnceLock<Arc<Options>>,
    stored: Option<Place>,
}

/// Where it stands.
#[derive(Debug, Clone)]
struct Place {
    all: Arc<All>,
    from: usize,
    to: usize,
}

/// What all channels of a compiled configuration say.
#[derive(Debug)]
struct All {
    names: Vec<ChannelOption>,
    octets: Vec<u8>,
}

impl Place {
    fn read(&self) -> Option<Options> {
        let octets = self.all.octets.get(self.from..self.to)?;
        let decoded = bincode::serde::decode_from_slice(octets, bincode::config::standard());
        let (said, used): (StoredOptions, usize) = decoded.ok()?;
        let settings = said.settings.into_iter().map(|(number, value)| {
            let option = self.all.names.get(usize::from(number))?;
            Some((*option, value))
        });
        let settings = settings.collect::<Option<BTreeMap<_, _>>>()?;
        (used == octets.len()).then_some(Options {
            settings,
            backoff: said.backoff,
            notices: said.notices,
        })
    }
}

impl From<Options> for Said {
    fn from(options: Options) -> Self {
        Self {
            options: OnceLock::from(Arc::new(options)),
            stored: None,
        }
    }
}

impl Said {
    /// Whether what is stored can be read; what a process asks for has been verified when it was
    /// written, and its checksum at each start.
    pub(super) fn is_sound(&self) -> bool {
        self.stored
            .as_ref()
            .is_none_or(|place| place.read().is_some())
    }
}

impl Deref for Said {
    type Target = Options;

    fn deref(&self) -> &Options {
        self.options.get_or_init(|| {
            let read = self.stored.as_ref().and_then(Place::read);
            Arc::new(read.unwrap_or_default())
        })
    }
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Said {}

/// Why there are no channels in what was stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unknown {
    #[error("unknown channel option {0}")]
    Option(String),
    #[error("the options of a channel lie nowhere")]
    Place,
}

impl From<Channels> for Stored {
    fn from(channels: Channels) -> Self {
        let mut names = Vec::new();
        let mut numbers: HashMap<ChannelOption, u16> = HashMap::new();
        let mut octets: Vec<u8> = Vec::new();
        let mut known: HashMap<Vec<u8>, (u32, u32)> = HashMap::new();
        let mut stored = Vec::with_capacity(channels.channels.len());
        for channel in channels.channels {
            let settings = channel.said.settings.iter().map(|(option, value)| {
                let name = *numbers.entry(*option).or_insert_with(|| {
                    names.push(option.name().to_owned());
                    u16::try_from(names.len() - 1).unwrap_or(u16::MAX)
                });
                (name, value.clone())
            });
            let said = encode(&StoredOptions {
                settings: settings.collect(),
                backoff: channel.said.backoff.clone(),
                notices: channel.said.notices.clone(),
            });
            let place = |octets: &[u8]| u32::try_from(octets.len()).unwrap_or(u32::MAX);
            let said = *known.entry(said).or_insert_with_key(|said| {
                let from = place(&octets);
                octets.extend(said);
                (from, place(&octets))
            });
            stored.push(StoredChannel {
                name: channel.name,
                official_host: channel.official_host,
                local_host_alias: channel.local_host_alias,
                hosts: channel.hosts,
                said,
                file: channel.options,
                group_words: channel.group_words,
            });
        }
        Self {
            names,
            said: Octets(octets),
            channels: stored,
        }
    }
}

impl TryFrom<Stored> for Channels {
    type Error = Unknown;

    fn try_from(stored: Stored) -> Result<Self, Unknown> {
        let names = stored.names.into_iter();
        let names = names.map(|name| ChannelOption::by_name(&name).ok_or(Unknown::Option(name)));
        let all = Arc::new(All {
            names: names.collect::<Result<_, Unknown>>()?,
            octets: stored.said.0,
        });
        let mut channels = Vec::with_capacity(stored.channels.len());
        for channel in stored.channels {
            let place = |at: u32| usize::try_from(at).map_err(|_| Unknown::Place);
            let (from, to) = (place(channel.said.0)?, place(channel.said.1)?);
            if all.octets.get(from..to).is_none() {
                return Err(Unknown::Place);
            }
            channels.push(Channel {
                name: channel.name,
                official_host: channel.official_host,
                local_host_alias: channel.local_host_alias,
                hosts: channel.hosts,
                said: Said {
                    options: OnceLock::new(),
                    stored: Some(Place {
                        all: Arc::clone(&all),
                        from,
                        to,
                    }),
                },
                options: channel.file,
                group_words: channel.group_words,
            });
        }
        Ok(channels.into())
    }
}
