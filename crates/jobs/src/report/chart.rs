//! Line charts as inline SVG: no script library, no network, sharp at any size.

use std::fmt::Write as _;

use assay_types::time::{DAY_MS, month_start_ms, utc_date};

const MINUTE_MS: i64 = 60_000;
/// The end of the year 9999: later times have no label.
const LAST_LABELLED_MS: i64 = 253_402_300_799_999;
const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// Buckets that a series is thinned to; each keeps its lowest and highest point.
const BUCKETS: usize = 450;

/// One line of a chart.
pub struct Series<'a> {
    /// Name, shown when pointed at.
    pub name: &'a str,
    /// CSS class that colours it.
    pub class: &'a str,
    /// Values, one per time.
    pub values: &'a [f64],
}

/// A chart over time.
pub struct Chart<'a> {
    /// Read out by screen readers.
    pub title: &'a str,
    /// Height in pixels at full width.
    pub height: f64,
    /// Times in milliseconds, ascending.
    pub times_ms: &'a [i64],
    /// The lines; each as long as `times_ms`.
    pub series: &'a [Series<'a>],
    /// Writes a value of the vertical axis.
    pub label: fn(f64) -> String,
    /// Whether to fill from the first series to zero, as drawdowns are drawn.
    pub filled: bool,
}

impl Chart<'_> {
    /// The chart as an `<svg>` element in a box that scrolls on narrow screens, or a sentence when there is nothing to draw.
    #[must_use]
    pub fn svg(&self) -> String {
        let finite = || self.series.iter().flat_map(|s| s.values.iter().copied()).filter(|v| v.is_finite());
        let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if self.times_ms.len() < 2 || low > high {
            return "<p class=\"note\">Fewer than two points: nothing to draw.</p>".to_owned();
        }
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        let ticks = nice_ticks(low, high, 5);
        let low = low.min(ticks[0]);
        let high = high.max(ticks[ticks.len() - 1]);
        let (first, last) = (self.times_ms[0], self.times_ms[self.times_ms.len() - 1]);
        let x = |ms: i64| LEFT + (ms - first) as f64 / (last - first) as f64 * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| TOP + (high - value) / (high - low) * (self.height - TOP - BOTTOM);
        let mut svg = String::new();
        let _ = write!(
            svg,
            "<div class=\"scroll\"><svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
            self.height,
            super::html::escape(self.title)
        );
        for tick in &ticks {
            let at = y(*tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0,
                (self.label)(*tick)
            );
        }
        for (ms, label) in time_ticks(first, last) {
            // A label at the right edge would be cut in half.
            let anchor = if x(ms) > WIDTH - 3.0 * RIGHT { "end" } else { "middle" };
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{label}</text>",
                x(ms),
                self.height - 6.0
            );
        }
        for series in self.series {
            let points = thin(self.times_ms, series.values);
            let path: Vec<String> = points.iter().map(|(ms, v)| format!("{:.1},{:.1}", x(*ms), y(*v))).collect();
            if self.filled {
                let base = y(0.0_f64.clamp(low, high));
                let _ = write!(
                    svg,
                    "<polygon class=\"area {}\" points=\"{:.1},{base:.1} {} {:.1},{base:.1}\"/>",
                    series.class,
                    x(first),
                    path.join(" "),
                    x(last)
                );
            }
            let _ = write!(
                svg,
                "<polyline class=\"line {}\" points=\"{}\"><title>{}</title></polyline>",
                series.class,
                path.join(" "),
                super::html::escape(series.name)
            );
        }
        svg.push_str("</svg></div>");
        svg
    }
}

/// At most two points for each of [`BUCKETS`] stretches, the lowest and the highest,
/// so that no peak or trough disappears.
fn thin(times_ms: &[i64], values: &[f64]) -> Vec<(i64, f64)> {
    let points: Vec<(i64, f64)> =
        times_ms.iter().copied().zip(values.iter().copied()).filter(|(_, v)| v.is_finite()).collect();
    if points.len() <= 2 * BUCKETS {
        return points;
    }
    let size = points.len().div_ceil(BUCKETS);
    let mut thinned = Vec::with_capacity(2 * BUCKETS + 2);
    thinned.push(points[0]);
    for bucket in points.chunks(size) {
        let low = bucket.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).expect("chunks are not empty");
        let high = bucket.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).expect("chunks are not empty");
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        thinned.push(first);
        if second != first {
            thinned.push(second);
        }
    }
    thinned.push(points[points.len() - 1]);
    thinned
}

