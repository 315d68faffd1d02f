//! Ateliere: a JSON object of URL, body and organization.

mod urls;

use super::{Model, ORDERS, bare, header, in_other_case, missing, unset};
use crate::{
    explain::{
        Case,
        cause::{Cause, Choices},
        json::Escapes,
        template::Template,
        ways::Written,
    },
    message::Message,
};
use http::{HeaderMap, HeaderName};

static KEY_ID: HeaderName = HeaderName::from_static("oz-key-id");
static SIGNATURE: HeaderName = HeaderName::from_static("oz-signature");
static SLUG: HeaderName = HeaderName::from_static("x-organization-slug");

/// The members of the object, in the documented order.
const URL: &str = r#""url":"<"scheme"><"url">""#;
const BODY: &str = r#""body":"<"body">""#;
const ORGANIZATION: &str = r#""organization_slug":"<"slug">""#;

pub(super) fn model(case: &Case<'_>, message: &Message<'_>) -> Model {
    let headers = &case.head.headers;
    let mut noticed = Vec::new();
    let presented = match header(headers, &SIGNATURE) {
        Some(text) => Some(bare(&text, &mut noticed)),
        None => misplaced(headers, &mut noticed),
    };
    noticed.extend([&KEY_ID, &SLUG].into_iter().filter(|name| !headers.contains_key(*name)).map(missing));
    let slug = header(headers, &SLUG).or_else(|| case.organization.clone()).unwrap_or_default();
    let mut model = Model::new(presented, Written::Hex, &object([URL, BODY, ORGANIZATION]), case);
    model.noticed = noticed;
    model.key_id = header(headers, &KEY_ID);
    model.mistaken.push(("key id", header(headers, &KEY_ID).unwrap_or_default()));
    model.mistaken.push(("organization", slug.clone()));
    let mut web = Choices::new(Vec::new());
    for scheme in ["https://", "http://", "//"] {
        web.or(
            scheme.into(),
            Cause::new(
                "url_scheme_kept",
                "the scheme was left in the URL",
                "strip `^https?://` before building the payload",
            ),
        );
    }
    model.field("scheme", web);
    model.field("url", urls::urls(case, message));
    let mut slugs = Choices::new(slug.clone().into_bytes());
    in_other_case(&mut slugs, "organization_case", "the organization slug", &slug);
    unset(&mut slugs, "organization_unset", "the organization slug");
    if let Some(own) = &case.organization {
        slugs.or(
            own.clone().into_bytes(),
            Cause::new(
                "organization_differs",
                "another organization was signed than is sent",
                "send in `X-Organization-Slug` the slug that was signed",
            ),
        );
    }
    model.field("slug", slugs);
    writings(&mut model);
    contents(&mut model);
    model
}

/// A signature in another header than its own.
fn misplaced(headers: &HeaderMap, noticed: &mut Vec<Cause>) -> Option<String> {
    noticed.push(missing(&SIGNATURE));
    for name in
        ["x-oz-signature", "oz_signature", "x-signature", "signature", "x-hub-signature-256", "authorization"]
    {
        if let Some(value) = headers.get(name) {
            noticed.pop();
            noticed.push(Cause::new(
                "header_other",
                format!("the signature stands in `{name}`"),
                format!("send it in `{SIGNATURE}`"),
            ));
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let last = text.rsplit(' ').next().unwrap_or_default().to_owned();
            return Some(bare(&last, noticed));
        }
    }
    None
}

fn object(members: [&str; 3]) -> String {
    format!("{{{}}}", members.join(","))
}

