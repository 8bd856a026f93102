//! Basic authentication as Prometheus' exporter-toolkit does it, for every route once users are configured; and
//! what each caller may do.

use super::{App, failure, origin};
use crate::{
    certified::Certified,
    config::{Right, Role, Roles},
};
use axum::{
    Extension,
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

/// Who called, for the journal, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// The name that is journaled where no users are configured.
const ANONYMOUS: &str = "anonymous";

/// Compared with when the user is unknown, so that the answer takes as long as for a known one.
const NOBODY_HASH: &str = "$2b$10$Ubfl55xU.NZQJ8/EWkAdSOrrIy5GZghggL3UI8j4OxFOF45Q9c5vS";

/// Accepted headers that are remembered; a bcrypt check takes tens of milliseconds.
const MAX_REMEMBERED: usize = 256;

/// Checks passwords, and remembers which it has seen to be right.
pub(crate) struct Gate {
    users: HashMap<String, String>,
    roles: Roles,
    accepted: Mutex<HashSet<(String, String)>>,
    /// Held for each check, so that guesses by the thousand take one core and not all of them.
    turn: Arc<Semaphore>,
}

impl Default for Gate {
    /// Lets everybody in.
    fn default() -> Self {
        Self::new(HashMap::new(), Roles::default())
    }
}

impl Gate {
    /// Guards with these user names and bcrypt hashes; lets everybody in when there are none.
    pub(crate) fn new(users: HashMap<String, String>, roles: Roles) -> Self {
        Self {
            users,
            roles,
            accepted: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Whether nobody has to give a password.
    pub(crate) fn is_open(&self) -> bool {
        self.users.is_empty()
    }

    async fn admits(self: Arc<Self>, pair: (String, String)) -> bool {
        if self.remembered().contains(&pair) {
            return true;
        }
        let gate = Arc::clone(&self);
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let check = tokio::task::spawn_blocking(move || {
            // Goes with the check: a caller who hangs up does not end it.
            let _turn = turn;
            gate.verify(pair)
        });
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

/// Lets a request pass with its caller noted, or answers 401.
pub(super) async fn authenticate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let gate = app.door.gate();
    let name = if gate.is_open() {
        let certified = request.extensions().get::<Certified>();
        let name = certified.and_then(|Certified(name)| name.clone());
        name.unwrap_or_else(|| ANONYMOUS.to_owned())
    } else {
        let Some(pair) = credentials(request.headers()) else {
            return refuse();
        };
        let name = pair.0.clone();
        if !Arc::clone(&gate).admits(pair).await {
            return refuse();
        }
        name
    };
    let role = gate.roles.of(&name);
    request.extensions_mut().insert(Caller { name, role });
    next.run(request).await
}

/// Lets a request pass whose caller may do this, or answers 403. What changes something is not taken from the
/// page of another site.
pub(super) async fn permit(
    State(right): State<Right>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    if !caller.role.may(right) {
        return failure(StatusCode::FORBIDDEN, not_permitted(&caller, right));
    }
    if right != Right::Read
        && let Err(sentence) = origin::check(request.headers())
    {
        return failure(StatusCode::FORBIDDEN, sentence);
    }
    next.run(request).await
}

/// Lets a request pass that was sent to a name of this server, where nothing else tells who is let in.
pub(super) async fn by_our_name(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(own) = app.door.own_name()
        && let Err(sentence) = origin::check_name(request.headers(), request.uri(), own)
    {
        return failure(StatusCode::FORBIDDEN, sentence);
    }
    next.run(request).await
}

/// Why a caller may not do something.
pub(super) fn not_permitted(caller: &Caller, right: Right) -> String {
    let (name, role) = (&caller.name, caller.role.as_str());
    let whose = match right {
        Right::Read => "read is for viewers and operators",
        Right::Decide => "decide is for operators",
        Right::Send => "deliver alerts is for senders and operators",
    };
    format!("{name} is a {role} here, and to {whose}: see `roles` in the web configuration file")
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
        let users = HashMap::from([("ann".to_owned(), hash)]);
        Arc::new(Gate::new(users, Roles::default()))
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

    #[tokio::test]
    async fn a_caller_who_hangs_up_keeps_the_turn_until_the_check_is_over() {
        let gate = gate();
        tokio::select! {
            biased;
            // An unknown user's check takes tens of milliseconds at least.
            _ = admits(&gate, "bob", "secret") => panic!("nothing was checked"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(gate.turn.available_permits(), 0);
        let turn = gate.turn.acquire().await;
        assert!(turn.is_ok(), "the turn comes back");
    }

    #[test]
    fn the_hash_for_unknown_users_is_a_valid_one() {
        assert!(NOBODY_HASH.parse::<bcrypt::HashParts>().is_ok());
    }
}
