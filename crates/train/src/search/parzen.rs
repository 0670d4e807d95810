//! A proposal that prefers what good trials had and bad ones had not (after the
//! tree-structured Parzen estimator of Bergstra et al. 2011, each key by itself).

use super::space::{Point, Range};
use crate::rng::Rng;

/// Candidates drawn for each key.
const CANDIDATES: usize = 24;

/// The point for `range` whose density among `good` over that among `bad` is the
/// largest of some drawn from `good`.
pub fn propose(range: &Range, good: &[Point], bad: &[Point], rng: &mut Rng) -> Point {
    let mut best = (f64::NEG_INFINITY, range.draw(rng));
    for _ in 0..CANDIDATES {
        let candidate = draw_near(range, good, rng);
        let score = libm::log(density(range, good, candidate)) - libm::log(density(range, bad, candidate));
        if score > best.0 {
            best = (score, candidate);
        }
    }
    best.1
}

/// Width of the normal bell around each of `count` points.
fn width(count: usize) -> f64 {
    (1.0 / (count as f64 + 1.0)).max(0.05)
}

/// A draw from the mixture of the points and the whole range.
fn draw_near(range: &Range, points: &[Point], rng: &mut Rng) -> Point {
    let which = rng.below(points.len() + 1);
    match points.get(which) {
        Some(Point::At(center)) => Point::At((center + width(points.len()) * rng.normal()).clamp(0.0, 1.0)),
        Some(index) => *index,
        None => range.draw(rng),
    }
}

/// The mixture's density at `point`, up to a factor that is the same for every point.
fn density(range: &Range, points: &[Point], point: Point) -> f64 {
    let total: f64 = match (range, point) {
        (Range::Choice(values), _) => {
            points.iter().filter(|other| **other == point).count() as f64 + 1.0 / values.len() as f64
        }
        (_, Point::At(at)) => {
            let width = width(points.len());
            let bell = |center: f64| {
                let z = (at - center) / width;
                // 1 / √(2π)
                0.398_942_280_401_432_7 / width * libm::exp(-0.5 * z * z)
            };
            1.0 + points
                .iter()
                .map(|other| if let Point::At(center) = other { bell(*center) } else { 0.0 })
                .sum::<f64>()
        }
        (_, Point::Index(_)) => 1.0,
    };
    total / (points.len() + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn proposals_lie_where_good_trials_were() {
        let mut rng = Rng::new(1);
        let numbers = Range::Uniform(0.0, 1.0);
        let (good, bad) = (vec![Point::At(0.2); 6], vec![Point::At(0.8); 18]);
        let near = (0..200).filter(|_| {
            let Point::At(at) = propose(&numbers, &good, &bad, &mut rng) else { return false };
            at < 0.5
        });
        assert!(near.count() > 180);
        let choices = Range::Choice(vec![json!(1), json!(2), json!(3)]);
        let (good, bad) = (vec![Point::Index(2); 6], vec![Point::Index(0); 18]);
        assert!((0..100).filter(|_| propose(&choices, &good, &bad, &mut rng) == Point::Index(2)).count() > 90);
    }
}
