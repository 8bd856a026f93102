//! The pages of actions: plain HTML that needs neither Grafana nor JavaScript.

mod card;
mod chart;
mod detail;
mod forms;
mod list;
mod token;
mod unattended;
mod words;

use super::{App, actions, auth};
use crate::{config::Right, http::Caller, visible::visible_lines};
use axum::{
    Extension, Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use list::ListQuery;
use minijinja::{
    Environment, Output, State as Rendering, UndefinedBehavior, Value, context, escape_formatter,
};
use remediation::ControlError;
use serde::Serialize;
use std::sync::Arc;
use store::{ActionId, StoreError};
use token::Tokens;

const STYLE: &str = include_str!("templates/style.css");

const TEMPLATES: [(&str, &str); 6] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("chart.html", include_str!("templates/chart.html")),
    ("list.html", include_str!("templates/list.html")),
    ("detail.html", include_str!("templates/detail.html")),
    ("refusal.html", include_str!("templates/refusal.html")),
];

/// Nothing is loaded but our own style, nothing runs, nothing frames us, and forms go to us alone.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// What all pages are made with.
pub(super) struct Pages {
    templates: Environment<'static>,
    tokens: Tokens,
}

/// How a page is reached from where another stands, so that a proxy may put the server under any path.
#[derive(Debug, Clone, Copy, Serialize)]
struct Place {
    /// Before the identifier of an action.
    actions: &'static str,
    /// The list of actions.
    list: &'static str,
}

/// Seen from `/actions`.
const ON_LIST: Place = Place {
    actions: "actions/",
    list: "actions",
};

/// Seen from `/actions/ID`.
const ON_ACTION: Place = Place {
    actions: "",
    list: "../actions",
};

/// Seen from `/actions/ID/DECISION`.
const ON_DECISION: Place = Place {
    actions: "../",
    list: "../../actions",
};

/// The routes of the pages.
pub(super) fn router() -> Router<Arc<App>> {
    let permit = |right| middleware::from_fn_with_state(right, auth::permit);
    let reading = Router::new()
        .route("/actions", get(show_list))
        .route("/actions/style.css", get(style))
        .route("/actions/{id}", get(show_action))
        .route_layer(permit(Right::Read));
    // Who may decide is asked by the forms themselves, which answer with a page.
    let deciding = Router::new()
        .route("/actions/kill-switch", post(forms::turn_kill_switch))
        .route("/actions/{id}/{decision}", post(forms::decide));
    reading
        .merge(deciding)
        .route_layer(middleware::map_response(guard))
        .layer(Extension(Arc::new(Pages::new())))
}

impl Pages {
    fn new() -> Self {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_trim_blocks(true);
        templates.set_lstrip_blocks(true);
        templates.set_formatter(show);
        for (name, source) in TEMPLATES {
            let added = templates.add_template(name, source);
            added.expect("the templates are part of the program");
        }
        Self {
            templates,
            tokens: Tokens::new(),
        }
    }

    /// Renders a template for a caller.
    fn render(&self, template: &str, page: &Page<'_>, content: impl Serialize) -> Response {
        let Page {
            caller,
            place,
            title,
        } = page;
        let values = context! {
            place, title,
            user => caller.name,
            role => caller.role.as_str(),
            may_decide => caller.role.may(Right::Decide),
            version => env!("CARGO_PKG_VERSION"),
            it => minijinja::Value::from_serialize(content),
        };
        let found = self.templates.get_template(template);
        match found.and_then(|template| template.render(values)) {
            Ok(text) => Html(text).into_response(),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(template, error, "a page cannot be made");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "this page cannot be made: see the log\n",
                )
                    .into_response()
            }
        }
    }

    /// A page that says why something was not done.
    fn refuse(&self, page: &Page<'_>, status: StatusCode, sentence: &str) -> Response {
        let content = context! { sentence };
        let mut response = self.render("refusal.html", page, content);
        if response.status().is_success() {
            *response.status_mut() = status;
        }
        response
    }
}

/// Who looks at which page.
struct Page<'a> {
    caller: &'a Caller,
    place: Place,
    title: &'a str,
}

/// Writes a value with all that could turn or hide text made visible; templates isolate it besides, by `<bdi>`.
fn show(
    out: &mut Output<'_>,
    state: &Rendering<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() => {
            escape_formatter(out, state, &Value::from(visible_lines(text)))
        }
        _ => escape_formatter(out, state, value),
    }
}

async fn show_list(
    State(app): State<Arc<App>>,
    Extension(pages): Extension<Arc<Pages>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Response {
    let Query(query) = query.unwrap_or_default();
    let mut page = Page {
        caller: &caller,
        place: ON_LIST,
        title: "Actions",
    };
    match list::list(&app, &pages.tokens, &caller.name, &query).await {
        Ok(content) => {
            let title = content.title();
            page.title = &title;
            pages.render("list.html", &page, content)
        }
        Err(error) => refused(&pages, &page, error),
    }
}

async fn show_action(
    State(app): State<Arc<App>>,
    Extension(pages): Extension<Arc<Pages>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Response {
    let mut page = Page {
        caller: &caller,
        place: ON_ACTION,
        title: "Action",
    };
    let id: ActionId = match id.parse() {
        Ok(id) => id,
        Err(error) => return pages.refuse(&page, StatusCode::BAD_REQUEST, &format!("{error}")),
    };
    let record = app.remediation.record_up_to(id, detail::MAX_ALERTS);
    match record.await {
        Ok(record) => {
            let token = pages.tokens.issue(&caller.name, &id.to_string());
            let chart = chart::chart(&app, &record.action).await;
            let content = detail::detail(&record, &app.remediation, chart, token, app.now());
            let title = format!("{} · Actions", content.headline());
            page.title = &title;
            pages.render("detail.html", &page, content)
        }
        Err(error) => refused(&pages, &page, error),
    }
}

fn refused(pages: &Pages, page: &Page<'_>, error: StoreError) -> Response {
    let error = ControlError::from(error);
    let status = actions::status(&error);
    pages.refuse(page, status, &format!("{:#}", anyhow::Error::new(error)))
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, STYLE).into_response()
}

/// What browsers are told about every page.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // `no-referrer` would make browsers hide the origin of our own forms as well.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let cache: HeaderName = header::CACHE_CONTROL;
    headers
        .entry(cache)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
