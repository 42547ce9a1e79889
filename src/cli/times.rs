//! Times as people say them.

use photon_chains::UnixTime;

/// This machine's clock.
pub(crate) fn system_now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime::from_secs(since.map(|since| since.as_secs()).unwrap_or_default())
}

/// `in 3 min`, `5 s ago`, `now`.
pub(crate) fn relative(at: UnixTime, now: UnixTime) -> String {
    match (at.secs_since(now), now.secs_since(at)) {
        (0, 0) => "now".to_owned(),
        (0, ago) => format!("{} ago", span(ago)),
        (ahead, _) => format!("in {}", span(ahead)),
    }
}

/// Two units at most, rounded down: `2 h 5 min`.
fn span(secs: u64) -> String {
    let (minutes, hours, days) = (secs / 60, secs / 3600, secs / 86_400);
    let pair = |big: u64, unit: &str, small: u64, sub: &str| match small {
        0 => format!("{big} {unit}"),
        small => format!("{big} {unit} {small} {sub}"),
    };
    match secs {
        0..120 => format!("{secs} s"),
        120..7200 => format!("{minutes} min"),
        7200..172_800 => pair(hours, "h", minutes % 60, "min"),
        _ => pair(days, "d", hours % 24, "h"),
    }
}

/// `2027-01-15 08:00:00 UTC`.
pub(super) fn absolute(at: UnixTime) -> String {
    let (date, clock) = civil(at);
    format!("{date} {clock} UTC")
}

/// `2027-01-15T08:00:00Z` (RFC 3339).
pub(super) fn stamp(at: UnixTime) -> String {
    let (date, clock) = civil(at);
    format!("{date}T{clock}Z")
}

/// Years of 400 repeat exactly (146097 days); counted from 1 March, a leap day comes last.
fn civil(at: UnixTime) -> (String, String) {
    let (day, second) = (at.secs() / 86_400, at.secs() % 86_400);
    let from_march_of_0 = day + 719_468;
    let (era, day_of_era) = (from_march_of_0 / 146_097, from_march_of_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    (format!("{year:04}-{month:02}-{date:02}"), clock)
}

/// Midnight (UTC) of a date written `2027-01-15`. None for what is no date since 1970.
pub(crate) fn midnight(date: &str) -> Option<UnixTime> {
    let mut parts = date.split('-').map(|part| part.parse::<u64>().ok().filter(|_| part.bytes().all(|c| c.is_ascii_digit())));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, march_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * march_month + 2) / 5 + day - 1;
    let at = UnixTime::from_secs((era * 146_097 + day_of_era - 719_468) * 86_400);
    // The 31st of a shorter month would be another day.
    (civil(at).0 == date).then_some(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(stamp(UnixTime::from_secs(secs)), text);
        }
    }

    #[test]
    fn a_date_is_the_midnight_it_begins_with() {
        for text in ["1970-01-01", "2000-02-29", "2024-02-29", "2026-11-22", "2100-03-01", "2026-12-31"] {
            assert_eq!(stamp(midnight(text).unwrap()), format!("{text}T00:00:00Z"));
        }
        for bad in ["", "2026", "2026-1-1", "2026-02-29", "2026-13-01", "1969-12-31", "2026-01-01-01", "x-y-z", "+026-01-01"] {
            assert_eq!(midnight(bad), None, "{bad}");
        }
    }

    #[test]
    fn spans_are_short_and_never_overstated() {
        let now = UnixTime::from_secs(1_000_000);
        for (ahead, text) in [
            (0, "now"),
            (1, "in 1 s"),
            (119, "in 119 s"),
            (180, "in 3 min"),
            (239, "in 3 min"),
            (7200, "in 2 h"),
            (7500, "in 2 h 5 min"),
            (172_800, "in 2 d"),
            (180_000, "in 2 d 2 h"),
        ] {
            assert_eq!(relative(now.plus_secs(ahead), now), text);
        }
        assert_eq!(relative(now.minus_secs(5), now), "5 s ago");
    }
}
