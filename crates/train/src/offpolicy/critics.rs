//! Action values: one or two networks that read an observation with an action, and the
//! slowly following copies that make the regression's targets.

use assay_model::{Adam, Gradients, Isa, Mlp, Want, Workspace};

use super::actor::EPSILON;
use super::{Settings, saved};
use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;
use crate::initial::uniform_fan_in;
use crate::rng::Rng;

/// Multiplications of a forward pass below which a second thread costs more than it
/// gives.
const LEAST_FOR_TWO_THREADS: usize = 4_000_000;

#[derive(Debug)]
struct Critic {
    network: Mlp,
    target: Mlp,
    optimizer: Adam,
    gradients: Gradients,
    space: Workspace,
    /// A value or an error for each row.
    numbers: Vec<f32>,
    /// Rows whose least value is this critic's.
    chosen: Vec<usize>,
}

impl Critic {
    /// Takes the values of the last forward pass into `numbers`.
    fn take_values(&mut self) {
        let values = self.space.outputs().chunks_exact(self.space.stride());
        self.numbers.iter_mut().zip(values).for_each(|(number, row)| *number = row[0]);
    }
}

/// The critics of one learner, for batches of a fixed number of rows.
#[derive(Debug)]
pub struct Critics {
    members: Vec<Critic>,
    rows: usize,
    /// Whether each critic has a thread of its own.
    parallel: bool,
}

