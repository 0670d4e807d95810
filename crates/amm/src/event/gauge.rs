//! What Slipstream logs beside its pools: stakes in gauges, and fees set by modules and the
//! factory.
//!
//! Source: the events of `ICLGauge`, `ICustomFeeModule`, `IDynamicFeeModule` and
//! `ICLFactory` of velodrome-finance/slipstream.

use ruint::aliases::U256;

use super::raw_log::{Words, narrow, topic};

const DEPOSIT: [u64; 4] = topic("1c8ab8c7f45390d58f58f1d655213a82cca5d12179761a87c16f098813b8f211");
const WITHDRAW: [u64; 4] = topic("8903a5b5d08a841e7f68438387f1da20c84dea756379ed37e633ff3854b99b84");

/// Liquidity staked in a gauge, or taken out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GaugeEvent {
    /// Whether it was staked; else taken out.
    pub deposit: bool,
    /// Who staked.
    pub user: [u8; 20],
    /// The position token.
    pub token_id: U256,
    /// Its liquidity.
    pub liquidity: u128,
}

impl GaugeEvent {
    /// The name in the database: `deposit` or `withdraw`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.deposit { "deposit" } else { "withdraw" }
    }

    pub(super) fn decode(first: U256, log: &Words<'_>) -> Result<Option<Self>, String> {
        let deposit = match *first.as_limbs() {
            DEPOSIT => true,
            WITHDRAW => false,
            _ => return Ok(None),
        };
        log.shape(3, 0)?;
        let [user, token_id, liquidity] = [log.indexed[0], log.indexed[1], log.indexed[2]];
        Ok(Some(Self { deposit, user: address(user, "user")?, token_id, liquidity: narrow(liquidity, "liquidity")? }))
    }
}

/// What was set about fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeeEventKind {
    /// A fee for one pool (a swap-fee or an unstaked-fee module).
    CustomFeeSet,
    /// A dynamic fee's factor for one pool.
    ScalingFactorSet,
    /// A dynamic fee's upper limit for one pool.
    FeeCapSet,
    /// One pool's dynamic fee is back at the defaults.
    DynamicFeeReset,
    /// The fee of a new pool.
    InitialFeeSet,
    /// The fee of a new pool has ended.
    InitialFeeDisabled,
    /// A dynamic fee's factor for all pools.
    DefaultScalingFactorSet,
    /// A dynamic fee's upper limit for all pools.
    DefaultFeeCapSet,
    /// The window of a dynamic fee's mean tick in seconds.
    SecondsAgoSet,
    /// A sender that pays less.
    DiscountedRegistered,
    /// A sender that pays the full fee again.
    DiscountedDeregistered,
    /// The factory asks another module for swap fees.
    SwapFeeModuleChanged,
    /// The factory asks another module for unstaked fees.
    UnstakedFeeModuleChanged,
    /// The unstaked fee where no module answers.
    DefaultUnstakedFeeChanged,
    /// The default fee of a tick spacing.
    TickSpacingEnabled,
}

/// Which words an event has, in their order: a pool, a subject, a value; all are topics.
struct Shape {
    kind: FeeEventKind,
    name: &'static str,
    topic: [u64; 4],
    pool: bool,
    subject: bool,
    value: bool,
}

const fn shape(kind: FeeEventKind, name: &'static str, digits: &str, [pool, subject, value]: [bool; 3]) -> Shape {
    Shape { kind, name, topic: topic(digits), pool, subject, value }
}

