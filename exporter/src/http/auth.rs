//! Basic authentication as Prometheus' exporter-toolkit does it, for every route once users are configured; and
//! what each caller may do.

use super::{App, HEALTHY, failure, origin};
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
    ops::Range,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;

/// Who called, for the journal, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Whether a password or a certificate proves the name.
    pub(crate) is_known: bool,
}

/// The name that is journaled where no users are configured.
const ANONYMOUS: &str = "anonymous";

/// Salt of hashes that are made for the time that they take.
const SALT: [u8; 16] = *b"takes its time..";

/// Accepted headers that are remembered; a bcrypt check takes tens of milliseconds.
const MAX_REMEMBERED: usize = 256;

/// Checks passwords, and remembers which it has seen to be right.
pub(crate) struct Gate {
    users: HashMap<String, String>,
    roles: Roles,
    accepted: Mutex<HashSet<(String, String)>>,
    /// The highest cost of a user's hash, which every refusal takes; none without users.
    max_cost: Option<u32>,
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
        let costs = users.values().filter_map(|hash| cost(hash));
        let max_cost = costs.max();
        Self {
            max_cost,
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
        let matches = hash.map(|hash| bcrypt::verify(&password, hash));
        let admitted = matches.is_some_and(|matches| matches.unwrap_or(false));
        if !admitted {
            self.take_time(hash.and_then(|hash| cost(hash)));
        }
        if admitted {
            let mut accepted = self.remembered();
            if accepted.len() >= MAX_REMEMBERED {
                accepted.clear();
            }
            accepted.insert((user, password));
        }
        admitted
    }

    /// Works for as long as is left of the time that the most costly hash takes, so that no refusal tells whether
    /// there is such a user. A step of the cost doubles the work.
    fn take_time(&self, spent: Option<u32>) {
        for cost in self.costs_left(spent) {
            // Nobody asks for the hash.
            let _ = std::hint::black_box(bcrypt::hash_with_salt(b"nobody", cost, SALT));
        }
    }

    /// Costs of hashes whose work together makes up for what was not spent.
    fn costs_left(&self, spent: Option<u32>) -> Range<u32> {
        match (self.max_cost, spent) {
            (None, _) => 0..0,
            (Some(max), None) => max..max + 1,
            (Some(max), Some(spent)) => spent..max,
        }
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
        certified.and_then(|Certified(name)| name.clone())
    } else {
        let Some(pair) = credentials(request.headers()) else {
            return refuse();
        };
        let name = pair.0.clone();
        if !Arc::clone(&gate).admits(pair).await {
            return refuse();
        }
        Some(name)
    };
    let is_known = name.is_some();
    let name = name.unwrap_or_else(|| ANONYMOUS.to_owned());
    let caller = Caller {
        role: gate.roles.of(&name),
        name,
        is_known,
    };
    request.extensions_mut().insert(caller);
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

/// Lets a request pass that was sent to a name of this server, where nothing else tells who is let in. Probes may ask
/// for health under any name.
pub(super) async fn by_our_name(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path() != HEALTHY
        && let Some(own) = app.door.own_names()
        && let Err(sentence) = origin::check_name(request.headers(), request.uri(), &own)
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

fn cost(hash: &str) -> Option<u32> {
    let parts = hash.parse::<bcrypt::HashParts>();
    parts.ok().map(|parts| parts.get_cost())
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
        let users = HashMap::from([("ann".to_owned(), bcrypt::hash("secret", 10).unwrap())]);
        let gate = Arc::new(Gate::new(users, Roles::default()));
        tokio::select! {
            biased;
            // A check takes milliseconds at least.
            _ = admits(&gate, "bob", "secret") => panic!("nothing was checked"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(gate.turn.available_permits(), 0);
        let turn = gate.turn.acquire().await;
        assert!(turn.is_ok(), "the turn comes back");
    }

    #[test]
    fn a_refusal_takes_the_work_of_the_most_costly_hash_for_any_name() {
        let users = [("cheap", 4), ("dear", 7)];
        let users = users.map(|(user, cost)| (user.to_owned(), bcrypt::hash("x", cost).unwrap()));
        let gate = Gate::new(HashMap::from(users), Roles::default());
        for user in ["cheap", "dear", "nobody"] {
            let spent = gate.users.get(user).and_then(|hash| cost(hash));
            let all = spent.into_iter().chain(gate.costs_left(spent));
            let work: u32 = all.map(|cost| 1 << cost).sum();
            assert_eq!(work, 1 << 7, "{user}");
            assert!(!gate.verify((user.to_owned(), "wrong".to_owned())));
        }
        assert_eq!(Gate::default().costs_left(None), 0..0);
    }
}
