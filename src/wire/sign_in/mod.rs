//! Sign-in: who a client is, by the method that the rules choose for it.
//!
//! 1. `rules` choose the method; `failures` bound how often it may fail.
//! 2. `scram_exchange` checks a password; `by_token` checks an access token, which comes as a
//!    password or as a [`bearer`] message.
//! 3. `message` reads what the client sends meanwhile.
//!
//! Owns the order of these. Promises that what the client sends before it is known is bounded, that
//! tokens are asked for over TLS only, and that nobody learns from an answer which names exist. Never
//! decides what a user may do.

mod bearer;
mod by_token;
mod failures;
mod message;
mod rules;
mod scram_exchange;

pub use rules::{ClientCertificate, SignInMethod, SignInRule};

use self::failures::Failures;
use self::rules::{Decision, Stranger, choose};
use super::ending::Ending;
use super::listener::WireSettings;
use super::look_alikes::LookAlikes;
use super::reply::put;
use super::tls::TlsIdentity;
use super::transport::Transport;
use super::user::{GatewayUser, Users};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::oidc::TokenCheck;
use crate::telemetry::{ConnectionEnd, ConnectionMeters, SignInFailure};
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use pgwire::messages::startup::Authentication;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Checks sign-ins for all connections.
pub(super) struct Authenticator {
    users: Users,
    look_alikes: LookAlikes,
    /// For connections without TLS, where libpq refuses a server that offers channel binding.
    plain: ScramServerAuth,
    rules: Vec<SignInRule>,
    failures: Failures,
    /// `None` without issuers; then no rule asks for tokens.
    tokens: Option<Arc<TokenCheck>>,
    /// How long a session goes on after its token has expired.
    token_grace: Duration,
}

/// Somebody who wants in, and what is needed to judge it.
struct Applicant<'a> {
    user: &'a str,
    address: IpAddr,
    message_bytes_max: u32,
    meters: &'a ConnectionMeters,
    failures: &'a Failures,
}

/// Who signed in.
pub(super) struct SignedIn {
    pub(super) user: Arc<GatewayUser>,
    /// When the session must end, because the token that opened it has expired.
    pub(super) ends_at: Option<Instant>,
}

/// Why somebody did not.
enum Refused {
    /// To be counted, and told.
    Counted(SignInFailure, Box<Diagnostic>),
    /// The connection is over already, and counted.
    Ended(Ending),
}

impl Refused {
    fn counted(failure: SignInFailure, diagnostic: Box<Diagnostic>) -> Self {
        Refused::Counted(failure, diagnostic)
    }
}

impl From<Ending> for Refused {
    fn from(ending: Ending) -> Self {
        Refused::Ended(ending)
    }
}

impl Applicant<'_> {
    /// Whether another try may be judged.
    fn may_try(&self) -> Result<(), Refused> {
        self.failures
            .may_try(self.user, self.address)
            .map_err(|wait| {
                tracing::warn!(
                    address = %self.address,
                    user = %self.user,
                    "a sign-in is refused unjudged: too many before it failed"
                );
                let diagnostic = Diagnostic::fatal(
                    SqlState::TOO_MANY_CONNECTIONS,
                    "too many sign-ins have failed",
                )
                .with_hint(format!(
                    "Correct the password or token, and try again in {} seconds.",
                    wait.as_secs() + 1
                ));
                Refused::counted(SignInFailure::Throttled, Box::new(diagnostic))
            })
    }

    fn failed(&self) {
        self.failures.failed(self.user, self.address);
    }
}

impl Authenticator {
    pub(super) fn new(users: Users, settings: &WireSettings) -> Self {
        let rules = match settings.sign_in.as_slice() {
            [] => vec![SignInRule::password_for_everybody()],
            rules => rules.to_vec(),
        };
        Authenticator {
            look_alikes: settings.look_alikes.clone().among(&users),
            users,
            plain: ScramServerAuth::new(),
            rules,
            failures: Failures::new(settings.sign_in_failures.clone()),
            tokens: settings.tokens.clone(),
            token_grace: Duration::from_secs(settings.timeouts.token_grace_s),
        }
    }

    /// Lets the client prove that it is `user`; `tls` is what its handshake was made with.
    ///
    /// # Errors
    /// FATAL: 28000 where the rules do not let it in, 28P01 for a wrong password, an unknown user
    /// or a bad token, 53300 after too many failures, 08P01 for messages that make no sense.
    pub(super) async fn sign_in(
        &self,
        transport: &mut Transport,
        (user, database): (&str, &str),
        address: IpAddr,
        tls: Option<&TlsIdentity>,
        message_bytes_max: u32,
        meters: &ConnectionMeters,
    ) -> Result<SignedIn, Ending> {
        let applicant = Applicant {
            user,
            address: address.to_canonical(),
            message_bytes_max,
            meters,
            failures: &self.failures,
        };
        let signed_in = self.judge(transport, database, tls, &applicant).await;
        match signed_in {
            Ok(signed_in) => {
                put(&mut transport.output, &Authentication::Ok);
                self.failures.succeeded(user, applicant.address);
                Ok(signed_in)
            }
            Err(Refused::Counted(failure, diagnostic)) => {
                meters.sign_ins_failed.add(failure, 1);
                Err(Ending::with_words(ConnectionEnd::SignInFailed, diagnostic))
            }
            Err(Refused::Ended(ending)) => Err(ending),
        }
    }

