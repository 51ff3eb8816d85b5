//! A chart as SVG, with what all charts have: a title, a scale, labels, and a note at the foot.

use std::fmt::{Display, Write};
use std::fs;
use std::path::Path;

/// A chart that is being drawn.
pub struct Chart {
    svg: String,
    height: u32,
}

/// Which end of a text stands where it is put.
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Chart {
    pub fn new(height: u32, title: &str) -> Self {
        let svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {height}" font-family="system-ui, sans-serif" font-size="13">
<rect width="860" height="{height}" fill="#ffffff"/>
<text x="70" y="24" font-size="15" font-weight="600" fill="#222">{title}</text>
"##
        );
        Self { svg, height }
    }

    fn push(&mut self, element: impl Display) {
        writeln!(self.svg, "{element}").unwrap();
    }

    /// A line of the scale.
    pub fn grid(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            r##"<line x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}" stroke="#e2e2e2"/>"##
        ));
    }

    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, colour: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let [x, y] = [x, y].map(|number| (number * 10.0).round() / 10.0);
        self.push(format_args!(
            r##"<text x="{x}" y="{y}"{anchor} fill="{colour}">{text}</text>"##
        ));
    }

    /// A line through all points, each with a dot.
    pub fn curve(&mut self, points: &[(f64, f64)], colour: &str) {
        let through = points
            .iter()
            .map(|(x, y)| format!("{x},{y:.1}"))
            .collect::<Vec<_>>()
            .join(" ");
        self.push(format_args!(
            r##"<polyline points="{through}" fill="none" stroke="{colour}" stroke-width="2.5"/>"##
        ));
        for (x, y) in points {
            self.push(format_args!(
                r##"<circle cx="{x}" cy="{y:.1}" r="3.5" fill="{colour}"/>"##
            ));
        }
    }

    /// A thin line from the end of a curve to its name.
    pub fn pointer(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
        self.push(format_args!(
            r##"<line x1="{x1}" x2="{x2}" y1="{y1:.1}" y2="{y2:.1}" stroke="{colour}" opacity="0.6"/>"##
        ));
    }

    /// A bar to the right of a point.
    pub fn bar(&mut self, (x, y): (f64, f64), width: f64, colour: &str) {
        let width = width.max(1.0);
        self.push(format_args!(
            r##"<rect x="{x}" y="{y:.1}" width="{width:.1}" height="15" rx="2" fill="{colour}"/>"##
        ));
    }

    pub fn save(mut self, note: &str, path: &Path) {
        let y = self.height - 12;
        self.push(format_args!(
            r##"<text x="70" y="{y}" font-size="11" fill="#777">{note}</text>"##
        ));
        self.push("</svg>");
        fs::write(path, self.svg).unwrap();
    }
}
