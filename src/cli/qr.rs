//! A text as a picture that a phone can read, in a terminal.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The text as a QR code of half blocks. None where it is too long for one.
pub(super) fn picture(text: &str) -> Option<String> {
    // Letters of one case take less room, and a payment request means the same in either.
    let code = QrCode::new(text.to_ascii_uppercase()).ok()?;
    // Dark on light, on a dark terminal as well: some readers take nothing else.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_of_any_case_is_one_picture_and_one_that_is_too_long_is_none() {
        let picture_of = |text: &str| picture(text).unwrap();
        assert_eq!(picture_of("photon1qqq"), picture_of("PHOTON1QQQ"));
        let lines: Vec<usize> = picture_of("photon1qqq").lines().map(|line| line.chars().count()).collect();
        assert!(lines.len() > 10 && lines.iter().all(|width| *width == lines[0]), "{lines:?}");
        assert_eq!(picture(&"q".repeat(8_000)), None);
    }
}
