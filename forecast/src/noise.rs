//! Numbers that look random and depend on a seed alone.

/// The generator of Steele, Lea and Flood (2014), known as splitmix64.
#[derive(Debug, Clone)]
pub(crate) struct Noise(u64);

impl Noise {
    /// A sequence of its own for each seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, all 64 bits of it.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of the first `n` whole numbers; 0 for none.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        let scaled = (u128::from(self.next()) * u128::from(n)) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// As good as standard normal: twelve uniform numbers, added.
    pub(crate) fn normal(&mut self) -> f32 {
        let uniform = |bits: u64| (bits >> 40) as f32 / (1_u32 << 24) as f32;
        (0..12).map(|_| uniform(self.next())).sum::<f32>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_as_promised() {
        let mut noise = Noise::new(7);
        let n = 20_000;
        let normal: Vec<f32> = (0..n).map(|_| noise.normal()).collect();
        let mean = normal.iter().sum::<f32>() / n as f32;
        let variance = normal.iter().map(|x| x * x).sum::<f32>() / n as f32;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
        let mut seen = [0; 5];
        for _ in 0..n {
            seen[noise.below(5)] += 1;
        }
        assert!(
            seen.iter().all(|count| (3_700..4_300).contains(count)),
            "{seen:?}"
        );
        assert_eq!(noise.below(0), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        assert_eq!(Noise::new(3).next(), Noise::new(3).next());
        assert_ne!(Noise::new(3).next(), Noise::new(4).next());
    }
}
