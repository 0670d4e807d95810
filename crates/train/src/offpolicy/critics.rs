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
