//! The initialised ticks of a pool, sorted, one column per field.
//!
//! A sorted array instead of the contract's bitmap: a swap walks it by index and the
//! search for the next tick is one comparison. The bitmap's word boundaries still matter,
//! since the contract stops and rounds there; they are computed.

use ruint::aliases::U256;

use super::tick_math::{MAX_TICK, MIN_TICK, price_of};
use crate::error::AmmError;

/// The initialised ticks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ticks {
    index: Vec<i32>,
    /// Square-root prices: 160 bits each.
    price: Vec<[u64; 3]>,
    gross: Vec<u128>,
    net: Vec<i128>,
    /// Fee growth on the other side of the tick, per token, 128.128-bit, wrapping.
    outside: Vec<[U256; 2]>,
}

/// One initialised tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Its number.
    pub index: i32,
    /// Liquidity of all positions that end or begin here.
    pub liquidity_gross: u128,
    /// Liquidity added when the price crosses upwards.
    pub liquidity_net: i128,
    /// Fee growth on the other side of the tick per unit of liquidity, for token 0 and 1,
    /// 128.128-bit and wrapping; only differences mean something.
    pub fee_growth_outside_x128: [U256; 2],
}

impl Tick {
    /// A tick that nothing references.
    pub(crate) fn empty(index: i32) -> Self {
        Self { index, liquidity_gross: 0, liquidity_net: 0, fee_growth_outside_x128: [U256::ZERO; 2] }
    }
}

/// Where a swap's next step ends at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextTick {
    pub tick: i32,
    /// Place among the initialised ticks, or `None` for the end of a bitmap word.
    pub place: Option<usize>,
}

impl Ticks {
    /// Builds the columns from ticks in ascending order. Whether their nets fit the pool's
    /// liquidity is the pool's to check.
    ///
    /// # Errors
    /// Ticks out of order or twice, out of range or off the spacing, without liquidity or
    /// with a net above the gross.
    pub fn from_sorted(ticks: &[Tick], tick_spacing: i32) -> Result<Self, AmmError> {
        let wrong = |tick: &Tick, reason: String| AmmError::Tick { tick: tick.index, reason };
        let mut columns = Self::default();
        columns.reserve_exact(ticks.len());
        for tick in ticks {
            if let Some(before) = columns.index.last()
                && *before >= tick.index
            {
                return Err(wrong(tick, format!("follows {before}: ticks must ascend, each once")));
            }
            check_tick(tick.index, tick_spacing)?;
            if tick.liquidity_gross == 0 || tick.liquidity_net.unsigned_abs() > tick.liquidity_gross {
                let reason = format!("net liquidity {} at gross {}", tick.liquidity_net, tick.liquidity_gross);
                return Err(wrong(tick, reason));
            }
            columns.insert(columns.index.len(), *tick);
        }
        Ok(columns)
    }

    fn reserve_exact(&mut self, count: usize) {
        self.index.reserve_exact(count);
        self.price.reserve_exact(count);
        self.gross.reserve_exact(count);
        self.net.reserve_exact(count);
        self.outside.reserve_exact(count);
    }

