//! Chance, the same on every machine.

/// `SplitMix64` (Steele, Lea and Flood, 2014): 64 bits of state, each seed another sequence.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 .. `limit`, all alike.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        (((self.roll() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// `low` .. `high`, all alike.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low)
    }

    /// Pareto with shape 1, cut at `most`: one in two is below twice `least`, one in ten above ten times `least`.
    pub(super) fn pareto(&mut self, least: u32, most: u32) -> u32 {
        // The inverse of the distribution function, 1 / u, in 32-bit fixed point.
        let u = (self.roll() >> 32) + 1;
        ((u64::from(least) << 32) / u).min(u64::from(most)) as u32
    }
}

/// Ranks 0 .. n, the first one most likely: rank k has a share of 1 / (k + 1).
#[derive(Clone, Debug)]
pub(super) struct Zipf(Vec<u64>);

impl Zipf {
    pub(super) fn new(ranks: u32) -> Self {
        let shares = (1..=u64::from(ranks)).map(|rank| (1 << 40) / rank);
        Self(
            shares
                .scan(0, |sum, share| {
                    *sum += share;
                    Some(*sum)
                })
                .collect(),
        )
    }

    pub(super) fn pick(&self, dice: &mut Dice) -> u32 {
        let total = self.0.last().copied().unwrap_or(1);
        let at = ((u128::from(dice.roll()) * u128::from(total)) >> 64) as u64;
        self.0.partition_point(|&sum| sum <= at) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_the_published_sequence() {
        let mut dice = Dice::new(1_234_567);
        assert_eq!([dice.roll(), dice.roll()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn picks_low_ranks_more_often() {
        let (zipf, mut dice) = (Zipf::new(100), Dice::new(1));
        let mut counts = [0u32; 100];
        (0..100_000).for_each(|_| counts[zipf.pick(&mut dice) as usize] += 1);
        // The hundredth harmonic number is 5.19, so the first rank has 19.3 %.
        assert!((18_500..20_000).contains(&counts[0]), "{}", counts[0]);
        assert!((1_700..2_200).contains(&counts[9]), "{}", counts[9]);
        assert!(counts[99] > 0);
    }

    #[test]
    fn pareto_has_a_heavy_tail() {
        let mut dice = Dice::new(2);
        let sizes: Vec<u32> = (0..10_000).map(|_| dice.pareto(6, 100_000)).collect();
        let above = |limit| sizes.iter().filter(|&&size| size > limit).count();
        assert_eq!(above(5), 10_000);
        assert!((4_500..5_500).contains(&above(12)) && (50..150).contains(&above(600)));
    }
}
