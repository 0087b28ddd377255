//! The token of one credential, as long as it is good.
//!
//! Owns when a token is renewed and when it is over, and how long a refusal is believed. Promises
//! that an old token is used while its provider is away, and never after its end. Never fetches.

use super::AttemptFailure;
use super::token_endpoint::Granted;
use crate::diagnostic::{Diagnostic, SqlState};
use reqwest::header::HeaderValue;
use std::time::{Duration, Instant};

/// A token is renewed this long before it expires, or at four fifths of a short life.
const RENEWAL_AHEAD: Duration = Duration::from_secs(60);

/// How long a refusal of the identity provider is believed: a wrong secret tried with every
/// statement could lock the client out.
pub const REFUSAL_LIFETIME: Duration = Duration::from_secs(5);

/// `Bearer …`, as a header that is never printed.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub header: HeaderValue,
    /// Tells tokens apart without looking at them; 0 for a token that nobody fetches.
    pub generation: u64,
}

impl Bearer {
    /// # Errors
    /// `Stop`: no token looks like that.
    pub fn new(token: &str, generation: u64) -> Result<Self, AttemptFailure> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.trim()))
            .ok()
            .filter(|_| !token.trim().is_empty())
            .ok_or_else(|| AttemptFailure::Stop {
                reason: Box::new(
                    Diagnostic::error(
                        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                        "the token for CDF is empty or holds characters that no token has",
                    )
                    .with_hint(
                        "Check where the token comes from: a line break or a quote is enough.",
                    ),
                ),
            })?;
        header.set_sensitive(true);
        Ok(Bearer { header, generation })
    }
}

#[derive(Clone, Debug)]
struct Token {
    bearer: Bearer,
    renew_at: Instant,
    expires_at: Instant,
}

/// What is known of one credential's token.
#[derive(Debug, Default)]
pub struct Slot {
    token: Option<Token>,
    generations: u64,
    refusal: Option<(Instant, Box<Diagnostic>)>,
}

impl Slot {
    /// The answer that needs no fetch: a token that is fresh, or a refusal that is believed.
    pub fn known(&self, now: Instant) -> Option<Result<Bearer, AttemptFailure>> {
        if let Some(token) = &self.token
            && now < token.renew_at
        {
            return Some(Ok(token.bearer.clone()));
        }
        self.believed_refusal(now).map(Err)
    }

    /// The refusal that keeps everybody from asking again.
    pub fn believed_refusal(&self, now: Instant) -> Option<AttemptFailure> {
        let (refused_at, reason) = self.refusal.as_ref()?;
        (now < *refused_at + REFUSAL_LIFETIME).then(|| AttemptFailure::Stop {
            reason: reason.clone(),
        })
    }

    /// Takes what came, by `now`, of a fetch that began at `asked_at`.
    ///
    /// # Errors
    /// That of the fetch, unless the old token still works.
    pub fn take(
        &mut self,
        fetched: Result<Granted, AttemptFailure>,
        asked_at: Instant,
        now: Instant,
    ) -> Result<Bearer, AttemptFailure> {
        match fetched {
            Ok(granted) => self.store(&granted, asked_at),
            Err(failure) => {
                // Renewal is early: the old token still works while its provider is away.
                if let (AttemptFailure::Retry { .. }, Some(token)) = (&failure, &self.token)
                    && now < token.expires_at
                {
                    return Ok(token.bearer.clone());
                }
                if let AttemptFailure::Stop { reason } = &failure {
                    self.refusal = Some((now, reason.clone()));
                }
                Err(failure)
            }
        }
    }

    fn store(&mut self, granted: &Granted, asked_at: Instant) -> Result<Bearer, AttemptFailure> {
        self.generations += 1;
        let bearer = Bearer::new(&granted.access_token, self.generations)?;
        let early = |life: Duration| life.saturating_sub(RENEWAL_AHEAD.min(life / 5));
        // Whichever comes first: the token ends, or CDF wants the session renewed.
        let renew_in = match granted.renew_within {
            Some(within) => early(granted.lifetime).min(early(within)),
            None => early(granted.lifetime),
        };
        self.refusal = None;
        self.token = Some(Token {
            bearer: bearer.clone(),
            renew_at: asked_at + renew_in,
            expires_at: asked_at + granted.lifetime,
        });
        Ok(bearer)
    }

