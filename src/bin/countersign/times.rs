//! Moments as people and programs write them: RFC 3339 in UTC with whole seconds, in every table and document.
//!
//! A moment that is typed may also be a date, which means its first second, or Unix seconds.

use countersign::clock::{Clock as _, SystemClock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The end of the year 9999, after which RFC 3339 has no more to say.
pub const LAST_SECOND: u64 = 253_402_300_799;
const DAY: i64 = 86_400;
const HELP: &str = "write it like 2027-01-31, 2027-01-31T12:00:00Z or 1801396800";

/// Reads a moment that was typed.
pub fn parse(text: &str) -> Result<SystemTime, String> {
    let seconds = unix_seconds(text).ok_or_else(|| HELP.to_owned())?;
    Ok(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Reads a moment that was typed, or `never`.
pub fn parse_or_never(text: &str) -> Result<Moment, String> {
    if text == "never" {
        return Ok(Moment(None));
    }
    parse(text).map(|moment| Moment(Some(moment))).map_err(|help| format!("{help}, or `never`"))
}

/// Reads until when something is: a moment, `never`, or a length of time from now on.
pub fn parse_until(text: &str) -> Result<Moment, String> {
    let length = text.ends_with(|last: char| "smhd".contains(last)).then(|| parse_duration(text));
    match length {
        Some(length) => Ok(Moment(Some(SystemClock.now() + length?))),
        None => parse_or_never(text),
    }
}

/// A moment, or never.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Option<SystemTime>);

/// Reads a length of time that was typed: `24h`, `90m`, `7d` or seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let count = text.trim_end_matches(|last: char| last.is_ascii_lowercase());
    let unit = match &text[count.len()..] {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    let seconds = digits(count).zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
    let seconds = seconds.filter(|&seconds| seconds <= LAST_SECOND);
    seconds.map(Duration::from_secs).ok_or_else(|| "write it like 24h, 90m or 7d".to_owned())
}

fn unix_seconds(text: &str) -> Option<u64> {
    if let Some(seconds) = digits(text) {
        return Some(seconds).filter(|&seconds| seconds <= LAST_SECOND);
    }
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00Z"));
    let mut date = date.splitn(3, '-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.strip_suffix(['Z', 'z'])?.splitn(3, ':').map(digits);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if hour > 23 || minute > 59 || second > 59 || !(1970..=9999).contains(&year) {
        return None;
    }
    let days =
        days_from_civil(i64::try_from(year).ok()?, i64::try_from(month).ok()?, i64::try_from(day).ok()?)?;
    Some(u64::try_from(days * DAY).ok()? + hour * 3600 + minute * 60 + second)
}

fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// Writes a moment.
pub fn format(moment: SystemTime) -> String {
    format_seconds(moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// Writes a moment that is told in Unix seconds.
pub fn format_seconds(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let (year, month, day) = civil_from_days(seconds / DAY);
    let rest = seconds % DAY;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days from 1970-01-01; `None` if the month has no such day.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    // Years are counted from March, so that the leap day comes last.
    let shifted = if month > 2 { year } else { year - 1 };
    let (month_from_march, era_years) = ((month + 9) % 12, shifted);
    let leap_days = era_years / 4 - era_years / 100 + era_years / 400;
    let days = 365 * era_years + leap_days + (153 * month_from_march + 2) / 5 + day - 1 - 719_468;
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// Year, month and day of a number of days from 1970-01-01 on.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_back_as_they_are_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2023-11-14T22:13:20Z", 1_700_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            let moment = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(format(moment), text);
            assert_eq!(parse(text), Ok(moment));
            assert_eq!(parse(&seconds.to_string()), Ok(moment));
        }
        for day in (0..80_000).step_by(13) {
            let moment = UNIX_EPOCH + Duration::from_secs(day * 86_400);
            assert_eq!(parse(&format(moment)[..10]), Ok(moment));
        }
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, seconds) in
            [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("24h", 86_400), ("7d", 604_800)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "h", "-1h", "1.5h", "1w", "1 h", "24H", "999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "-1",
            "tomorrow",
            "2023-02-29",
            "2024-13-01",
            "999999999999",
            "2024-1-",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
