//! What a path asks for.

use crate::kinds::Kind;

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Version,
    /// The kinds of a group and version.
    Group(String, String),
    /// All objects of a kind, in a namespace or in the cluster.
    List(Place),
    /// One object, or a part of it.
    One(Place, String, Option<String>),
}

/// A kind, by a version, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) version: String,
    /// Empty for what is in none.
    pub(crate) namespace: String,
}

impl Route {
    /// Reads a path; none where there is nothing.
    pub(crate) fn of(path: &str, kinds: &[Kind]) -> Option<Self> {
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["version"] => return Some(Self::Version),
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            [] => return Some(Self::Group(group.to_owned(), version.to_owned())),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (plural, rest) = rest.split_first()?;
        let is_it = |kind: &&Kind| kind.has(group, version) && kind.plural == *plural;
        let place = Place {
            kind: kinds.iter().find(is_it)?.clone(),
            version: version.to_owned(),
            namespace: namespace.to_owned(),
        };
        match rest {
            [] => Some(Self::List(place)),
            [name] => Some(Self::One(place, (*name).to_owned(), None)),
            [name, part] => Some(Self::One(
                place,
                (*name).to_owned(),
                Some((*part).to_owned()),
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_objects_and_their_parts() {
        let kinds = Kind::built_in();
        let route = |path| Route::of(path, &kinds);
        assert_eq!(route("/version"), Some(Route::Version));
        assert_eq!(
            route("/apis/apps/v1"),
            Some(Route::Group("apps".to_owned(), "v1".to_owned()))
        );
        let Some(Route::One(place, name, part)) =
            route("/apis/apps/v1/namespaces/shop/deployments/api/scale")
        else {
            panic!("it is one object");
        };
        assert_eq!(
            (place.kind.name.as_str(), place.namespace.as_str()),
            ("Deployment", "shop")
        );
        assert_eq!((name.as_str(), part.as_deref()), ("api", Some("scale")));
        assert!(matches!(
            route("/api/v1/namespaces/shop"),
            Some(Route::One(..))
        ));
        assert!(matches!(
            route("/api/v1/namespaces/shop/pods"),
            Some(Route::List(_))
        ));
        assert_eq!(route("/apis/apps/v2/namespaces/shop/deployments"), None);
        assert_eq!(route("/metrics"), None);
    }
}