/// The object, written in other ways.
fn writings(model: &mut Model) {
    let documented = [URL, BODY, ORGANIZATION];
    let order = |order: [usize; 3]| order.map(|at| documented[at]);
    let names = ["url", "body", "organization_slug"];
    for other in ORDERS {
        let found = format!("the object was signed in the order {}", other.map(|at| names[at]).join(", "));
        let change = "build the object in the documented order: url, body, organization_slug";
        model.template(object(order(other)), Cause::new("key_order", found, change));
    }
    let spaced = |members: [&str; 3]| {
        let members = members.map(|member| member.replacen("\":", "\": ", 1));
        format!("{{{}}}", members.join(", "))
    };
    let sorted = order([1, 2, 0]);
    let change = "write the object as `JSON.stringify` does: no spaces, nothing escaped that need not be; \
                  in Python `json.dumps(…, separators=(',', ':'), ensure_ascii=False)`";
    for (text, escapes, hypothesis, found) in [
        (
            spaced(documented),
            Escapes::Ascii,
            "json_python",
            "the object was written by Python's `json.dumps`",
        ),
        (
            spaced(documented),
            Escapes::Js,
            "json_spaces",
            "the object was written with spaces behind `:` and `,`",
        ),
        (
            spaced(sorted),
            Escapes::Ascii,
            "json_python_sorted",
            "the object was written by Python's `json.dumps(…, sort_keys=True)`",
        ),
        (
            object(documented),
            Escapes::Ascii,
            "json_ascii",
            "the object was written with all but ASCII escaped",
        ),
        (
            object(documented),
            Escapes::Php,
            "json_php",
            "the object was written by PHP's `json_encode`, which escapes `/`",
        ),
        (
            object(documented),
            Escapes::Go,
            "json_go",
            "the object was written by Go's `json.Marshal`, which escapes `<`, `>` and `&`",
        ),
        (
            object(sorted),
            Escapes::Go,
            "json_go_map",
            "the object was written by Go's `json.Marshal` from a map, which sorts",
        ),
    ] {
        model.templates.or(Template::new(text).with_escapes(escapes), Cause::new(hypothesis, found, change));
    }
    for indent in ["  ", "    "] {
        let members = documented.map(|member| format!("\n{indent}{}", member.replacen("\":", "\": ", 1)));
        let cause = Cause::new("json_pretty", "the object was written on several lines", change);
        model.template(format!("{{{}\n}}", members.join(",")), cause);
    }
}

/// Another object, or none.
fn contents(model: &mut Model) {
    for (body, hypothesis, found) in [
        (
            r#""body":<body>"#,
            "body_as_object",
            "the body was put into the object as a value, not as a string",
        ),
        (r#""body":"""#, "body_left_out", "the body was signed as the empty string"),
        (r#""body":null"#, "body_left_out", "the body was signed as `null`"),
        (r#""body":{}"#, "body_left_out", "the body was signed as `{}`"),
    ] {
        let cause = Cause::new(hypothesis, found, "`body` is the text of the body, as a JSON string");
        model.template(object([URL, body, ORGANIZATION]), cause);
    }
    for name in
        ["organizationSlug", "organization", "organization-slug", "slug", "org_slug", "x-organization-slug"]
    {
        let member = format!("\"{name}\":\"<\"slug\">\"");
        let cause = Cause::new(
            "member_name",
            format!("the organization was signed under the name `{name}`"),
            "name it `organization_slug`",
        );
        model.template(object([URL, BODY, &member]), cause);
    }
    for (left, what) in [(0, "url"), (1, "body"), (2, "organization_slug")] {
        let members: Vec<_> =
            (0..3).filter(|at| *at != left).map(|at| [URL, BODY, ORGANIZATION][at]).collect();
        let cause = Cause::new(
            "member_missing",
            format!("`{what}` is missing from the object"),
            "sign url, body and organization_slug",
        );
        model.template(format!("{{{}}}", members.join(",")), cause);
    }
    let payload = "sign `JSON.stringify({url, body, organization_slug})`";
    model.template("<body>", Cause::new("only_body", "only the body was signed", payload));
    for separator in ["", ":", "\n", ".", "|", ","] {
        let text = ["<scheme><url>", "<body>", "<slug>"].join(separator);
        model.template(
            text,
            Cause::new("concatenated", "the values were joined instead of being put into JSON", payload),
        );
    }
}
