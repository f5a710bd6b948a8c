//! Asking on a terminal for what is missing.

use super::Arguments;
use std::io::{BufRead, Write};

/// Asks for each required value that was not given, and for the accounts. An empty answer takes
/// the proposal in brackets; the end of input asks nothing more.
pub(super) fn complete(arguments: &mut Arguments) {
    if arguments.host.is_none() {
        let proposal = nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok());
        let proposal = proposal.filter(|name| name.contains('.'));
        arguments.host = ask("Fully qualified name of this host", proposal.as_deref());
    }
    if arguments.domains.is_empty() {
        let host = arguments.host.as_deref().unwrap_or_default();
        let proposal = host.split_once('.').map(|(_, domain)| domain.to_owned());
        let answer = ask("Mail domains, separated by commas", proposal.as_deref());
        let domains = answer.as_deref().unwrap_or_default().split(',');
        arguments.domains = domains
            .map(str::trim)
            .filter(|d| !d.is_empty())
            .map(str::to_owned)
            .collect();
    }
    if arguments.accounts.is_empty() {
        let answer = ask("Accounts to make, separated by commas", Some(""));
        let accounts = answer.as_deref().unwrap_or_default().split(',');
        arguments.accounts = accounts
            .map(str::trim)
            .filter(|a| !a.is_empty())
            .map(str::to_owned)
            .collect();
    }
    if arguments.postmaster.is_none() {
        let proposal = arguments
            .accounts
            .first()
            .map_or("", String::as_str)
            .to_owned();
        let answer = ask("Who gets the postmaster's mail", Some(&proposal));
        arguments.postmaster = answer.filter(|answer| !answer.is_empty());
    }
}

fn ask(question: &str, proposal: Option<&str>) -> Option<String> {
    let mut output = std::io::stdout().lock();
    let shown = match proposal {
        Some(proposal) if !proposal.is_empty() => format!("{question} [{proposal}]: "),
        Some(_) | None => format!("{question}: "),
    };
    // A prompt that cannot be shown is no reason not to read the answer.
    drop(
        output
            .write_all(shown.as_bytes())
            .and_then(|()| output.flush()),
    );
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) if line.trim().is_empty() => proposal.map(str::to_owned),
        Ok(_) => Some(line.trim().to_owned()),
    }
}
