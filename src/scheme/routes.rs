//! Routes: the methods and paths on which a signature is accepted when it does not cover them itself.

use crate::error::ConfigError;
use http::Method;
use memchr::memchr;

/// A method and a path template.
///
/// A template is a path whose segments are literal or a `{name}` that stands for one non-empty segment. It is compared
/// with the raw path, segment by segment: nothing is decoded, so `%2F` never separates and `//` never vanishes. `GET`
/// does not imply `HEAD`.
#[derive(Clone, Debug)]
pub struct Route {
    method: Method,
    segments: Vec<TemplateSegment>,
    /// What every path of this shape begins with, and in which segment that ends.
    prefix: (Box<str>, usize),
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum TemplateSegment {
    Literal(Box<str>),
    Named(Box<str>),
}

impl Route {
    /// Makes a route from a template like `/{organization}/graphql`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RouteTemplate`] if the template does not start with `/` or a `{name}` is not a whole segment.
    pub fn new(method: Method, template: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::RouteTemplate { given: template.to_owned() };
        let path = template.strip_prefix('/').ok_or_else(wrong)?;
        let segments = path
            .split('/')
            .map(|segment| TemplateSegment::parse(segment).ok_or_else(wrong))
            .collect::<Result<_, _>>()?;
        let prefix = template.split('{').next().unwrap_or_default();
        Ok(Self { method, segments, prefix: (prefix.into(), prefix.matches('/').count() - 1) })
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the path has this template's shape.
    #[must_use]
    pub fn matches_path(&self, path: &str) -> bool {
        let (prefix, known) = &self.prefix;
        let Some(rest) = path.strip_prefix(&**prefix) else { return false };
        // A prefix without a name after it is the whole template.
        let Some(open) =
            self.segments.get(*known..).filter(|open| open.iter().any(TemplateSegment::is_named))
        else {
            return rest.is_empty();
        };
        let mut given = segments(rest);
        open.iter().all(|segment| match (segment, given.next()) {
            (TemplateSegment::Literal(literal), Some(given)) => **literal == *given,
            (TemplateSegment::Named(_), Some(given)) => !given.is_empty(),
            (_, None) => false,
        }) && given.next().is_none()
    }

    /// The segment of `path` that stands in the place of `{name}`.
    #[must_use]
    pub fn named<'p>(&self, name: &str, path: &'p str) -> Option<&'p str> {
        segments(path.strip_prefix('/').unwrap_or(path)).nth(self.place_of(name)?)
    }

    /// Whether one of the segments is `{name}`.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.place_of(name).is_some()
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        let is_it = |segment: &_| matches!(segment, TemplateSegment::Named(named) if **named == *name);
        self.segments.iter().position(is_it)
    }
}

/// What stands between the slashes of a path, or of the end of one.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let path = rest?;
        let end = memchr(b'/', path.as_bytes());
        rest = end.map(|end| &path[end + 1..]);
        Some(&path[..end.unwrap_or(path.len())])
    })
}

impl TemplateSegment {
    const fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    fn parse(segment: &str) -> Option<Self> {
        match segment.strip_prefix('{').map(|rest| rest.strip_suffix('}')) {
            None if segment.contains(['{', '}']) => None,
            None => Some(Self::Literal(segment.into())),
            Some(Some(name)) if !name.is_empty() && !name.contains(['{', '}']) => {
                Some(Self::Named(name.into()))
            }
            Some(_) => None,
        }
    }
}

/// The routes of a scheme or a verifier.
#[derive(Clone, Debug)]
pub enum Routes {
    /// Any path; these methods. For schemes whose signature covers the path.
    AnyPath(Vec<Method>),
    /// These routes and no other, without a query: for schemes whose signature covers neither.
    Only(Vec<Route>),
    /// The same, for schemes whose credentials stand in the query: parameters of these names, and no others.
    WithQuery(Vec<Route>, &'static [&'static str]),
}

impl Routes {
    /// Whether a request of this method, path and query may arrive here.
    #[must_use]
    pub fn allow(&self, method: &Method, path: &str, query: &str) -> bool {
        match self {
            Self::AnyPath(methods) => methods.contains(method),
            Self::Only(_) => query.is_empty() && self.open(method, path),
            Self::WithQuery(_, names) => {
                let known = |pair: &str| names.contains(&pair.split('=').next().unwrap_or_default());
                query.split('&').all(known) && self.open(method, path)
            }
        }
    }

    fn open(&self, method: &Method, path: &str) -> bool {
        self.matching(path).any(|route| route.method() == method)
    }

    /// Adds a route. Where any path will do, there is nothing to add.
    pub(super) fn push(&mut self, route: Route) {
        match self {
            Self::AnyPath(_) => {}
            Self::Only(routes) | Self::WithQuery(routes, _) => routes.push(route),
        }
    }

    /// The routes whose template has the shape of `path`.
    pub fn matching<'r>(&'r self, path: &'r str) -> impl Iterator<Item = &'r Route> {
        self.listed().iter().filter(move |route| route.matches_path(path))
    }

    /// The routes one by one; none if any path will do.
    #[must_use]
    pub fn listed(&self) -> &[Route] {
        match self {
            Self::AnyPath(_) => &[],
            Self::Only(routes) | Self::WithQuery(routes, _) => routes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(template: &str) -> Route {
        Route::new(Method::POST, template).unwrap()
    }

    #[test]
    fn a_template_matches_raw_segments_and_nothing_else() {
        let route = post("/{organization}/graphql");
        assert!(route.matches_path("/acme/graphql"));
        assert_eq!(route.named("organization", "/acme/graphql"), Some("acme"));
        for path in
            ["/graphql", "//graphql", "/acme/graphql/", "/a/b/graphql", "/acme%2Fgraphql", "/acme/Graphql"]
        {
            assert!(!route.matches_path(path), "{path}");
        }
        assert!(post("/").matches_path("/"));
        assert!(!post("/").matches_path("//"));
    }

    #[test]
    fn routes_close_methods_paths_and_queries() {
        let routes = Routes::Only(vec![post("/graphql"), Route::new(Method::GET, "/files/{file}").unwrap()]);
        assert!(routes.allow(&Method::POST, "/graphql", ""));
        assert!(routes.allow(&Method::GET, "/files/a.json", ""));
        assert!(!routes.allow(&Method::HEAD, "/files/a.json", ""));
        assert!(!routes.allow(&Method::GET, "/graphql", ""));
        assert!(!routes.allow(&Method::POST, "/graphql", "a=1"));
        assert!(!routes.allow(&Method::POST, "/other", ""));
        let routes = Routes::WithQuery(vec![post("/hook")], &["sig", "time"]);
        for (query, open) in [
            ("sig=1&time=2", true),
            ("time=2&sig=1", true),
            ("sig", true),
            ("", false),
            ("sig=1&time=2&", false),
            ("sig=1&&time=2", false),
            ("sig=1&time=2&a=1", false),
            ("s%69g=1", false),
            ("SIG=1", false),
        ] {
            assert_eq!(routes.allow(&Method::POST, "/hook", query), open, "{query}");
            assert!(!routes.allow(&Method::GET, "/hook", query), "{query}");
        }
    }

    #[test]
    fn templates_that_cannot_be_meant_are_refused() {
        for template in ["", "graphql", "/a{b}", "/{}", "/{a", "/a}", "/{a}{b}"] {
            assert!(Route::new(Method::POST, template).is_err(), "{template:?}");
        }
    }
}