/// In the order of [`FeeEventKind`].
const SHAPES: [Shape; 15] = [
    shape(
        FeeEventKind::CustomFeeSet,
        "custom_fee_set",
        "e2150e4054ad34f299189d809c507f52c0c572bfef0504af03f43be0870cd354",
        POOL_VALUE,
    ),
    shape(
        FeeEventKind::ScalingFactorSet,
        "scaling_factor_set",
        "30c247ef0dda66710b7fde1079bd6f5194755e8f285b64fb79d8124f7e421830",
        POOL_VALUE,
    ),
    shape(
        FeeEventKind::FeeCapSet,
        "fee_cap_set",
        "580e5cae1c3e7e91049a0dce5893866a73af11163fd52389d95c2117d8df053b",
        POOL_VALUE,
    ),
    shape(
        FeeEventKind::DynamicFeeReset,
        "dynamic_fee_reset",
        "c468f70535e94886b35ff615ecae1df3a7149178689eb6db7d69861cd9247d05",
        POOL,
    ),
    shape(
        FeeEventKind::InitialFeeSet,
        "initial_fee_set",
        "44531d81af116c0c7f752fcad89391b989c70a1b879d53fe2d773e802f45c871",
        POOL_VALUE,
    ),
    shape(
        FeeEventKind::InitialFeeDisabled,
        "initial_fee_disabled",
        "e5533c2dec51b6b9529953d762818ba6ea041300b82826e1c634eaea2a56b1e9",
        POOL,
    ),
    shape(
        FeeEventKind::DefaultScalingFactorSet,
        "default_scaling_factor_set",
        "accdee3168908f06c20b1d22a0720fc9310a4e0540bf5070d1f2cc3478ab4e36",
        VALUE,
    ),
    shape(
        FeeEventKind::DefaultFeeCapSet,
        "default_fee_cap_set",
        "7e32f98c3f8b49356115aabb08e354ae2bd994c337ff1ea63ad3e8424b346fd2",
        VALUE,
    ),
    shape(
        FeeEventKind::SecondsAgoSet,
        "seconds_ago_set",
        "7a30af0ec8d2cdbaa589a5d6743a47a62b12f68a8d8df30747c7fcc9c69436ad",
        VALUE,
    ),
    shape(
        FeeEventKind::DiscountedRegistered,
        "discounted_registered",
        "ee3dd15d73f7ef85ed01fc28ee4377bc8f2f8ef1c7d184a76232198b5a36033a",
        SUBJECT_VALUE,
    ),
    shape(
        FeeEventKind::DiscountedDeregistered,
        "discounted_deregistered",
        "e8221b863d410fc656f2cf857231979f0e9df138aea7aadc275b1e4613311d2e",
        SUBJECT,
    ),
    shape(
        FeeEventKind::SwapFeeModuleChanged,
        "swap_fee_module_changed",
        "df24ed64a7bcd761cf1132e79f94ea269a1d570e7a6ca0ab99a8f5ccd6f5022f",
        SUBJECT_VALUE,
    ),
    shape(
        FeeEventKind::UnstakedFeeModuleChanged,
        "unstaked_fee_module_changed",
        "6520f404f3831947cee8673060459cdfb181b7332aa7580bcce9bf90ef1f0e20",
        SUBJECT_VALUE,
    ),
    shape(
        FeeEventKind::DefaultUnstakedFeeChanged,
        "default_unstaked_fee_changed",
        "cbca61144322b913ada4febfb591864cad7617559d7ee0d3e29b48eb93fcc78e",
        SUBJECT_VALUE,
    ),
    shape(
        FeeEventKind::TickSpacingEnabled,
        "tick_spacing_enabled",
        "ebafae466a4a780a1d87f5fab2f52fad33be9151a7f69d099e8934c8de85b747",
        SUBJECT_VALUE,
    ),
];

const POOL_VALUE: [bool; 3] = [true, false, true];
const POOL: [bool; 3] = [true, false, false];
const VALUE: [bool; 3] = [false, false, true];
const SUBJECT_VALUE: [bool; 3] = [false, true, true];
const SUBJECT: [bool; 3] = [false, true, false];

impl FeeEventKind {
    fn shape(self) -> &'static Shape {
        &SHAPES[self as usize]
    }

    /// The name in the database: that of the contract's event in snake case.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.shape().name
    }

    /// The kind with a name; `None` when there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        SHAPES.iter().find(|shape| shape.name == name).map(|shape| shape.kind)
    }
}

/// A change of fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeEvent {
    /// What was set.
    pub kind: FeeEventKind,
    /// The pool it is for; `None` when for all.
    pub pool: Option<[u8; 20]>,
    /// The sender that pays less, the tick spacing (two's complement), or the value before
    /// the change; `None` where the event has none.
    pub subject: Option<U256>,
    /// The new value; `None` where the event has none.
    pub value: Option<U256>,
}

impl FeeEvent {
    pub(super) fn decode(first: U256, log: &Words<'_>) -> Result<Option<Self>, String> {
        let Some(shape) = SHAPES.iter().find(|shape| shape.topic == *first.as_limbs()) else { return Ok(None) };
        log.shape(usize::from(shape.pool) + usize::from(shape.subject) + usize::from(shape.value), 0)?;
        let mut words = log.indexed.iter().copied();
        let mut next = |present: bool| if present { words.next() } else { None };
        let pool = next(shape.pool).map(|word| address(word, "pool")).transpose()?;
        Ok(Some(Self { kind: shape.kind, pool, subject: next(shape.subject), value: next(shape.value) }))
    }
}

