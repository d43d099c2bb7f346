//! Every kind of figure is a valid document with its labels and becomes a picture; hopeless data is refused.

use super::*;

/// Where pictures go when somebody wants to look at them.
const LOOK: &str = "THERMOFLOW_TEST_FIGURES";

fn axis() -> Axis {
    Axis::linear("round")
}

fn curve(name: &str, phase: f64) -> Series {
    let point = |i: i32| {
        let (x, y) = (
            f64::from(i) * 20.0,
            (6.0 - f64::from(i) * 0.1 + (f64::from(i) * 0.7 + phase).sin() * 0.4).exp(),
        );
        Point {
            x,
            y,
            low: y * 0.7,
            high: y * 1.4,
        }
    };
    Series {
        name: name.into(),
        points: (0..=100).map(point).collect(),
        dots: false,
    }
}

fn lines() -> LinePlot {
    let panel = |title: &str| LinePanel {
        title: title.into(),
        x: axis(),
        y: Axis::log("loss (nats²)"),
        series: vec![curve("logit", 0.0), curve("layer", 1.0), curve("unconditional", 2.0)],
        references: vec![Reference {
            label: "data-set maximum".into(),
            at: 3.0,
            vertical: false,
        }],
    };
    LinePlot {
        panels: vec![panel("TFBind8"), panel("RNA1 <&>")],
    }
}

fn maps(shared: Shared) -> Heatmaps {
    let grid = |sharpness: f64| {
        let value = |place: usize| {
            let (x, y) = ((place % 32) as f64 - 15.5, (place / 32) as f64 - 15.5);
            (-sharpness * ((x.abs() - 11.0).powi(2) + (y.abs() - 11.0).powi(2)) / 40.0).exp() * sharpness / 400.0
        };
        Grid {
            width: 32,
            values: (0..32 * 32).map(value).collect(),
        }
    };
    let rows = ["truth", "logit", "layer-thermometer"].map(String::from).to_vec();
    let columns: Vec<String> = (1..=4).map(|beta| format!("β = {beta}")).collect();
    let panels = rows
        .iter()
        .map(|_| (1..=4).map(|beta| grid(f64::from(beta))).collect())
        .collect();
    Heatmaps {
        columns,
        rows,
        panels,
        shared,
        label: "P(x | β)".into(),
    }
}

fn histograms() -> Histograms {
    let sample = |name: &str, shift: f64| Sample {
        name: name.into(),
        values: (0..2000)
            .map(|i| (f64::from(i) * 0.61803).fract() * 0.5 + (f64::from(i) * 0.7549).fract() * 0.3 + shift)
            .collect(),
    };
    let panel = |title: &str| HistogramPanel {
        title: title.into(),
        samples: vec![sample("logit", 0.2), sample("layer", 0.05)],
        references: vec![Reference {
            label: "data-set maximum".into(),
            at: 0.439,
            vertical: true,
        }],
    };
    Histograms {
        x: Axis::linear("y"),
        bins: 30,
        panels: vec![panel("β = 50"), panel("β = 1000")],
    }
}

fn bars() -> Bars {
    let bar = |value: f64| Bar {
        value,
        low: value * 0.95,
        high: value * 1.07,
    };
    let panel = |title: &str, factor: f64| BarPanel {
        title: title.into(),
        y: Axis::linear("total variation"),
        bars: [0.2, 0.31, 0.25, 0.22]
            .map(|value| vec![bar(factor * value), bar(factor * value * 0.8)])
            .into(),
    };
    Bars {
        x: "objective".into(),
        series: vec!["β = 1".into(), "β = 3".into()],
        groups: ["tb", "db", "subtb", "vargrad"].map(String::from).into(),
        panels: vec![
            panel("logit", 1.0),
            panel("layer", 1.2),
            panel("unconditional", 0.5),
            panel("more", 3.0),
        ],
    }
}

fn figures() -> Vec<(&'static str, Figure)> {
    vec![
        ("lines", Figure::Lines(lines())),
        ("maps-by-row", Figure::Heatmaps(maps(Shared::Row))),
        ("maps-by-column", Figure::Heatmaps(maps(Shared::Column))),
        ("maps", Figure::Heatmaps(maps(Shared::All))),
        ("histograms", Figure::Histograms(histograms())),
        ("bars", Figure::Bars(bars())),
    ]
}

#[test]
fn every_figure_is_a_valid_document_and_becomes_a_picture() {
    for (name, figure) in figures() {
        let svg = figure.svg().unwrap();
        assert!(
            !svg.contains("NaN") && !svg.contains("inf"),
            "{name}: a place is not finite"
        );
        let tree = raster::parse(&svg).unwrap();
        let bytes = png(&svg, 2.0).unwrap();
        if let Ok(folder) = std::env::var(LOOK) {
            std::fs::write(format!("{folder}/{name}.png"), &bytes).unwrap();
            std::fs::write(format!("{folder}/{name}.svg"), &svg).unwrap();
        }
        let (size, drawn) = (tree.size(), tree.root().abs_bounding_box());
        assert!(
            drawn.width() <= size.width() + 1.0 && drawn.height() <= size.height() + 1.0,
            "{name} leaves its page: {drawn:?} in {size:?}"
        );
        let picture = resvg::tiny_skia::Pixmap::decode_png(&bytes).unwrap();
        assert_eq!(
            (picture.width(), picture.height()),
            ((size.width() * 2.0) as u32, (size.height() * 2.0) as u32)
        );
    }
}

