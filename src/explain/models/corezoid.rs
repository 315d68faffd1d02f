//! Corezoid: time, secret, body and the secret again.

use super::{Model, bare};
use crate::{
    explain::{
        Case,
        cause::{Cause, Choices},
        ways::Written,
    },
    message::Message,
};

const DOCUMENTED: &str = "sign `time + secret + body + secret`";
const SAME_TIME: &str =
    "take the time once, in whole Unix seconds, and put the same text into path and signature";

pub(super) fn model(case: &Case<'_>, message: &Message<'_>) -> Option<Model> {
    let mut noticed = Vec::new();
    let path = message.path();
    let whole = path.trim_end_matches('/');
    if whole.len() < path.len() {
        noticed.push(Cause::new(
            "path_slash",
            "a slash stands behind the signature",
            "end the path with the signature",
        ));
    }
    let mut segments = whole.rsplit('/');
    let (signature, mut time, mut login) = (segments.next()?, segments.next()?, segments.next()?);
    if signature.len() < 20 {
        return None;
    }
    let seconds = |text: &str| text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds(login) && !seconds(time) {
        (time, login) = (login, time);
        noticed.push(Cause::new(
            "path_order",
            "time and login stand in the path in the wrong order",
            "end the path with `{login}/{time}/{signature}`",
        ));
    }
    let presented = bare(signature, &mut noticed);
    let mut model = Model::new(Some(presented), Written::AnyHex, "<time><secret><body><secret>", case);
    model.noticed = noticed;
    model.key_id = Some(login.to_owned());
    model.mistaken.push(("API login", login.to_owned()));
    let times = times(time, &mut model.noticed);
    model.field("time", times);
    model.field("login", Choices::new(login.as_bytes().to_vec()));
    for (text, hypothesis, found) in [
        ("<time><secret><body>", "secret_once", "the secret stands before the body only"),
        ("<time><body><secret>", "secret_once", "the secret stands behind the body only"),
        ("<secret><time><body>", "secret_once", "the secret stands at the beginning only"),
        ("<secret><time><body><secret>", "parts_reordered", "the time was signed behind the first secret"),
        ("<secret><body><time><secret>", "parts_reordered", "the time was signed behind the body"),
        ("<body><secret><time><secret>", "parts_reordered", "body and time were swapped"),
        ("<time><secret><secret><body>", "parts_reordered", "both secrets were signed before the body"),
        ("<secret><body><secret>", "time_left_out", "the time was not signed"),
        ("<time><body>", "secret_left_out", "the secret was not signed"),
        ("<time><secret><secret>", "body_left_out", "the body was not signed"),
        ("<login><time><secret><body><secret>", "login_signed", "the login was signed before the time"),
        ("<time><login><secret><body><secret>", "login_signed", "the login was signed behind the time"),
        ("<time><secret><login><body><secret>", "login_signed", "the login was signed before the body"),
        ("<body>", "only_body", "only the body was signed"),
    ] {
        model.template(text, Cause::new(hypothesis, found, DOCUMENTED));
    }
    for separator in [":", "+", " + ", " ", "\n", "/", "|"] {
        let text = ["<time>", "<secret>", "<body>", "<secret>"].join(separator);
        model.template(
            text,
            Cause::new("separator", format!("the parts were joined by {separator:?}"), DOCUMENTED),
        );
    }
    Some(model)
}

/// Times that may have been signed beside the one in the path.
fn times(text: &str, noticed: &mut Vec<Cause>) -> Choices<Vec<u8>> {
    let mut times = Choices::new(text.as_bytes().to_vec());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.is_empty() {
        times.or(
            whole.into(),
            Cause::new(
                "time_fraction",
                "the time was signed without the fraction that is in the path",
                SAME_TIME,
            ),
        );
    }
    let Ok(seconds) = whole.parse::<u64>() else {
        noticed.push(Cause::new("time_not_seconds", "the time in the path is no number", SAME_TIME));
        return times;
    };
    if seconds > 100_000_000_000 {
        noticed.push(Cause::new("time_milliseconds", "the time in the path is in milliseconds", SAME_TIME));
        let cause =
            Cause::new("time_differs", "the time was signed in seconds, and sent in milliseconds", SAME_TIME);
        times.or((seconds / 1000).to_string().into_bytes(), cause);
        return times;
    }
    let milliseconds = || {
        Cause::new("time_milliseconds", "the time was signed in milliseconds, and sent in seconds", SAME_TIME)
    };
    times.or(format!("{seconds}000").into_bytes(), milliseconds());
    times.or(
        format!("{seconds}.0").into_bytes(),
        Cause::new("time_fraction", "the time was signed with a fraction", SAME_TIME),
    );
    let other = |offset: i64| seconds.checked_add_signed(offset).map(|time| time.to_string().into_bytes());
    for offset in (1..=10).flat_map(|offset| [offset, -offset]) {
        let found = format!("another time was signed than is in the path: {offset:+} s");
        times_add(&mut times, other(offset), Cause::new("time_differs", found, SAME_TIME));
    }
    for hours in (1..=14).flat_map(|hours| [hours, -hours]) {
        let found = format!("the time was signed in another time zone: {hours:+} h");
        times_add(&mut times, other(hours * 3600), Cause::new("time_zone", found, SAME_TIME));
    }
    // The client's clock told a part of the second that nobody sent: there are not that many.
    for part in 1..1000 {
        times.or_alone(format!("{seconds}{part:03}").into_bytes(), milliseconds());
    }
    times
}

fn times_add(times: &mut Choices<Vec<u8>>, time: Option<Vec<u8>>, cause: Cause) {
    if let Some(time) = time {
        times.or_alone(time, cause);
    }
}