    /// Drops the token, unless it is a newer one than that of `generation`.
    pub fn discard(&mut self, generation: u64) {
        if self
            .token
            .as_ref()
            .is_some_and(|token| token.bearer.generation == generation)
        {
            self.token = None;
        }
    }

    /// Drops the token, whichever it is.
    pub fn clear(&mut self) {
        self.token = None;
    }

    /// Whether nothing in it can be of use at `now`.
    pub fn is_spent(&self, now: Instant) -> bool {
        let has_token = self.token.as_ref();
        has_token.is_none_or(|token| token.expires_at <= now)
            && self.believed_refusal(now).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(token: &str, lifetime_s: u64, renew_within_s: Option<u64>) -> Granted {
        Granted {
            access_token: token.to_owned(),
            lifetime: Duration::from_secs(lifetime_s),
            renew_within: renew_within_s.map(Duration::from_secs),
        }
    }

    /// A slot with a token, and the time some seconds after it was granted.
    fn holding(granted: Granted) -> (Slot, impl Fn(u64) -> Instant) {
        let (mut slot, start) = (Slot::default(), Instant::now());
        assert!(slot.take(Ok(granted), start, start).is_ok());
        (slot, move |seconds| start + Duration::from_secs(seconds))
    }

    fn away() -> AttemptFailure {
        AttemptFailure::Retry {
            retry_after: None,
            answered: true,
            status: None,
            throttle: None,
            reason: Box::new(Diagnostic::error(SqlState::CONNECTION_FAILURE, "away")),
        }
    }

    fn refused() -> AttemptFailure {
        AttemptFailure::Stop {
            reason: Box::new(Diagnostic::error(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "refused",
            )),
        }
    }

    #[test]
    fn a_token_is_renewed_a_minute_before_its_end() {
        let (slot, after) = holding(granted("token", 3_600, None));
        assert!(slot.known(after(3_539)).is_some());
        assert!(slot.known(after(3_540)).is_none());
    }

    #[test]
    fn a_short_token_is_renewed_at_four_fifths_of_its_life() {
        let (slot, after) = holding(granted("token", 100, None));
        assert!(slot.known(after(79)).is_some());
        assert!(slot.known(after(80)).is_none());
    }

    #[test]
    fn a_session_that_must_be_renewed_early_is_and_its_token_lives_on_meanwhile() {
        let (mut slot, after) = holding(granted("token", 3_600, Some(600)));
        assert!(slot.known(after(539)).is_some());
        assert!(slot.known(after(540)).is_none());
        let bearer = slot.take(Err(away()), after(540), after(600));
        assert!(bearer.is_ok_and(|bearer| bearer.generation == 1));
    }

    #[test]
    fn a_token_to_be_renewed_is_used_while_its_provider_is_away_and_not_after_its_end() {
        let (mut slot, after) = holding(granted("token", 3_600, None));
        assert!(slot.take(Err(away()), after(3_590), after(3_599)).is_ok());
        let failure = slot.take(Err(away()), after(3_590), after(3_600));
        assert_eq!(failure.expect_err("it has expired").class(), "retry");
    }

    #[test]
    fn a_token_that_its_provider_refuses_to_renew_is_not_used_any_more() {
        let (mut slot, after) = holding(granted("token", 3_600, None));
        let failure = slot.take(Err(refused()), after(3_550), after(3_551));
        assert_eq!(failure.expect_err("it was refused").class(), "stop");
        let known = slot.known(after(3_552)).expect("the refusal is known");
        assert_eq!(known.expect_err("it was refused").class(), "stop");
    }

    #[test]
    fn a_refusal_is_believed_for_five_seconds_and_no_longer() {
        let (mut slot, start) = (Slot::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(slot.take(Err(refused()), start, start).is_err());
        assert!(slot.known(after(4)).is_some_and(|known| known.is_err()));
        assert!(!slot.is_spent(after(4)));
        assert!(slot.known(after(5)).is_none());
        assert!(slot.is_spent(after(5)));
    }

    #[test]
    fn only_the_token_that_was_rejected_is_dropped() {
        let (mut slot, after) = holding(granted("first", 3_600, None));
        let second = slot.take(Ok(granted("second", 3_600, None)), after(1), after(1));
        assert!(second.is_ok());
        slot.discard(1);
        assert!(slot.known(after(2)).is_some());
        slot.discard(2);
        assert!(slot.known(after(2)).is_none());
    }
}
