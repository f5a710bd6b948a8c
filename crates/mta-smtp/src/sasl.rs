//! SASL mechanisms that carry a name and a password: PLAIN (RFC 4616) and LOGIN.
//!
//! [`Exchange`] is the server's side, line by line; [`plain_response`] the client's. Lines are
//! capped before they come here, so an exchange never grows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest base64 line of an exchange (RFC 4954 §4).
pub const MAX_LINE: usize = 12_288;

/// A mechanism we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// PLAIN.
    Plain,
    /// LOGIN, obsolete and still what many clients use.
    Login,
}

impl Mechanism {
    /// Both, in the order of the EHLO list.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanism of that name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let same = |mechanism: &Self| mechanism.name().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(same)
    }
}

/// What a client claims to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whom it wants to act as (PLAIN's authorization identity); usually nobody else.
    pub authorization: Option<String>,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    /// Leaves the password out: these values end up in debug logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("authorization", &self.authorization)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What the server says next in an exchange.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send `334` with this text, which is base64 already.
    Challenge(&'static str),
    /// The client has said everything.
    Complete(Credentials),
    /// Not base64, or not what the mechanism demands.
    Malformed,
}

/// The server's side of an exchange under way.
#[derive(Debug)]
pub enum Exchange {
    /// PLAIN: its only response is expected.
    Plain,
    /// LOGIN: the user name is expected.
    LoginUser,
    /// LOGIN: the password is expected.
    LoginPassword {
        /// The name that came before.
        user: String,
    },
}

impl Exchange {
    /// Begins, with the initial response if the AUTH command had one (`=` is an empty one).
    #[must_use]
    pub fn begin(mechanism: Mechanism, initial: Option<&str>) -> (Self, Progress) {
        let mut exchange = match mechanism {
            Mechanism::Plain => Self::Plain,
            Mechanism::Login => Self::LoginUser,
        };
        let progress = match (initial, mechanism) {
            (Some("="), _) => exchange.respond(""),
            (Some(response), _) => exchange.respond(response),
            (None, Mechanism::Plain) => Progress::Challenge(""),
            (None, Mechanism::Login) => Progress::Challenge("VXNlcm5hbWU6"),
        };
        (exchange, progress)
    }

    /// Takes the client's next line.
    pub fn respond(&mut self, line: &str) -> Progress {
        let Some(text) = decode(line) else {
            return Progress::Malformed;
        };
        match self {
            Self::Plain => plain(&text).map_or(Progress::Malformed, Progress::Complete),
            Self::LoginUser => {
                *self = Self::LoginPassword { user: text };
                Progress::Challenge("UGFzc3dvcmQ6")
            }
            Self::LoginPassword { user } => Progress::Complete(Credentials {
                authorization: None,
                user: std::mem::take(user),
                password: text,
            }),
        }
    }
}

/// The user that an initial response names, before anything is checked; empty if there is no
/// such response or it cannot be read.
#[must_use]
pub fn claimed_user(mechanism: Mechanism, initial: Option<&str>) -> String {
    let Some(text) = initial.and_then(decode) else {
        return String::new();
    };
    match mechanism {
        Mechanism::Plain => plain(&text).map_or_else(String::new, |named| named.user),
        Mechanism::Login => text,
    }
}

fn decode(line: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(line).ok()?).ok()
}

fn plain(text: &str) -> Option<Credentials> {
    let mut parts = text.split('\0');
    let (authorization, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || user.is_empty() {
        return None;
    }
    Some(Credentials {
        authorization: Some(authorization.to_owned()).filter(|name| !name.is_empty()),
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

/// The initial response of PLAIN.
#[must_use]
pub fn plain_response(user: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{user}\0{password}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initial_response_names_its_user() {
        let plain = STANDARD.encode("z\0ada\0secret");
        let login = STANDARD.encode("ada");
        for (mechanism, initial, user) in [
            (Mechanism::Plain, Some(plain.as_str()), "ada"),
            (Mechanism::Login, Some(login.as_str()), "ada"),
            (Mechanism::Login, None, ""),
            (Mechanism::Plain, Some("="), ""),
            (Mechanism::Plain, Some("nonsense"), ""),
        ] {
            assert_eq!(claimed_user(mechanism, initial), user, "{initial:?}");
        }
    }

    #[test]
    fn plain_needs_three_parts_and_a_user() {
        let ok = plain_response("ada", "secret");
        let (_, progress) = Exchange::begin(Mechanism::Plain, Some(&ok));
        let Progress::Complete(credentials) = progress else {
            panic!("{progress:?}");
        };
        assert_eq!(
            (credentials.user.as_str(), credentials.password.as_str()),
            ("ada", "secret")
        );
        for text in ["", "ada", "\0ada", "\0\0secret", "\0a\0b\0c"] {
            let (_, progress) = Exchange::begin(Mechanism::Plain, Some(&STANDARD.encode(text)));
            assert_eq!(progress, Progress::Malformed, "{text:?}");
        }
        for text in ["=", "####", "YQ", "/w=="] {
            let (_, progress) = Exchange::begin(Mechanism::Plain, Some(text));
            assert_eq!(progress, Progress::Malformed, "{text:?}");
        }
    }

    #[test]
    fn login_asks_for_name_and_password() {
        let (mut exchange, progress) = Exchange::begin(Mechanism::Login, None);
        assert_eq!(progress, Progress::Challenge("VXNlcm5hbWU6"));
        let progress = exchange.respond(&STANDARD.encode("ada"));
        assert_eq!(progress, Progress::Challenge("UGFzc3dvcmQ6"));
        let Progress::Complete(credentials) = exchange.respond(&STANDARD.encode("secret")) else {
            panic!("complete");
        };
        assert_eq!(credentials.user, "ada");
    }

    #[test]
    fn a_password_is_never_printed() {
        let credentials = Credentials {
            authorization: None,
            user: "ada".into(),
            password: "secret".into(),
        };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