/// About `count` round numbers that span `[low, high]`.
pub(super) fn nice_ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let raw = (high - low) / count as f64;
    let mut magnitude = 1.0;
    while magnitude > raw {
        magnitude /= 10.0;
    }
    while magnitude * 10.0 <= raw {
        magnitude *= 10.0;
    }
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * magnitude).find(|s| *s >= raw).unwrap_or(10.0 * magnitude);
    let (from, to) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    (from..=to).map(|k| k as f64 * step).collect()
}

/// Where the horizontal axis is labelled: years, months, days or times of day, whichever
/// gives a handful of labels.
pub(super) fn time_ticks(first_ms: i64, last_ms: i64) -> Vec<(i64, String)> {
    if first_ms < 0 || last_ms > LAST_LABELLED_MS {
        return Vec::new();
    }
    let days = (last_ms - first_ms) / DAY_MS;
    if days < 3 {
        let minutes = (last_ms - first_ms) / MINUTE_MS;
        let step = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360].into_iter().find(|step| minutes / step <= 8);
        let step = step.unwrap_or(720) * MINUTE_MS;
        let start = first_ms.div_euclid(step) * step + step;
        return (0..)
            .map(|k| start + k * step)
            .take_while(|ms| *ms <= last_ms)
            .map(|ms| {
                let (hour, minute) = (ms.rem_euclid(DAY_MS) / (60 * MINUTE_MS), ms / MINUTE_MS % 60);
                let day = utc_date(ms).filter(|_| ms % DAY_MS == 0);
                (ms, day.map_or(format!("{hour:02}:{minute:02}"), |(_, month, day)| format!("{month:02}-{day:02}")))
            })
            .collect();
    }
    if days < 70 {
        let step = (days / 8).max(1) * DAY_MS;
        let start = first_ms.div_euclid(DAY_MS) * DAY_MS + DAY_MS;
        return (0..)
            .map(|k| start + k * step)
            .take_while(|ms| *ms <= last_ms)
            .filter_map(|ms| utc_date(ms).map(|(_, month, day)| (ms, format!("{month:02}-{day:02}"))))
            .collect();
    }
    let months = [1, 2, 3, 6, 12, 24].into_iter().find(|m| days / (30 * m) <= 10).unwrap_or(48);
    let Some((year, _, _)) = utc_date(first_ms) else { return Vec::new() };
    (0..)
        .map(|k| k * months)
        .map_while(|offset| {
            let (year, month) = (year + i16::try_from(offset / 12).ok()?, i8::try_from(offset % 12 + 1).ok()?);
            Some((month_start_ms(year, month)?, format!("{year}-{month:02}")))
        })
        .take_while(|(ms, _)| *ms <= last_ms)
        .filter(|(ms, _)| *ms >= first_ms)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_extremes() {
        let times: Vec<i64> = (0..100_000).collect();
        let mut values = vec![1.0; 100_000];
        values[31_337] = -5.0;
        values[77_777] = 9.0;
        let thinned = thin(&times, &values);
        assert!(thinned.len() <= 2 * BUCKETS + 2);
        assert!(thinned.contains(&(31_337, -5.0)) && thinned.contains(&(77_777, 9.0)));
        assert!(thinned.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }

    #[test]
    fn ticks_are_round_and_span_the_data() {
        let ticks = nice_ticks(-0.83, 0.0, 5);
        assert!(ticks[0] <= -0.83 && *ticks.last().unwrap() >= 0.0, "{ticks:?}");
        assert!(ticks.len() <= 8, "{ticks:?}");
        assert_eq!(nice_ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    }

    #[test]
    fn a_day_is_labelled_by_its_hours() {
        let labels = |first, last| time_ticks(first, last).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(
            labels(DAY_MS / 2, DAY_MS + DAY_MS / 2),
            ["15:00", "18:00", "21:00", "01-02", "03:00", "06:00", "09:00", "12:00"]
        );
        assert_eq!(labels(0, 4 * MINUTE_MS), ["00:01", "00:02", "00:03", "00:04"]);
    }

    #[test]
    fn an_empty_chart_says_so() {
        let chart = Chart {
            title: "t",
            height: 100.0,
            times_ms: &[1],
            series: &[Series { name: "a", class: "a", values: &[1.0] }],
            label: |v| v.to_string(),
            filled: false,
        };
        assert!(chart.svg().contains("nothing to draw"));
    }
}
