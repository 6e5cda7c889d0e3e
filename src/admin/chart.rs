//! Bars of a figure by day, as numbers for an SVG. The picture says nothing that the table beside it does not.

/// A bar has a slot of this width; the picture is stretched to its place.
const SLOT: u64 = 10;
const BAR: u64 = 8;
/// The height of the tallest bar.
const HEIGHT: u64 = 100;

pub(super) struct Chart {
    pub(super) title: &'static str,
    /// Of all days.
    pub(super) total: String,
    /// Of the day that has most.
    pub(super) most: String,
    pub(super) width: u64,
    pub(super) bars: Vec<Bar>,
}

pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) height: u64,
}

impl Chart {
    pub(super) const HEIGHT: u64 = HEIGHT;
    pub(super) const BAR: u64 = BAR;

    /// `show` writes a figure out.
    pub(super) fn new(title: &'static str, figures: &[u64], show: impl Fn(u64) -> String) -> Self {
        let most = figures.iter().copied().max().unwrap_or(0);
        let bars = (0..).zip(figures).filter(|(_, figure)| **figure > 0).map(|(day, figure)| {
            // What is there is seen, however little it is.
            let height = scaled(*figure, most).max(2);
            Bar { x: day * SLOT + (SLOT - BAR) / 2, y: HEIGHT - height, height }
        });
        Self {
            title,
            total: show(figures.iter().fold(0, |sum, figure| sum.saturating_add(*figure))),
            most: show(most),
            width: SLOT * figures.len() as u64,
            bars: bars.collect(),
        }
    }
}

/// Of [`HEIGHT`], as `figure` of `most`.
pub(super) fn scaled(figure: u64, most: u64) -> u64 {
    let share = u128::from(figure.min(most)) * u128::from(HEIGHT);
    share.checked_div(u128::from(most)).and_then(|share| u64::try_from(share).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_in_proportion_and_a_day_without_anything_has_none() {
        let chart = Chart::new("Leads", &[0, 50, 100, 1000], |figure| figure.to_string());
        let bars: Vec<_> = chart.bars.iter().map(|bar| (bar.x, bar.y, bar.height)).collect();
        assert_eq!(bars, [(11, 95, 5), (21, 90, 10), (31, 0, 100)]);
        assert_eq!((chart.total.as_str(), chart.most.as_str(), chart.width), ("1150", "1000", 40));
    }

    #[test]
    fn nothing_at_all_and_very_much_can_be_drawn() {
        assert!(Chart::new("", &[0, 0], |figure| figure.to_string()).bars.is_empty());
        assert_eq!(Chart::new("", &[u64::MAX, 1], |figure| figure.to_string()).bars[1].height, 2);
    }
}