#[test]
fn labels_are_there_and_escaped() {
    let text: Vec<String> = figures().into_iter().map(|(_, figure)| figure.svg().unwrap()).collect();
    for expected in [
        "loss (nats²)",
        "data-set maximum",
        "unconditional",
        "TFBind8",
        "RNA1 &lt;&amp;&gt;",
    ] {
        assert!(text[0].contains(expected), "{expected}");
    }
    for expected in ["β = 4", "layer-thermometer", "P(x | β)"] {
        assert!(text[1].contains(expected) && text[2].contains(expected), "{expected}");
    }
    for expected in ["vargrad", "total variation", "objective", "β = 3"] {
        assert!(text[5].contains(expected), "{expected}");
    }
}

/// Letters and lines in the picture.
fn marks(figure: &Figure, element: &str) -> usize {
    figure.svg().unwrap().matches(element).count()
}

#[test]
fn values_that_are_none_are_gaps() {
    let mut plot = LinePlot {
        panels: vec![LinePanel {
            x: axis(),
            y: axis(),
            series: vec![curve("a", 0.0)],
            ..Default::default()
        }],
    };
    let whole = marks(&Figure::Lines(plot.clone()), "<polygon");
    let points = &mut plot.panels[0].series[0].points;
    points[50].y = f64::NAN;
    points[51].x = f64::INFINITY;
    assert_eq!(marks(&Figure::Lines(plot.clone()), "<polygon"), whole + 1);
    plot.panels[0].series[0]
        .points
        .iter_mut()
        .for_each(|point| point.y = f64::NAN);
    plot.panels[0].series[0]
        .points
        .iter_mut()
        .for_each(|point| (point.low, point.high) = (f64::NAN, f64::NAN));
    assert!(matches!(Figure::Lines(plot).svg(), Err(PlotError::Empty(_))));
}

#[test]
fn a_band_that_reaches_below_a_logarithmic_axis_ends_on_it() {
    let mut plot = lines();
    plot.panels[0].series[0].points[10].low = -5.0;
    let svg = Figure::Lines(plot).svg().unwrap();
    let tree = raster::parse(&svg).unwrap();
    assert!(tree.root().abs_bounding_box().bottom() <= tree.size().height() + 1.0);
}

#[test]
fn no_data_and_data_that_do_not_fit_are_refused() {
    let empty = |figure: Figure| assert!(matches!(figure.svg(), Err(PlotError::Empty(_))), "{figure:?}");
    empty(Figure::Lines(LinePlot { panels: vec![] }));
    empty(Figure::Lines(LinePlot {
        panels: vec![LinePanel::default()],
    }));
    empty(Figure::Histograms(Histograms {
        x: axis(),
        bins: 10,
        panels: vec![],
    }));
    empty(Figure::Histograms(Histograms {
        bins: 0,
        ..histograms()
    }));
    empty(Figure::Bars(Bars {
        panels: vec![],
        ..bars()
    }));
    empty(Figure::Heatmaps(Heatmaps {
        panels: vec![],
        rows: vec![],
        ..maps(Shared::Row)
    }));
    let mut uneven = bars();
    uneven.panels[1].bars[1].pop();
    let error = Figure::Bars(uneven).svg().unwrap_err().to_string();
    assert!(error.contains("\"db\" has 1 bars, the figure needs 2"), "{error}");
    let mut ragged = maps(Shared::All);
    ragged.panels[1][1].values.pop();
    let error = Figure::Heatmaps(ragged).svg().unwrap_err().to_string();
    assert!(error.contains("\"logit\" has 1023 cells"), "{error}");
    assert!(matches!(png("no svg", 1.0), Err(PlotError::Raster { .. })));
    assert!(matches!(
        png(&Figure::Bars(bars()).svg().unwrap(), 1e9),
        Err(PlotError::Raster { .. })
    ));
}

#[test]
fn the_colours_of_values_that_are_not_negative_begin_at_0() {
    let svg = Figure::Heatmaps(maps(Shared::All)).svg().unwrap();
    assert!(svg.contains(">\n0\n</text>"), "the lower end of the colour bar");
    let mut shifted = maps(Shared::All);
    shifted
        .panels
        .iter_mut()
        .flatten()
        .flat_map(|grid| &mut grid.values)
        .for_each(|value| *value -= 2.0);
    assert!(Figure::Heatmaps(shifted).svg().unwrap().contains(">\n-2\n</text>"));
}

#[test]
fn figures_are_plain_data() {
    for (_, figure) in figures() {
        let text = serde_json::to_string(&figure).unwrap();
        let back: Figure = serde_json::from_str(&text).unwrap();
        assert_eq!(back.svg().unwrap(), figure.svg().unwrap());
    }
}