impl Critics {
    /// `count` critics of observations with `inputs` numbers, with their targets equal
    /// to them.
    ///
    /// # Errors
    /// [`TrainError::Model`] for layers no network can have.
    pub fn new(count: usize, inputs: usize, settings: &Settings, rng: &mut Rng) -> Result<Self, TrainError> {
        let rows = settings.batch_size;
        let sizes: Vec<usize> = [inputs + 1].into_iter().chain(settings.net_arch.iter().copied()).chain([1]).collect();
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            let network = uniform_fan_in(&sizes, settings.activation, rng)?;
            members.push(Critic {
                target: network.clone(),
                optimizer: Adam::new(&network, EPSILON),
                gradients: Gradients::new(&network),
                space: Workspace::new(&network, rows),
                numbers: vec![0.0; rows],
                chosen: Vec::with_capacity(rows),
                network,
            });
        }
        let work: usize = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum::<usize>() * rows;
        Ok(Self { members, rows, parallel: settings.threads >= 2 && count >= 2 && work >= LEAST_FOR_TWO_THREADS })
    }

    /// Runs `work` on each of the first `count` critics, which are independent of each
    /// other, so that the threads change nothing but the time.
    fn each(&mut self, count: usize, work: impl Fn(&mut Critic) + Sync) {
        let members = &mut self.members[..count];
        match members {
            [first, rest @ ..] if self.parallel && !rest.is_empty() => std::thread::scope(|scope| {
                for member in rest {
                    scope.spawn(|| work(member));
                }
                work(first);
            }),
            _ => members.iter_mut().for_each(work),
        }
    }

    /// The least value that the target networks give each of the `pairs`.
    pub fn least_target(&mut self, isa: Isa, pairs: &[f32], least: &mut Vec<f32>) {
        let rows = self.rows;
        self.each(self.members.len(), |member| {
            member.target.forward(isa, pairs, rows, &mut member.space);
            member.take_values();
        });
        self.least(self.members.len(), least);
    }

    /// The least of the numbers of the first `count` members.
    fn least(&self, count: usize, least: &mut Vec<f32>) {
        least.clear();
        least.extend_from_slice(&self.members[0].numbers);
        for member in &self.members[1..count] {
            least.iter_mut().zip(&member.numbers).for_each(|(least, value)| *least = least.min(*value));
        }
    }

    /// One step of each critic towards `targets`, by the mean squared error times
    /// `weight`. Gives the sum of the critics' losses before it.
    pub fn regress(&mut self, isa: Isa, pairs: &[f32], targets: &[f32], weight: f32, learning_rate: f64) -> f32 {
        let rows = self.rows;
        let scale = weight / rows as f32;
        self.each(self.members.len(), |member| {
            let Critic { network, optimizer, gradients, space, numbers, .. } = member;
            network.forward(isa, pairs, rows, space);
            let stride = space.stride();
            for (row, (target, error)) in targets.iter().zip(&mut *numbers).enumerate() {
                *error = space.outputs()[row * stride] - target;
                space.output_gradient_mut()[row * stride] = 2.0 * scale * *error;
            }
            network.backward(isa, pairs, rows, space, gradients, Want::Weights);
            optimizer.update(isa, network, gradients, learning_rate, 1.0);
        });
        self.members.iter().map(|member| member.numbers.iter().map(|error| error * error).sum::<f32>() * scale).sum()
    }

    /// The least value over the first `count` critics of each of the `pairs`, and its
    /// slope by the action. Of equal values the first critic's counts.
    pub fn least_with_slope(
        &mut self,
        isa: Isa,
        pairs: &[f32],
        count: usize,
        least: &mut Vec<f32>,
        slope: &mut Vec<f32>,
    ) {
        let rows = self.rows;
        self.each(count, |member| {
            member.network.forward(isa, pairs, rows, &mut member.space);
            member.take_values();
        });
        self.least(count, least);
        // A row's slope is that of its least critic: no other needs a backward pass.
        let mut taken = vec![false; rows];
        for Critic { numbers, chosen, .. } in &mut self.members[..count] {
            chosen.clear();
            chosen.extend((0..rows).filter(|row| !taken[*row] && numbers[*row] <= least[*row]));
            chosen.iter().for_each(|row| taken[*row] = true);
        }
        self.each(count, |Critic { network, gradients, space, chosen, .. }| {
            space.keep_rows(chosen);
            let stride = space.stride();
            (0..chosen.len()).for_each(|row| space.output_gradient_mut()[row * stride] = 1.0);
            network.backward(isa, pairs, chosen.len(), space, gradients, Want::LastInput);
        });
        slope.clear();
        slope.resize(rows, 0.0);
        for Critic { space, chosen, .. } in &self.members[..count] {
            chosen.iter().zip(space.last_input_gradient()).for_each(|(row, own)| slope[*row] = *own);
        }
    }

    /// Moves the targets towards the critics by `rate` of the difference.
    pub fn follow(&mut self, isa: Isa, rate: f32) {
        for member in &mut self.members {
            member.target.blend(isa, &member.network, rate);
        }
    }

    /// Writes networks, targets and optimisers.
    pub fn save(&self, writer: &mut Writer) {
        for member in &self.members {
            saved::write_network(writer, &member.network);
            saved::write_network(writer, &member.target);
            saved::write_adam(writer, &member.optimizer);
        }
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to other networks.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        for member in &mut self.members {
            saved::read_network(reader, &mut member.network)?;
            saved::read_network(reader, &mut member.target)?;
            saved::read_adam(reader, &mut member.optimizer)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrainConfig;

    const ROWS: usize = 12;

    fn critics(threads: usize) -> Critics {
        let keys = serde_json::json!({
            "dataset": "any/A-B/1h", "algorithm": "sac", "net_arch": [16, 12], "activation": "tanh", "batch_size": ROWS,
        });
        let settings = Settings::new(&TrainConfig::from_value(&keys).unwrap(), threads).unwrap();
        let mut critics = Critics::new(2, 3, &settings, &mut Rng::new(4)).unwrap();
        critics.parallel = threads > 1;
        critics
    }

    fn pairs() -> Vec<f32> {
        let mut rng = Rng::new(5);
        (0..ROWS * 4).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect()
    }

    fn values(critics: &mut Critics, pairs: &[f32]) -> [Vec<f32>; 2] {
        for member in &mut critics.members {
            member.network.forward(Isa::detect(), pairs, ROWS, &mut member.space);
            member.take_values();
        }
        [critics.members[0].numbers.clone(), critics.members[1].numbers.clone()]
    }

    #[test]
    fn the_least_value_and_its_slope_by_the_action_are_right() {
        let (mut critics, pairs) = (critics(1), pairs());
        let (mut least, mut slope) = (Vec::new(), Vec::new());
        critics.least_with_slope(Isa::detect(), &pairs, 2, &mut least, &mut slope);
        let [first, second] = values(&mut critics, &pairs);
        let h = 1e-2;
        let shifted = |by: f32| -> Vec<f32> {
            pairs.iter().enumerate().map(|(at, value)| if at % 4 == 3 { value + by } else { *value }).collect()
        };
        let up = values(&mut critics, &shifted(h));
        let down = values(&mut critics, &shifted(-h));
        let mut chosen = [0, 0];
        for row in 0..ROWS {
            assert_eq!(least[row], first[row].min(second[row]));
            let critic = usize::from(second[row] < first[row]);
            chosen[critic] += 1;
            let expected = (up[critic][row] - down[critic][row]) / (2.0 * h);
            assert!((slope[row] - expected).abs() < 1e-3, "row {row}: {} {expected}", slope[row]);
        }
        assert!(chosen.iter().all(|count| *count > 0), "both critics are the least somewhere");
        critics.least_with_slope(Isa::detect(), &pairs, 1, &mut least, &mut slope);
        assert_eq!(least, first);
    }

    #[test]
    fn regression_approaches_the_targets_and_its_loss_is_the_mean_square() {
        let (mut critics, pairs) = (critics(1), pairs());
        let targets: Vec<f32> = pairs.chunks_exact(4).map(|pair| 0.5 * pair[0] - pair[3]).collect();
        let squares = |values: &[Vec<f32>; 2]| -> f32 {
            values.iter().flat_map(|own| own.iter().zip(&targets).map(|(value, target)| (value - target).powi(2))).sum()
        };
        let before = squares(&values(&mut critics, &pairs)) / ROWS as f32;
        let loss = critics.regress(Isa::detect(), &pairs, &targets, 0.5, 1e-2);
        assert!((loss - 0.5 * before).abs() < 1e-5 * before);
        for _ in 0..500 {
            critics.regress(Isa::detect(), &pairs, &targets, 0.5, 1e-2);
        }
        let after = squares(&values(&mut critics, &pairs)) / ROWS as f32;
        assert!(after < 0.01 * before, "{before} {after}");
    }

    #[test]
    fn targets_follow_slowly() {
        let (mut critics, pairs) = (critics(1), pairs());
        let mut start = Vec::new();
        critics.least_target(Isa::detect(), &pairs, &mut start);
        let [first, second] = values(&mut critics, &pairs);
        assert!(start.iter().zip(first.iter().zip(&second)).all(|(least, (a, b))| *least == a.min(*b)));
        for _ in 0..50 {
            critics.regress(Isa::detect(), &pairs, &[3.0; ROWS], 1.0, 1e-2);
        }
        let mut before = Vec::new();
        critics.least_target(Isa::detect(), &pairs, &mut before);
        assert_eq!(before, start, "targets do not move by themselves");
        critics.follow(Isa::detect(), 0.005);
        let mut after = Vec::new();
        critics.least_target(Isa::detect(), &pairs, &mut after);
        let moved: f32 = after.iter().zip(&start).map(|(a, b)| a - b).sum::<f32>() / ROWS as f32;
        assert!(moved > 0.0 && moved < 0.2, "{moved}");
        critics.follow(Isa::detect(), 1.0);
        critics.least_target(Isa::detect(), &pairs, &mut after);
        let [first, second] = values(&mut critics, &pairs);
        let distance = after.iter().zip(first.iter().zip(&second)).map(|(least, (a, b))| (least - a.min(*b)).abs());
        assert!(distance.fold(0.0, f32::max) < 1e-5);
    }

    #[test]
    fn threads_change_no_bit() {
        let pairs = pairs();
        let run = |threads: usize| {
            let mut critics = critics(threads);
            let (mut least, mut slope) = (Vec::new(), Vec::new());
            for _ in 0..5 {
                critics.regress(Isa::detect(), &pairs, &[0.5; ROWS], 0.5, 1e-3);
                critics.least_with_slope(Isa::detect(), &pairs, 2, &mut least, &mut slope);
                critics.follow(Isa::detect(), 0.1);
            }
            let mut target = Vec::new();
            critics.least_target(Isa::detect(), &pairs, &mut target);
            (least, slope, target)
        };
        assert_eq!(run(1), run(2));
    }
}
