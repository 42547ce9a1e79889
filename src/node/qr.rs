//! QR codes as pictures that are small enough to be kept with the answer that they are in: a line for each run of dark modules.
//! (A square for each module, as the library draws it, passes 64 KiB for a payment request with two hints.)

use qrcode::{Color, QrCode};

/// Light modules around it, as its standard wants.
const QUIET: usize = 4;

/// An SVG picture, one unit a module.
pub(super) fn svg(code: &QrCode) -> String {
    let width = code.width();
    let side = width + 2 * QUIET;
    let mut lines = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            if run.first() == Some(&Color::Dark) {
                lines.push_str(&format!("M{} {}h{}", x + QUIET, y + QUIET, run.len()));
            }
            x += run.len();
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
         <path transform=\"translate(0 .5)\" stroke=\"#000\" d=\"{lines}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// More than the longest payment request.
    const LONG: usize = 1_200;

    fn long() -> QrCode {
        QrCode::new("A1B2C3D4E5".chars().cycle().take(LONG).collect::<String>()).unwrap()
    }

    #[test]
    fn every_dark_module_is_drawn_once_and_no_light_one() {
        let code = long();
        let picture = svg(&code);
        let path = picture.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut drawn = vec![Color::Light; code.width() * code.width()];
        for line in path.split('M').skip(1) {
            let (at, run) = line.split_once('h').unwrap();
            let (x, y) = at.split_once(' ').unwrap();
            let [x, y, run] = [x, y, run].map(|number| number.parse::<usize>().unwrap());
            for x in x..x + run {
                let module = &mut drawn[(y - QUIET) * code.width() + x - QUIET];
                assert_eq!(*module, Color::Light, "drawn twice");
                *module = Color::Dark;
            }
        }
        assert_eq!(drawn, code.to_colors());
    }

    #[test]
    fn the_longest_request_is_kept_with_its_answer() {
        assert!(svg(&long()).len() < 40_000);
    }
}
