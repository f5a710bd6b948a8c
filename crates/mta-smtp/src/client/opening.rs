//! From the banner to a peer that is ready for MAIL FROM.

use crate::extension::Extensions;
use crate::reply::Reply;
use crate::sasl;

/// When EHLO is said rather than HELO (channel options `ehlo`, `checkehlo`, `noehlo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EhloUse {
    /// Unless the banner contains `fire away`.
    #[default]
    UnlessFireAway,
    /// Always.
    Always,
    /// If the banner contains `ESMTP`.
    IfEsmtp,
    /// Never.
    Never,
}

/// Whether TLS is used (`notls`, `maytls`, `musttls`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsUse {
    /// Not even if offered.
    #[default]
    Never,
    /// If offered.
    May,
    /// Or nothing is sent.
    Must,
}

/// Whether AUTH is used (`nosasl`, `maysasl`, `mustsasl`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AuthUse {
    /// Not even if offered.
    #[default]
    Never,
    /// If PLAIN is offered.
    May {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// Or nothing is sent.
    Must {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

/// How we behave towards a host.
#[derive(Debug, Clone, Default)]
pub struct Manners {
    /// Our name in HELO and EHLO.
    pub name: String,
    /// EHLO or HELO.
    pub ehlo: EhloUse,
    /// TLS.
    pub tls: TlsUse,
    /// AUTH.
    pub auth: AuthUse,
    /// Keep what is said, for a debug log.
    pub transcript: bool,
}

/// A server that is ready for mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// The text of its banner, behind the code.
    pub banner: String,
    /// What its last EHLO listed.
    pub extensions: Extensions,
    /// TLS is on.
    pub tls: bool,
    /// AUTH succeeded.
    pub authenticated: bool,
}

/// Why a server cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// The banner was not 2yz.
    #[error("greeting refused: {}", .0.one_line())]
    Banner(Reply),
    /// HELO (or EHLO, and HELO after it) was refused.
    #[error("HELO refused: {}", .0.one_line())]
    Hello(Reply),
    /// TLS is a must and not offered.
    #[error("remote server does not offer TLS, which is required")]
    NoTls,
    /// TLS is a must, offered and refused.
    #[error("STARTTLS refused: {}", .0.one_line())]
    TlsRefused(Reply),
    /// AUTH is a must and PLAIN not offered.
    #[error("remote server does not offer AUTH PLAIN, which is required")]
    NoAuth,
    /// AUTH is a must, and TLS, which is wanted, could not be had.
    #[error("AUTH PLAIN is required, and not sent without TLS")]
    AuthNeedsTls,
    /// The credentials were refused.
    #[error("AUTH refused: {}", .0.one_line())]
    AuthRefused(Reply),
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum OpeningStep {
    /// Send this line and give the reply to [`Opening::reply`].
    Send(String),
    /// Drop all input, do a handshake, call [`Opening::tls_started`].
    StartTls,
    /// Mail may go.
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Banner,
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Ready,
}

/// The opening of one connection. Begins with waiting for the banner.
#[derive(Debug)]
pub struct Opening<'a> {
    manners: &'a Manners,
    state: State,
    peer: Peer,
}

impl<'a> Opening<'a> {
    /// Nothing has been said.
    #[must_use]
    pub fn new(manners: &'a Manners) -> Self {
        Self {
            manners,
            state: State::Banner,
            peer: Peer::default(),
        }
    }

    /// The banner as far as it is known, for the log of a connection that failed later.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The peer, once [`OpeningStep::Ready`] was reached.
    #[must_use]
    pub fn into_peer(self) -> Peer {
        self.peer
    }