    async fn judge(
        &self,
        transport: &mut Transport,
        database: &str,
        tls: Option<&TlsIdentity>,
        applicant: &Applicant<'_>,
    ) -> Result<SignedIn, Refused> {
        let stranger = Stranger {
            user: applicant.user,
            database,
            address: applicant.address,
            is_encrypted: transport.is_encrypted(),
        };
        let rule = match choose(&self.rules, &stranger) {
            Decision::Rule(rule) => rule,
            Decision::TlsNeeded => return Err(tls_needed(applicant.user)),
            Decision::NoRule => return Err(no_rule(&stranger)),
        };
        if rule.method == SignInMethod::Reject {
            return Err(rejected(&stranger));
        }
        check_certificate(rule.client_certificate, transport, applicant.user)?;
        applicant.may_try()?;
        match (&rule.method, &self.tokens) {
            (SignInMethod::Token { issuer }, Some(tokens)) => {
                let token_user =
                    by_token::as_password(transport, tokens, issuer.as_deref(), applicant).await?;
                Ok(self.signed_in_by_token(token_user, applicant.user))
            }
            (SignInMethod::Oauth { issuer, scope }, Some(tokens)) => {
                let token_user =
                    by_token::as_bearer(transport, tokens, issuer, scope, applicant).await?;
                Ok(self.signed_in_by_token(token_user, applicant.user))
            }
            (SignInMethod::Scram, _) => self.by_password(transport, tls, applicant).await,
            // The configuration has no such rule without issuers.
            _ => Err(rejected(&stranger)),
        }
    }

    async fn by_password(
        &self,
        transport: &mut Transport,
        tls: Option<&TlsIdentity>,
        applicant: &Applicant<'_>,
    ) -> Result<SignedIn, Refused> {
        let scram = match tls {
            Some(tls) if transport.is_encrypted() => tls.scram(),
            _ => &self.plain,
        };
        let user = self.users.find(applicant.user);
        // Made for every name, so that known names take no less work.
        let look_alike = self.look_alikes.of(applicant.user);
        let verifier = user.as_ref().map_or(&look_alike, |user| &user.scram);
        scram_exchange::run(transport, scram, verifier, user.is_some(), applicant).await?;
        let user = user.ok_or_else(|| Refused::Ended(Ending::silent(ConnectionEnd::Fault)))?;
        Ok(SignedIn {
            user,
            ends_at: None,
        })
    }

    fn signed_in_by_token(&self, token_user: crate::oidc::TokenUser, name: &str) -> SignedIn {
        let leeway = Duration::from_secs(token_user.leeway_s);
        let expires = Duration::from_secs(token_user.expires_at_s) + self.token_grace.max(leeway);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        SignedIn {
            user: Arc::new(GatewayUser {
                name: name.to_owned(),
                // Nobody has its password.
                scram: self.look_alikes.of(name),
                identity: token_user.identity,
                barred: None,
                modes: token_user.modes,
            }),
            ends_at: Some(Instant::now() + expires.saturating_sub(now)),
        }
    }
}

/// Asks for the certificate that the rule wants; the handshake has checked who signed it.
fn check_certificate(
    wanted: ClientCertificate,
    transport: &Transport,
    user: &str,
) -> Result<(), Refused> {
    let refuse = |message: String| {
        let diagnostic = Diagnostic::fatal(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message);
        Refused::counted(SignInFailure::ClientCertificate, Box::new(diagnostic))
    };
    if wanted == ClientCertificate::Any {
        return Ok(());
    }
    let Some(name) = transport.client_certificate_name() else {
        return Err(refuse(
            "connection requires a valid client certificate".to_owned(),
        ));
    };
    if wanted == ClientCertificate::VerifyFull && name.as_deref() != Some(user) {
        return Err(refuse(format!(
            "certificate authentication failed for user \"{user}\""
        )));
    }
    Ok(())
}

fn tls_needed(user: &str) -> Refused {
    let diagnostic = Diagnostic::fatal(
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        format!("user \"{user}\" can sign in with TLS only"),
    )
    .with_hint("Connect with sslmode=require, or sslmode=verify-full.");
    Refused::counted(SignInFailure::TlsRequired, Box::new(diagnostic))
}

fn rejected(stranger: &Stranger<'_>) -> Refused {
    refused_by_rules("a sign-in rule rejects the connection", stranger)
}

fn no_rule(stranger: &Stranger<'_>) -> Refused {
    refused_by_rules("no sign-in rule is for the connection", stranger)
}

fn refused_by_rules(message: &str, stranger: &Stranger<'_>) -> Refused {
    let diagnostic = Diagnostic::fatal(
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        format!(
            "{message} from {}: user \"{}\", database \"{}\", {}",
            stranger.address,
            stranger.user,
            stranger.database,
            match stranger.is_encrypted {
                true => "with TLS",
                false => "without TLS",
            }
        ),
    );
    Refused::counted(SignInFailure::Rejected, Box::new(diagnostic))
}
