//! Writes the manual's table and diagram from the public table, so that they cannot say anything
//! else.

use std::fmt::Write;

use bailiwick::subscription::{CommandKind, RefusalReason, SubscriptionStatus as Status};
use bailiwick::transition;

/// The table in Markdown, with what its words mean.
pub fn markdown() -> String {
    let mut page = String::from("| command |");
    for status in Status::ALL {
        let _ = write!(page, " {} |", status.as_str());
    }
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(Status::ALL.len()));
    page.push('\n');
    for &command in CommandKind::ALL {
        let _ = write!(page, "| `{}` |", command.as_str());
        for status in Status::ALL {
            let _ = match transition(status, command) {
                Ok(next) if next == status => write!(page, " **stays** |"),
                Ok(next) => write!(page, " **{}** |", next.as_str()),
                Err(reason) => write!(page, " {} |", reason.as_str()),
            };
        }
        page.push('\n');
    }
    page.push_str(
        "\nIn bold the status from then on; the rest are refusals.\n\n| command | what it says |\n|---|---|\n",
    );
    for command in CommandKind::ALL {
        let _ = writeln!(
            page,
            "| `{}` | {} |",
            command.as_str(),
            command.explanation()
        );
    }
    page.push_str("\n| refusal | why, \"it\" being the subscription |\n|---|---|\n");
    for reason in RefusalReason::ALL {
        let _ = writeln!(page, "| {} | {} |", reason.as_str(), reason.explanation());
    }
    page
}

/// A node of the diagram: left, top, width, height.
type Node = (i32, i32, i32, i32);
/// Where a label stands: x, the first line's baseline, and `start`, `middle` or `end`.
type Label = (i32, i32, &'static str);

const LINE: i32 = 15;

fn node(status: Status) -> Node {
    match status {
        Status::Incomplete => (20, 80, 230, 84),
        Status::Trialing => (370, 80, 190, 100),
        Status::Paused => (412, 300, 150, 100),
        Status::Active => (695, 300, 170, 160),
        Status::PastDue => (990, 300, 170, 84),
        Status::Unpaid => (990, 500, 170, 70),
        Status::IncompleteExpired => (20, 680, 185, 44),
        Status::Canceled => (222, 680, 998, 44),
        Status::Unknown => unreachable!("an unknown status is in no table"),
    }
}

/// How an edge runs, corner by corner, and where its label stands. Edges that the table gains must
/// be laid out here.
fn route(from: Status, to: Status) -> (Vec<(i32, i32)>, Label) {
    use Status::*;
    match (from, to) {
        (Incomplete, Trialing) => (vec![(250, 122), (370, 122)], (308, 114, "middle")),
        (Incomplete, Active) => (
            vec![(200, 80), (200, 40), (810, 40), (810, 300)],
            (465, 32, "middle"),
        ),
        (Incomplete, IncompleteExpired) => (vec![(70, 164), (70, 680)], (78, 440, "start")),
        (Incomplete, Canceled) => (vec![(236, 164), (236, 680)], (228, 610, "end")),
        (Trialing, Active) => (
            vec![(560, 142), (745, 142), (745, 300)],
            (650, 134, "middle"),
        ),
        (Trialing, PastDue) => (
            vec![(560, 102), (1075, 102), (1075, 300)],
            (945, 94, "middle"),
        ),
        (Trialing, Paused) => (vec![(487, 180), (487, 300)], (495, 236, "start")),
        (Trialing, Canceled) => (vec![(390, 180), (390, 680)], (382, 440, "end")),
        (Active, Paused) => (vec![(695, 325), (562, 325)], (631, 317, "middle")),
        (Paused, Active) => (vec![(562, 358), (695, 358)], (626, 376, "middle")),
        (Active, PastDue) => (vec![(865, 325), (990, 325)], (925, 302, "middle")),
        (PastDue, Active) => (vec![(990, 358), (865, 358)], (930, 376, "middle")),
        (PastDue, Unpaid) => (vec![(1075, 384), (1075, 500)], (1067, 440, "end")),
        (Unpaid, Active) => (
            vec![(990, 535), (810, 535), (810, 460)],
            (900, 527, "middle"),
        ),
        (Paused, Canceled) => (vec![(487, 400), (487, 680)], (495, 440, "start")),
        (Active, Canceled) => (vec![(725, 460), (725, 680)], (717, 440, "end")),
        (PastDue, Canceled) => (
            vec![(1160, 342), (1200, 342), (1200, 680)],
            (1192, 610, "end"),
        ),
        (Unpaid, Canceled) => (vec![(1005, 570), (1005, 680)], (997, 617, "end")),
        _ => panic!(
            "lay out the edge from {} to {} in tests/subscription/manual.rs",
            from.as_str(),
            to.as_str()
        ),
    }
}

/// Fill and line of a node, and the line of the edges that lead to it.
fn colours(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Trialing => ("#e6f1fb", "#2b6cb0"),
        Status::Active => ("#e3f5ea", "#2f7d4f"),
        Status::PastDue => ("#fdf3d8", "#a86b0b"),
        Status::Unpaid => ("#fbe6de", "#b8431f"),
        Status::Paused => ("#efeafa", "#6b4fb3"),
        Status::Incomplete => ("#f1f3f6", "#6b7685"),
        _ => ("#e4e8ed", "#6b7685"),
    }
}

