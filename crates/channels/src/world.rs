//! A small server root for the tests of this crate: configuration, directory, queue.

use mta_channel::enqueue::Enqueuer;
use mta_config::{Config, ServerRoot};
use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Priority, Recipient};
use mta_envelope::names::{ChannelName, Place};
use mta_queue::enqueue::Plan;
use std::fs;
use std::sync::Arc;

/// Seconds.
pub(crate) const DAY: u64 = 86_400;

const CONFIG: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<configuration version="1">
<role>
<group name="base">
<option name="hostname" type="string">mail.example.com</option>
<option name="defaultdomain" type="string">example.com</option>
</group>
<group name="channel" id="defaults">
<option name="notices" type="list">1 2 4 7</option>
<option name="logging" type="novalue"/>
</group>
<group name="channel" id="l">
<option name="official_host_name" type="string">mail.example.com</option>
<option name="viaaliasrequired" type="novalue"/>
</group>
<group name="channel" id="ims-ms"><option name="official_host_name" type="string">ims-ms-daemon</option></group>
<group name="channel" id="tcp_local"><option name="official_host_name" type="string">tcp-daemon</option></group>
<group name="channel" id="process"><option name="official_host_name" type="string">process-daemon</option></group>
<group name="channel" id="conversion"><option name="official_host_name" type="string">conversion-daemon</option></group>
<group name="channel" id="reprocess"><option name="official_host_name" type="string">reprocess-daemon</option></group>
<group name="rewrite">
<option name="rule" type="rule"><pattern>$*</pattern><template>$A$E$F$U%$H$V$H@mail.example.com</template></option>
<option name="rule" type="rule"><pattern>mail.example.com</pattern><template>$U%$D@mail.example.com</template></option>
<option name="rule" type="rule"><pattern>ims-ms-daemon</pattern><template>$U%$H@ims-ms-daemon</template></option>
<option name="rule" type="rule"><pattern>.</pattern><template>$U%$H@tcp-daemon</template></option>
</group>
<group name="mapping" id="ORIG_SEND_ACCESS">
<option name="rule" type="rule"><pattern>tcp_local|*|tcp_local|*</pattern><template>$NRelaying$ not$ allowed</template></option>
</group>
<group name="mapping" id="FORWARD">
<option name="rule" type="rule"><pattern>forward@far.example</pattern><template>elsewhere@far.example$Y</template></option>
</group>
<group name="mapping" id="SEND_ACCESS">
<option name="rule" type="rule"><pattern>*|*|tcp_local|*@secret.example</pattern><template>$NNot$ there</template></option>
</group>
</role>
</configuration>
"#;

const DIRECTORY: &str = "\
dn: o=example.com
objectClass: mailDomain
sunPreferredDomain: example.com

dn: uid=ada,o=example.com
objectClass: inetMailUser
uid: ada
mail: ada@example.com

dn: cn=later,o=example.com
objectClass: inetMailGroup
mail: later@example.com
mailDeliveryOption: members_offline
mgrpRFC822MailMember: ada@example.com
mgrpRFC822MailMember: x@far.example

dn: cn=mixed,o=example.com
objectClass: inetMailGroup
mail: mixed@example.com
mailDeliveryOption: members_offline
mgrpRFC822MailMember: ada@example.com
mgrpRFC822MailMember: x@secret.example
mgrpRFC822MailMember: nobody@example.com
";

pub(crate) struct World {
    _dir: tempfile::TempDir,
    pub(crate) root: ServerRoot,
    pub(crate) enqueuer: Enqueuer,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(dir.path().to_owned());
        for directory in [root.config(), root.queue(), root.log(), root.db()] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(root.config_xml(), CONFIG).unwrap();
        fs::write(root.restricted(), "user=mailsrv\n").unwrap();
        fs::write(root.directory(), DIRECTORY).unwrap();
        let config = Arc::new(Config::load(&root).unwrap());
        let enqueuer = Enqueuer::new(config, &root, "test").unwrap();
        Self {
            _dir: dir,
            root,
            enqueuer,
        }
    }

    /// Seconds since 1970, by the clock that the programs go by.
    pub(crate) fn now(&self) -> u64 {
        mta_log::time::now_seconds()
    }

    pub(crate) fn envelope(sender: &str, arrived: u64, recipients: &[&str]) -> Envelope {
        let recipients = recipients.iter();
        Envelope {
            id: "ENVID@mail.example.com".into(),
            sender: Address::parse(sender).ok(),
            ret: None,
            source_channel: ChannelName::new("tcp_local").unwrap(),
            source_system: String::new(),
            user: String::new(),
            authenticated: None,
            arrived,
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: recipients
                .map(|text| Recipient::new(Address::parse(text).unwrap()))
                .collect(),
        }
    }

    pub(crate) fn enqueue(
        &self,
        channel: &str,
        sender: &str,
        arrived: u64,
        recipients: &[&str],
    ) -> Place {
        let mut draft = self.enqueuer.queue().draft(vec![Plan {
            channel: ChannelName::new(channel).unwrap(),
            subdirs: 0,
            envelope: Self::envelope(sender, arrived, recipients),
            held: None,
        }]);
        draft
            .header(b"Subject: lunch\n\n", None, Priority::Normal)
            .unwrap();
        draft.body(b"at noon\n").unwrap();
        draft.commit().unwrap().remove(0).place
    }

    pub(crate) fn hold(&self, channel: &str, place: &Place) {
        let channel = ChannelName::new(channel).unwrap();
        self.enqueuer.queue().hold(&channel, place, "test").unwrap();
    }

    /// Names and contents of the message files of a channel.
    pub(crate) fn files(&self, channel: &str) -> Vec<(String, String)> {
        let name = ChannelName::new(channel).unwrap();
        let directory = self.root.queue().join(channel);
        let found = self.enqueuer.queue().scan(&name);
        found
            .map(|found| {
                let path = directory.join(found.place.to_string());
                (
                    found.place.file.to_string(),
                    fs::read_to_string(path).unwrap(),
                )
            })
            .collect()
    }
}
