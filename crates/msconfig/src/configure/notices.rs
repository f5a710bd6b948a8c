//! The templates of notices, in English: what a fresh installation has in `config/`.

/// File name and text of each template. `%H`, `%R`, `%C`, `%L`, `%U`, `%s` are filled in when a
/// notice is made.
pub(super) const TEMPLATES: [(&str, &str); 9] = [
    (
        "return_prefix.txt",
        "Content-type: text/plain; charset=us-ascii\n\
         Content-language: EN-US\n\
         \n\
         This report relates to a message you sent with the following header fields:%H\n",
    ),
    (
        "return_failed.txt",
        "Your message cannot be delivered to the following recipients:%R\n",
    ),
    (
        "return_bounced.txt",
        "Your message is being returned. It was forced to return by the postmaster.\n\
         \n\
         The recipient list for this message was:%R\n",
    ),
    (
        "return_timedout.txt",
        "Your message could not be delivered after %C %U%s and has been returned.\n\
         It was addressed to:%R\n",
    ),
    (
        "return_deferred.txt",
        "Delivery of your message has been deferred for the following recipients:%R\n",
    ),
    (
        "return_delayed.txt",
        "Your message has been enqueued and undeliverable for %C %U%s\n\
         to the following recipients:%R\n\
         \n\
         The mail system will continue to try to deliver your message\n\
         for an additional %L %U%s.\n",
    ),
    (
        "return_delivered.txt",
        "Your message has been successfully delivered to the following recipients:%R\n",
    ),
    (
        "return_forwarded.txt",
        "Your message has been successfully relayed to the following recipients,\n\
         but the systems beyond may not confirm delivery:%R\n",
    ),
    ("return_suffix.txt", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_substitutions_are_known() {
        for (name, text) in TEMPLATES {
            for line in text.lines() {
                assert!(line.len() <= 78, "{name}: {line}");
            }
            for code in text.split('%').skip(1) {
                let letter = code.chars().next().unwrap();
                assert!("HRCLFSsUu%".contains(letter), "{name}: %{letter}");
            }
        }
    }
}
