//! Moments as `YYYY-MM-DD HH:MM:SS` in UTC, which is how SalesCloud dates its webhooks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const FORM: &[u8; 19] = b"0000-00-00 00:00:00";
const DAY: i64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01. Years are counted from March on, so that a leap day comes last.
const EPOCH: i64 = 719_468;

/// Reads a moment; `None` if the text has another form, or if there is no such day or hour.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let bytes: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    if !bytes.iter().zip(FORM).all(fits) {
        return None;
    }
    let number =
        |at: usize, len: usize| bytes[at..at + len].iter().fold(0, |n, byte| n * 10 + i64::from(byte - b'0'));
    let seconds = days(number(0, 4), number(5, 2), number(8, 2)) * DAY
        + number(11, 2) * 3600
        + number(14, 2) * 60
        + number(17, 2);
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))?;
    // A day or an hour that there is not comes out as another one.
    (format(at)? == text).then_some(at)
}

/// Writes a moment, cut to whole seconds; `None` before 1970 and after 9999.
pub(super) fn format(at: SystemTime) -> Option<String> {
    let seconds = i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (seconds % DAY / 3600, seconds / 60 % 60, seconds % 60);
    (year <= 9999).then(|| format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - EPOCH
}

/// The date that lies so many days after 1970-01-01.
const fn date(days: i64) -> (i64, i64, i64) {
    let (era, day_of_era) = ((days + EPOCH) / 146_097, (days + EPOCH) % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let next_year = if month >= 10 { 1 } else { 0 };
    (era * 400 + year + next_year, (month + 2) % 12 + 1, day - (153 * month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn moments_read_back_as_they_are_written() {
        for (text, seconds) in [
            ("1970-01-01 00:00:00", 0),
            ("2000-02-29 23:59:59", 951_868_799),
            ("2018-09-10 15:00:22", 1_536_591_622),
            ("2023-11-14 22:13:20", 1_700_000_000),
            ("2100-03-01 00:00:00", 4_107_542_400),
            ("9999-12-31 23:59:59", 253_402_300_799),
        ] {
            assert_eq!(format(at(seconds)).as_deref(), Some(text));
            assert_eq!(parse(text), Some(at(seconds)), "{text}");
        }
        let mut previous = String::new();
        for day in 0..150_000 {
            let text = format(at(day * 86_400 + 1)).unwrap();
            assert!(text > previous, "{text} after {previous}");
            assert_eq!(parse(&text), Some(at(day * 86_400 + 1)));
            previous = text;
        }
        assert_eq!(format(at(253_402_300_800)), None);
        assert_eq!(format(UNIX_EPOCH - Duration::from_secs(1)), None);
    }

    #[test]
    fn another_form_and_another_calendar_are_refused() {
        for text in [
            "",
            "2018-09-10T15:00:22",
            "2018-09-10 15:00:22Z",
            "2018-09-10 15:00:2",
            "2018-09-10  5:00:22",
            "2018-9-10 15:00:22 ",
            " 2018-09-10 15:00:22",
            "2018-09-10 15:00:22.5",
            "2018-09-10 15.00.22",
            "2018/09/10 15:00:22",
            "+018-09-10 15:00:22",
            "1536591622",
            "2018-00-10 15:00:22",
            "2018-13-10 15:00:22",
            "2018-09-00 15:00:22",
            "2018-09-31 15:00:22",
            "2018-02-29 15:00:22",
            "2100-02-29 15:00:22",
            "2018-09-10 24:00:00",
            "2018-09-10 15:60:22",
            "2016-12-31 23:59:60",
            "1969-12-31 23:59:59",
            "0000-01-01 00:00:00",
            "2018-09-1٣ 15:00:22",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
