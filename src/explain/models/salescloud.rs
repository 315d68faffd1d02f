//! SalesCloud: application, public key, organization and body between colons.

use super::{Model, ORDERS, bare, header, in_other_case, missing, unset};
use crate::{
    explain::{
        Case,
        cause::{Cause, Choices},
        ways::Written,
    },
    message::Message,
};
use http::{HeaderName, header::AUTHORIZATION};

static APPLICATION: HeaderName = HeaderName::from_static("salescloud-application");
static PUBLIC_KEY: HeaderName = HeaderName::from_static("salescloud-application-public-key");
static ORGANIZATION: HeaderName = HeaderName::from_static("salescloud-organization");

const DOCUMENTED: &str = "sign `application:public_key:organization:body`";

pub(super) fn model(case: &Case<'_>, _: &Message<'_>) -> Model {
    let headers = &case.head.headers;
    let mut noticed = Vec::new();
    let presented = match header(headers, &AUTHORIZATION) {
        Some(value) => Some(behind_word(&value, &mut noticed)),
        None => {
            noticed.push(missing(&AUTHORIZATION));
            None
        }
    };
    noticed.extend(
        [&APPLICATION, &PUBLIC_KEY].into_iter().filter(|name| !headers.contains_key(*name)).map(missing),
    );
    let [application, public_key] =
        [&APPLICATION, &PUBLIC_KEY].map(|name| header(headers, name).unwrap_or_default());
    let organization = header(headers, &ORGANIZATION);
    if organization.as_deref().is_some_and(|text| text.trim().is_empty()) {
        noticed.push(Cause::new(
            "organization_empty",
            "`salescloud-organization` is empty",
            "leave the header out where no organization is meant",
        ));
    }
    let mut model = Model::new(presented, Written::Base64, "<app>:<key>:<org>:<body>", case);
    model.noticed = noticed;
    model.key_id = Some(application.clone()).filter(|name| !name.is_empty());
    model.mistaken.push(("public key", public_key.clone()));
    model.mistaken.push(("application id", application.clone()));
    let mut applications = Choices::new(application.clone().into_bytes());
    in_other_case(&mut applications, "application_case", "the application", &application);
    model.field("app", applications);
    let mut keys = Choices::new(public_key.clone().into_bytes());
    in_other_case(&mut keys, "public_key_case", "the public key", &public_key);
    unset(&mut keys, "public_key_unset", "the public key");
    model.field("key", keys);
    let text = organization.unwrap_or_default();
    let mut organizations = Choices::new(text.clone().into_bytes());
    in_other_case(&mut organizations, "organization_case", "the organization", &text);
    unset(&mut organizations, "organization_unset", "the organization");
    organizations.or(
        text.replace('-', "").into_bytes(),
        Cause::new(
            "organization_dashes",
            "the organization was signed without its dashes",
            "sign what is sent",
        ),
    );
    if let Some(own) = &case.organization {
        let cause = Cause::new(
            "organization_differs",
            "another organization was signed than is sent",
            "send in `SalesCloud-Organization` what was signed",
        );
        organizations.or(own.clone().into_bytes(), cause);
    }
    model.field("org", organizations);
    shapes(&mut model);
    model
}

/// The signature behind the scheme word, and what is wrong with the word.
fn behind_word(value: &str, noticed: &mut Vec<Cause>) -> String {
    let (word, token) = value.trim().split_once(' ').unwrap_or(("", value));
    if !word.eq_ignore_ascii_case("App") {
        let found = match word {
            "" => "`Authorization` has no scheme word".to_owned(),
            "Bearer" | "Basic" => format!("`Authorization` has the scheme word `{word}`"),
            // It may be a signature, or part of one.
            _ => "`Authorization` has another scheme word".to_owned(),
        };
        noticed.push(Cause::new("scheme_word", found, "send `Authorization: App SIGNATURE`"));
    }
    bare(token, noticed)
}

/// Other ways of putting the parts together.
fn shapes(model: &mut Model) {
    let parts = ["<app>", "<key>", "<org>"];
    let names = ["application", "public_key", "organization"];
    for order in ORDERS {
        let text = format!("{}:<body>", order.map(|at| parts[at]).join(":"));
        let found =
            format!("the parts were signed in the order {}, body", order.map(|at| names[at]).join(", "));
        model.template(text, Cause::new("parts_reordered", found, DOCUMENTED));
    }
    let found = "the body was signed before the other parts";
    model.template("<body>:<app>:<key>:<org>", Cause::new("parts_reordered", found, DOCUMENTED));
    for (text, what) in [
        ("<app>:<key>:<body>", "organization"),
        ("<app>:<org>:<body>", "public_key"),
        ("<key>:<org>:<body>", "application"),
        ("<app>:<body>", "public_key and organization"),
    ] {
        let change = if what == "organization" {
            "without an organization its place stays empty: `application:public_key::body`"
        } else {
            DOCUMENTED
        };
        model.template(text, Cause::new("part_missing", format!("{what} and its colon are missing"), change));
    }
    model.template("<app>:<key>:<org>:", Cause::new("body_left_out", "the body was not signed", DOCUMENTED));
    model.template("<app>:<key>:<org>", Cause::new("body_left_out", "the body was not signed", DOCUMENTED));
    model.template("<body>", Cause::new("only_body", "only the body was signed", DOCUMENTED));
    for separator in ["", ".", "|", ",", "\n", ": ", "::"] {
        let text = ["<app>", "<key>", "<org>", "<body>"].join(separator);
        let found = format!("the parts were joined by {separator:?}");
        model.template(text, Cause::new("separator", found, DOCUMENTED));
    }
}
