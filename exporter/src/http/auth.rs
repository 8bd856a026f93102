//! Basic authentication as Prometheus' exporter-toolkit does it: for every route, once users are configured.

use super::App;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;

/// Who called, for the journal.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) String);

/// The name that is journaled where no users are configured.
const ANONYMOUS: &str = "anonymous";

/// Compared with when the user is unknown, so that the answer takes as long as for a known one.
const NOBODY_HASH: &str = "$2b$10$Ubfl55xU.NZQJ8/EWkAdSOrrIy5GZghggL3UI8j4OxFOF45Q9c5vS";

/// Accepted headers that are remembered; a bcrypt check takes tens of milliseconds.
const MAX_REMEMBERED: usize = 256;

/// Checks passwords, and remembers which it has seen to be right.
pub(crate) struct Gate {
    users: HashMap<String, String>,
    accepted: Mutex<HashSet<(String, String)>>,
    /// Held for each check, so that guesses by the thousand take one core and not all of them.
    turn: Semaphore,
}

impl Default for Gate {
    /// Lets everybody in.
    fn default() -> Self {
        Self::new(HashMap::new())
    }
}

impl Gate {
    /// Guards with these user names and bcrypt hashes; lets everybody in when there are none.
    pub(crate) fn new(users: HashMap<String, String>) -> Self {
        Self {
            users,
            accepted: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    fn is_open(&self) -> bool {
        self.users.is_empty()
    }

    async fn admits(self: Arc<Self>, pair: (String, String)) -> bool {
        if self.remembered().contains(&pair) {
            return true;
        }
        let gate = Arc::clone(&self);
        let _turn = self.turn.acquire().await;
        let check = tokio::task::spawn_blocking(move || gate.verify(pair));
        check.await.unwrap_or(false)
    }

    fn verify(&self, (user, password): (String, String)) -> bool {
        let hash = self.users.get(&user);
        let matches = bcrypt::verify(&password, hash.map_or(NOBODY_HASH, String::as_str));
        let admitted = hash.is_some() && matches.unwrap_or(false);
        if admitted {
            let mut accepted = self.remembered();
            if accepted.len() >= MAX_REMEMBERED {
                accepted.clear();
            }
            accepted.insert((user, password));
        }
        admitted
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashSet<(String, String)>> {
        self.accepted
            .lock()
            .expect("no holder of this lock can panic")
    }
}

/// Lets a request pass with its caller's name noted, or answers 401.
pub(super) async fn authenticate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let gate = app.door.gate();
    if gate.is_open() {
        request
            .extensions_mut()
            .insert(Caller(ANONYMOUS.to_owned()));
        return next.run(request).await;
    }
    let Some(pair) = credentials(request.headers()) else {
        return refuse();
    };
    let caller = Caller(pair.0.clone());
    if !gate.admits(pair).await {
        return refuse();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    scheme
        .eq_ignore_ascii_case("basic")
        .then(|| (user.to_owned(), password.to_owned()))
}

fn refuse() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Basic")];
    (
        StatusCode::UNAUTHORIZED,
        challenge,
        "this server wants a user name and a password\n",
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Arc<Gate> {
        let hash = bcrypt::hash("secret", 4).unwrap();
        Arc::new(Gate::new(HashMap::from([("ann".to_owned(), hash)])))
    }

    async fn admits(gate: &Arc<Gate>, user: &str, password: &str) -> bool {
        let pair = (user.to_owned(), password.to_owned());
        Arc::clone(gate).admits(pair).await
    }

    #[tokio::test]
    async fn the_right_password_is_admitted_again_and_again() {
        let gate = gate();
        assert!(admits(&gate, "ann", "secret").await && admits(&gate, "ann", "secret").await);
        assert_eq!(gate.remembered().len(), 1);
    }

    #[tokio::test]
    async fn wrong_passwords_and_unknown_users_are_refused() {
        let gate = gate();
        assert!(!admits(&gate, "ann", "wrong").await && !admits(&gate, "bob", "secret").await);
        assert!(gate.remembered().is_empty());
    }

    #[test]
    fn the_hash_for_unknown_users_is_a_valid_one() {
        assert!(NOBODY_HASH.parse::<bcrypt::HashParts>().is_ok());
    }
}
