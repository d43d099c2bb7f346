//! From an SVG to a PNG, with a font of our own: the result does not depend on what the system has.

use super::PlotError;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// The family of the font that the program carries.
const FAMILY: &str = "DejaVu Sans";

/// Draws an SVG, `scale` times as large as it says, and returns the PNG's bytes.
///
/// # Errors
/// It is no SVG, or the picture would be too large.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, PlotError> {
    let tree = parse(svg)?;
    let size = [tree.size().width(), tree.size().height()];
    let [width, height] = size.map(|side| (side * scale).round() as u32);
    let fail = |reason: String| PlotError::Raster { width, height, reason };
    let mut picture = Pixmap::new(width, height).ok_or_else(|| fail("no such size".into()))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut picture.as_mut());
    picture.encode_png().map_err(|error| fail(error.to_string()))
}

/// The elements of an SVG with their places.
pub(super) fn parse(svg: &str) -> Result<Tree, PlotError> {
    let mut options = Options {
        font_family: FAMILY.into(),
        ..Options::default()
    };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family(FAMILY);
    Tree::from_str(svg, &options).map_err(|error| PlotError::Raster {
        width: 0,
        height: 0,
        reason: error.to_string(),
    })
}