    /// Takes the next reply.
    ///
    /// # Errors
    /// [`OpeningError`]: the connection is of no use.
    pub fn reply(&mut self, reply: Reply) -> Result<OpeningStep, OpeningError> {
        match self.state {
            State::Banner => {
                self.peer.banner = reply.text();
                if !reply.is_positive() {
                    return Err(OpeningError::Banner(reply));
                }
                Ok(self.hello())
            }
            State::Ehlo if reply.is_positive() => {
                self.peer.extensions = Extensions::from_ehlo(&reply);
                self.after_hello()
            }
            State::Ehlo if reply.code == 421 => Err(OpeningError::Hello(reply)),
            State::Ehlo => Ok(self.helo()),
            State::Helo if reply.is_positive() => {
                self.peer.extensions = Extensions::default();
                self.after_hello()
            }
            State::Helo => Err(OpeningError::Hello(reply)),
            State::StartTls if reply.is_positive() => Ok(OpeningStep::StartTls),
            State::StartTls if self.manners.tls == TlsUse::Must || reply.code == 421 => {
                Err(OpeningError::TlsRefused(reply))
            }
            State::StartTls => self.after_tls(),
            State::Auth if reply.is_positive() => {
                self.peer.authenticated = true;
                Ok(self.ready())
            }
            State::Auth if self.may_do_without_auth() && reply.code != 421 => Ok(self.ready()),
            State::Auth => Err(OpeningError::AuthRefused(reply)),
            State::Ready => Ok(OpeningStep::Ready),
        }
    }

    /// The handshake succeeded: whatever was learned before is forgotten.
    pub fn tls_started(&mut self) -> OpeningStep {
        self.peer.tls = true;
        self.peer.extensions = Extensions::default();
        self.ehlo()
    }

    fn hello(&mut self) -> OpeningStep {
        let banner = self.peer.banner.to_ascii_lowercase();
        let extended = match self.manners.ehlo {
            EhloUse::UnlessFireAway => !banner.contains("fire away"),
            EhloUse::Always => true,
            EhloUse::IfEsmtp => banner.contains("esmtp"),
            EhloUse::Never => false,
        };
        if extended { self.ehlo() } else { self.helo() }
    }

    fn ehlo(&mut self) -> OpeningStep {
        self.state = State::Ehlo;
        OpeningStep::Send(format!("EHLO {}\r\n", self.manners.name))
    }

    fn helo(&mut self) -> OpeningStep {
        self.state = State::Helo;
        OpeningStep::Send(format!("HELO {}\r\n", self.manners.name))
    }

    fn after_hello(&mut self) -> Result<OpeningStep, OpeningError> {
        let wanted = self.manners.tls != TlsUse::Never && !self.peer.tls;
        if wanted && self.peer.extensions.starttls {
            self.state = State::StartTls;
            return Ok(OpeningStep::Send("STARTTLS\r\n".to_owned()));
        }
        if wanted && self.manners.tls == TlsUse::Must {
            return Err(OpeningError::NoTls);
        }
        self.after_tls()
    }

    fn after_tls(&mut self) -> Result<OpeningStep, OpeningError> {
        let offered = self.peer.extensions.auth.iter().any(|name| name == "PLAIN");
        // PLAIN is the password itself: in clear it goes only where nobody asked for TLS.
        let exposed = !self.peer.tls && self.manners.tls != TlsUse::Never;
        match &self.manners.auth {
            AuthUse::Must { .. } if offered && exposed => Err(OpeningError::AuthNeedsTls),
            AuthUse::May { user, password } | AuthUse::Must { user, password }
                if offered && !exposed =>
            {
                self.state = State::Auth;
                let response = sasl::plain_response(user, password);
                Ok(OpeningStep::Send(format!("AUTH PLAIN {response}\r\n")))
            }
            AuthUse::Must { .. } => Err(OpeningError::NoAuth),
            AuthUse::Never | AuthUse::May { .. } => Ok(self.ready()),
        }
    }

    const fn may_do_without_auth(&self) -> bool {
        matches!(self.manners.auth, AuthUse::May { .. })
    }

    fn ready(&mut self) -> OpeningStep {
        self.state = State::Ready;
        OpeningStep::Ready
    }
}