const IGNORED: [(&str, [u64; 4]); 9] = [
    ("NotifyReward", topic("095667752957714306e1a6ad83495404412df6fdb932fca6dc849a7ee910d4c1")),
    ("ClaimFees", topic("bc567d6cbad26368064baa0ab5a757be46aae4d70f707f9203d9d9b6c8ccbfa3")),
    ("ClaimRewards", topic("1f89f96333d3133000ee447473151fa9606543368f02271c9d95ae14f13bcc67")),
    ("EarlyWithdrawPenalty", topic("84d24bc2eee194c09c5b44197d9c64101dca6178c60ee7544cd3b7016360be87")),
    ("IncreaseObservationCardinalityNext", topic("ac49e518f90a358f652e4400164f05a5d8f7e35e7747279bc3a93dbf584e125a")),
    ("OwnerChanged", topic("b532073b38c83145e3e5135377a08bf9aab55bc0fd7c1179cd4fb995d2a5159c")),
    ("SwapFeeManagerChanged", topic("7ae0007229b3333719d97e8ef5829c888f560776012974f87409c158e5b7eb91")),
    ("UnstakedFeeManagerChanged", topic("3d7ebe96182c99643ca0c997a416a2a3409baab225f85f50c29fcf0591c820c1")),
    ("PoolCreated", topic("ab0d57f0df537bb25e80245ef7748fa62353808c54d6e528a9dd20887aed9ac2")),
];

/// The name of an event that changes neither liquidity nor fees.
pub(super) fn ignored_name(first: U256) -> Option<&'static str> {
    IGNORED.iter().find(|(_, topic)| topic == first.as_limbs()).map(|(name, _)| *name)
}

fn address(word: U256, name: &str) -> Result<[u8; 20], String> {
    if word.bit_len() > 160 {
        return Err(format!("{name} 0x{word:064x} is no address"));
    }
    let bytes: [u8; 32] = word.to_be_bytes();
    Ok(std::array::from_fn(|index| bytes[index + 12]))
}

#[cfg(test)]
mod tests {
    use super::super::{Logged, Place, RawLog};
    use super::*;

    fn log(digits: &str, indexed: &[u64]) -> RawLog {
        let first = U256::from_str_radix(digits, 16).unwrap();
        RawLog {
            place: Place::default(),
            block_hash: [0; 32],
            tx_hash: [0; 32],
            address: [0; 20],
            topics: std::iter::once(first).chain(indexed.iter().map(|word| U256::from(*word))).collect(),
            data: Vec::new(),
        }
    }

    #[test]
    fn a_deposit_is_read_and_a_wrong_shape_refused() {
        let digits = "1c8ab8c7f45390d58f58f1d655213a82cca5d12179761a87c16f098813b8f211";
        let mut user = [0; 20];
        user[19] = 7;
        let expected = GaugeEvent { deposit: true, user, token_id: U256::from(8), liquidity: 9 };
        assert_eq!(log(digits, &[7, 8, 9]).decode(), Ok(Logged::Gauge(expected)));
        assert!(log(digits, &[7, 8]).decode().unwrap_err().contains("2 indexed topics"));
        let mut odd = log(digits, &[7, 8, 9]);
        odd.data = vec![0; 31];
        assert!(odd.decode().unwrap_err().contains("31 bytes"));
        odd.data.clear();
        odd.topics[1] = U256::MAX;
        assert!(odd.decode().unwrap_err().contains("no address"));
    }

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (index, shape) in SHAPES.iter().enumerate() {
            assert_eq!(shape.kind as usize, index, "{}", shape.name);
            assert_eq!(FeeEventKind::from_name(shape.name), Some(shape.kind));
        }
    }

    #[test]
    fn fee_events_are_told_by_their_words() {
        let custom = log("e2150e4054ad34f299189d809c507f52c0c572bfef0504af03f43be0870cd354", &[5, 420]);
        let Ok(Logged::Fee(event)) = custom.decode() else { panic!("{custom:?}") };
        assert_eq!((event.kind.name(), event.value), ("custom_fee_set", Some(U256::from(420))));
        assert_eq!(event.pool.map(|pool| pool[19]), Some(5));
        let spacing = log("ebafae466a4a780a1d87f5fab2f52fad33be9151a7f69d099e8934c8de85b747", &[200, 3000]);
        let Ok(Logged::Fee(event)) = spacing.decode() else { panic!("{spacing:?}") };
        assert_eq!((event.subject, event.value), (Some(U256::from(200)), Some(U256::from(3000))));
    }

    #[test]
    fn other_logs_keep_their_name_or_topic() {
        let claim = log("bc567d6cbad26368064baa0ab5a757be46aae4d70f707f9203d9d9b6c8ccbfa3", &[1]);
        assert_eq!(claim.decode(), Ok(Logged::Ignored("ClaimFees")));
        assert_eq!(
            log(&"1".repeat(64), &[]).decode(),
            Ok(Logged::Unknown(U256::from_str_radix(&"1".repeat(64), 16).unwrap()))
        );
    }
}
