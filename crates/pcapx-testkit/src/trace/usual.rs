//! What a site's uplink carries: flows that take turns, and what stands between them.

use std::collections::VecDeque;

use super::dice::Dice;
use super::flow::{Flow, World};
use super::sundry;

/// Flows that are alive at a time.
const SLOTS: u32 = 4000;
/// A flow sends up to this many packets in a row.
const LONGEST_BURST: u32 = 8;

/// Frames without end.
#[derive(Debug)]
pub(super) struct Usual {
    world: World,
    flows: Vec<Flow>,
    burst: Burst,
    /// Frames that are ready to go.
    queue: VecDeque<Vec<u8>>,
}

/// The flow whose turn it is.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    slot: u32,
    left: u32,
}

impl Usual {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let world = World::new(dice);
        let flow = |slot| Flow::under_way(world.path(slot, dice), dice);
        let flows = (0..SLOTS).map(flow).collect();
        Self { world, flows, burst: Burst::default(), queue: VecDeque::new() }
    }

    pub(super) fn frame(&mut self, dice: &mut Dice) -> Vec<u8> {
        if let Some(frame) = self.queue.pop_front() {
            return frame;
        }
        if self.burst.left == 0 {
            // The product of two dice makes some slots much busier than others, at every rest of a division alike.
            let (one, other) = (dice.below(SLOTS), dice.below(SLOTS));
            let slot = (u64::from(one) * u64::from(other) / u64::from(SLOTS)) as u32;
            if dice.below(10_000) < sundry::TURNS_OF_10_000 {
                let path = self.world.path(slot, dice);
                self.queue.extend(sundry::turn(&self.world, path, dice));
                return self.queue.pop_front().unwrap_or_default();
            }
            self.burst = Burst { slot, left: 1 + dice.below(LONGEST_BURST) };
        }
        self.burst.left -= 1;
        let flow = &mut self.flows[self.burst.slot as usize];
        let frame = flow.next(&self.world, dice);
        if flow.is_over() {
            *flow = Flow::new(self.world.path(self.burst.slot, dice), dice);
            self.burst.left = 0;
        }
        frame
    }
}