fn spoken(command: CommandKind) -> String {
    command.as_str().replace('_', " ")
}

/// The state diagram: plain SVG, without blank lines, so that Markdown passes it through as one
/// block.
pub fn diagram() -> String {
    let mut svg = String::from(concat!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1240 780" width="100%" role="img" "#,
        r#"aria-label="The states of a subscription and the commands that lead from one to another" "#,
        r#"font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="13">"#,
        "\n<defs>\n",
    ));
    for status in Status::ALL {
        let (name, (_, line)) = (status.as_str(), colours(status));
        let _ = writeln!(
            svg,
            r#"<marker id="bailiwick-{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 1 L10 5 L0 9 z" fill="{line}"/></marker>"#
        );
    }
    svg.push_str("</defs>\n<rect x=\"1\" y=\"1\" width=\"1238\" height=\"778\" rx=\"14\" fill=\"#ffffff\" stroke=\"#d5dbe3\"/>\n");
    svg.push_str(concat!(
        r##"<circle cx="70" cy="40" r="6" fill="#37414f"/>"##,
        r##"<path d="M70 46 L70 80" fill="none" stroke="#6b7685" stroke-width="1.6" marker-end="url(#bailiwick-incomplete)"/>"##,
        r##"<text x="84" y="45" fill="#37414f">new</text>"##,
        "\n",
    ));
    for from in Status::ALL {
        for to in Status::ALL {
            edge(&mut svg, from, to);
        }
    }
    for status in Status::ALL {
        state(&mut svg, status);
    }
    legend(&mut svg);
    svg.push_str("</svg>\n");
    svg
}

/// The commands that lead from one status to another.
fn commands(from: Status, to: Status) -> Vec<String> {
    CommandKind::ALL
        .iter()
        .filter(|&&command| transition(from, command) == Ok(to))
        .map(|&c| spoken(c))
        .collect()
}

fn edge(svg: &mut String, from: Status, to: Status) {
    let commands = commands(from, to);
    if from == to || commands.is_empty() {
        return;
    }
    let (points, (x, y, anchor)) = route(from, to);
    let (_, colour) = colours(to);
    let dash = if to == Status::Canceled {
        r#" stroke-dasharray="5 4""#
    } else {
        ""
    };
    let _ = writeln!(
        svg,
        r##"<path d="{}" fill="none" stroke="{colour}" stroke-width="1.6"{dash} marker-end="url(#bailiwick-{})"/>"##,
        rounded(&points),
        to.as_str()
    );
    let _ = write!(
        svg,
        r##"<text text-anchor="{anchor}" fill="#37414f" stroke="#ffffff" stroke-width="4" paint-order="stroke">"##
    );
    for (line, command) in (0..).zip(commands) {
        let _ = write!(
            svg,
            r#"<tspan x="{x}" y="{}">{command}</tspan>"#,
            y + line * LINE
        );
    }
    svg.push_str("</text>\n");
}

/// A path through the points, its corners rounded.
fn rounded(points: &[(i32, i32)]) -> String {
    let (first, last) = (points[0], points[points.len() - 1]);
    let mut path = format!("M{} {}", first.0, first.1);
    for window in points.windows(3) {
        let [before, corner, after] = [window[0], window[1], window[2]];
        let near = |other: (i32, i32)| {
            (
                corner.0 + (other.0 - corner.0).clamp(-10, 10),
                corner.1 + (other.1 - corner.1).clamp(-10, 10),
            )
        };
        let (start, end) = (near(before), near(after));
        let _ = write!(
            path,
            " L{} {} Q{} {} {} {}",
            start.0, start.1, corner.0, corner.1, end.0, end.1
        );
    }
    let _ = write!(path, " L{} {}", last.0, last.1);
    path
}

fn state(svg: &mut String, status: Status) {
    let ((left, top, width, height), (fill, line)) = (node(status), colours(status));
    let middle = left + width / 2;
    let _ = writeln!(
        svg,
        r#"<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="10" fill="{fill}" stroke="{line}" stroke-width="1.6"/>"#
    );
    let stays = commands(status, status);
    let title = if stays.is_empty() {
        top + height / 2 + 5
    } else {
        top + 23
    };
    let _ = writeln!(
        svg,
        r##"<text x="{middle}" y="{title}" text-anchor="middle" font-size="16" font-weight="600" fill="#1d2530">{}</text>"##,
        status.as_str()
    );
    if !stays.is_empty() {
        svg.push_str(r##"<text text-anchor="middle" font-size="12" fill="#56606e">"##);
        for (line, command) in (0..).zip(stays) {
            let _ = write!(
                svg,
                r#"<tspan x="{middle}" y="{}">{command}</tspan>"#,
                title + 18 + line * LINE
            );
        }
        svg.push_str("</text>\n");
    }
}

fn legend(svg: &mut String) {
    svg.push_str(concat!(
        r##"<text x="20" y="756" fill="#56606e">"##,
        "Beside an arrow: the commands that lead along it. Within a state: those that leave it as it is. ",
        "All others are refused. Nothing leads out of the two states at the bottom.</text>\n",
    ));
}