    /// Number of initialised ticks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no tick is initialised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The ticks in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Tick> + '_ {
        (0..self.len()).map(|place| self.at(place))
    }

    /// The tick with this number, if it is initialised.
    #[must_use]
    pub fn get(&self, index: i32) -> Option<Tick> {
        self.index.binary_search(&index).ok().map(|place| self.at(place))
    }

    /// The nets of the first ticks, summed: the liquidity above each, counted from the first.
    pub(crate) fn sums(&self) -> impl Iterator<Item = Option<i128>> + '_ {
        self.net.iter().scan(Some(0_i128), |sum, net| {
            *sum = sum.and_then(|sum| sum.checked_add(*net));
            Some(*sum)
        })
    }

    /// Bytes this pool's ticks occupy on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.index.capacity() * size_of::<i32>()
            + self.price.capacity() * size_of::<[u64; 3]>()
            + self.gross.capacity() * size_of::<u128>()
            + self.net.capacity() * size_of::<i128>()
            + self.outside.capacity() * size_of::<[U256; 2]>()
    }

    fn at(&self, place: usize) -> Tick {
        Tick {
            index: self.index[place],
            liquidity_gross: self.gross[place],
            liquidity_net: self.net[place],
            fee_growth_outside_x128: self.outside[place],
        }
    }

    pub(crate) fn index_at(&self, place: usize) -> i32 {
        self.index[place]
    }

    #[inline]
    pub(crate) fn price_at(&self, place: usize) -> U256 {
        let [low, middle, high] = self.price[place];
        U256::from_limbs([low, middle, high, 0])
    }

    pub(crate) fn net_at(&self, place: usize) -> i128 {
        self.net[place]
    }

    pub(crate) fn outside_mut(&mut self, place: usize) -> &mut [U256; 2] {
        &mut self.outside[place]
    }

    pub(crate) fn place_of(&self, index: i32) -> Result<usize, usize> {
        self.index.binary_search(&index)
    }

    /// Number of initialised ticks at or below `tick`.
    #[inline]
    pub(crate) fn place_above(&self, tick: i32) -> usize {
        self.index.partition_point(|index| *index <= tick)
    }

    pub(crate) fn insert(&mut self, place: usize, tick: Tick) {
        /// Doubling would leave a large pool half empty.
        const GROWTH: usize = 16;
        if self.index.len() == self.index.capacity() {
            self.reserve_exact(GROWTH);
        }
        let [low, middle, high, _] = price_of(tick.index).into_limbs();
        self.index.insert(place, tick.index);
        self.price.insert(place, [low, middle, high]);
        self.gross.insert(place, tick.liquidity_gross);
        self.net.insert(place, tick.liquidity_net);
        self.outside.insert(place, tick.fee_growth_outside_x128);
    }

    pub(crate) fn remove(&mut self, place: usize) {
        self.index.remove(place);
        self.price.remove(place);
        self.gross.remove(place);
        self.net.remove(place);
        self.outside.remove(place);
    }

    pub(crate) fn set_liquidity(&mut self, place: usize, gross: u128, net: i128) {
        self.gross[place] = gross;
        self.net[place] = net;
    }

    /// The next initialised tick in the direction, or the end of the bitmap word the
    /// contract looks at. `above` is [`Self::place_above`] of `tick`.
    #[inline]
    pub(crate) fn next(&self, tick: i32, above: usize, tick_spacing: i32, zero_for_one: bool) -> NextTick {
        let compressed = tick.div_euclid(tick_spacing);
        let (boundary, place) = if zero_for_one {
            (((compressed >> 8) << 8) * tick_spacing, above.checked_sub(1))
        } else {
            (((compressed + 1) | 255) * tick_spacing, Some(above).filter(|above| *above < self.index.len()))
        };
        if let Some(place) = place {
            let initialised = self.index[place];
            if zero_for_one && initialised >= boundary || !zero_for_one && initialised <= boundary {
                return NextTick { tick: initialised, place: Some(place) };
            }
        }
        NextTick { tick: boundary.clamp(MIN_TICK, MAX_TICK), place: None }
    }
}

/// Checks that a tick is in range and on the spacing.
///
/// # Errors
/// A tick out of range or off the spacing.
pub fn check_tick(tick: i32, tick_spacing: i32) -> Result<(), AmmError> {
    if !(MIN_TICK..=MAX_TICK).contains(&tick) {
        return Err(AmmError::Tick { tick, reason: format!("outside {MIN_TICK} … {MAX_TICK}") });
    }
    if tick % tick_spacing != 0 {
        return Err(AmmError::Tick { tick, reason: format!("not a multiple of the spacing {tick_spacing}") });
    }
    Ok(())
}
