//! Events through a pool of either kind that can be replayed.

use assay_amm::concentrated::{Core, sqrt_price_at_tick};
use assay_amm::event::Events;
use assay_amm::kind::{Slipstream, UniswapV3};
use assay_amm::replay::{Replay, ReplayPool};

/// Applies every event to every pool; refusals are fine.
pub fn all(events: Events) {
    let core = || Core::new(60, sqrt_price_at_tick(5).unwrap()).unwrap();
    let mut replays = [
        Replay::new(ReplayPool::V3(UniswapV3::new(core(), 3000, false).unwrap())),
        Replay::new(ReplayPool::V3(UniswapV3::new(core(), 2500, true).unwrap())),
        Replay::new(ReplayPool::Slipstream(Slipstream::new(core(), None, Some(100_000)).unwrap())),
    ];
    for event in events.map_while(Result::ok) {
        for replay in &mut replays {
            let _ = replay.apply(&event);
        }
    }
}
