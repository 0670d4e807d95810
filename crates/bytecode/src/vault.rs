//! Balancer V2: authorizer, Vault, pool factories, and what Vault and pool store.

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy_sol_types::SolValue;

use crate::abi::Words;
use crate::artefact::{creation_code, linked_code};
use crate::assembly::place_number;
use crate::evm::{Evm, OWNER};
use crate::revert::Revert;
use crate::token::Token;

/// Whose pool contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first weighted pools (April 2021).
    FirstWeighted,
    /// Weighted pools, third version (February 2023).
    Weighted,
    /// The first stable pools (June 2021).
    FirstStable,
    /// Stable pools, second version (June 2022).
    Stable,
    /// Meta-stable pools: two tokens with rates (July 2021).
    MetaStable,
    /// The first composable stable pools (September 2022).
    FirstComposableStable,
    /// Composable stable pools, second version (November 2022).
    SecondComposableStable,
    /// Composable stable pools, third version (February 2023).
    ComposableStable,
}

/// The numbers a pool is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Decimals of every token.
    pub decimals: Vec<u8>,
    /// Weights (weighted kinds) in 18 decimals.
    pub weights: Vec<U256>,
    /// Amplification (stable kinds), without the contract's thousandths.
    pub amplification: u64,
    /// Rates (meta-stable and composable) in 18 decimals.
    pub rates: Vec<U256>,
    /// Whether the protocol takes nothing of a token's yield (composable).
    pub exempt: Vec<bool>,
    /// Swap fee in 18 decimals.
    pub fee: U256,
}

/// A deployed Vault with one pool.
#[derive(Debug, Clone)]
pub struct VaultPool {
    /// Where the Vault lives.
    pub vault: Address,
    /// Where the pool lives.
    pub address: Address,
    /// The Vault's name for the pool.
    pub id: B256,
    /// What the pool holds, in its order, a composable pool's own token among them.
    pub tokens: Vec<Address>,
    /// Place of the pool's own token among them.
    pub own: Option<usize>,
    /// Who answers for the rate of each token that is not the pool's own.
    rate_providers: Vec<Address>,
}

/// What a composable pool knows about its own token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolTokenData {
    /// All pool tokens, those in the Vault included.
    pub total_supply: U256,
    /// Amplification at the last join or exit, thousandths.
    pub last_amplification: u64,
    /// Invariant after the last join or exit.
    pub last_invariant: U256,
    /// The protocol's part of swap fees, 18 decimals.
    pub protocol_swap_fee: U256,
    /// The protocol's part of yield, 18 decimals.
    pub protocol_yield_fee: U256,
    /// Rates of the tokens besides its own.
    pub rates: Vec<RateData>,
}

/// A token's cached rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateData {
    /// Now, 18 decimals.
    pub rate: U256,
    /// At the last join or exit, 18 decimals.
    pub old: U256,
    /// Last second for which it is valid.
    pub expires: u64,
    /// Whether the protocol takes nothing of its yield.
    pub exempt: bool,
}

const TASKS: &str = "@balancer-labs/v2-deployments/dist/tasks";
/// Name, symbol and version of whatever wants one.
const NAME: &str = "POOL";
/// How long a rate stays in the cache, in seconds.
const RATE_SECONDS: u64 = 100_000_000;
/// The protocol's fee types in the percentages provider.
const SWAP_FEE_TYPE: u64 = 0;
const YIELD_FEE_TYPE: u64 = 2;

impl VaultPool {
    /// Deploys authorizer, Vault, the kind's factory, tokens and an empty pool owned by the
    /// owner. `protocol` are the protocol's parts of swap fees and yield, 18 decimals, at most half.
    ///
    /// # Errors
    /// What the factory reverts with when it refuses the settings.
    ///
    /// # Panics
    /// A constructor without settings refuses, which none does.
    pub fn deploy(evm: &mut Evm, kind: Kind, settings: &Settings, protocol: [U256; 2]) -> Result<Self, Revert> {
        let mut tokens: Vec<_> =
            settings.decimals.iter().map(|decimals| Token::deploy_with_decimals(evm, *decimals)).collect();
        // Decimals follow the order of addresses, which is not known before.
        tokens.sort();
        let authorizer = evm.deploy(&task("20210418-authorizer/artifact/Authorizer"), &(OWNER,)).expect("deploys");
        let arguments = (authorizer, Address::ZERO, U256::ZERO, U256::ZERO);
        let vault = evm.deploy(&task("20210418-vault/artifact/Vault"), &arguments).expect("the Vault deploys");
        for token in &tokens {
            token.approve(evm, OWNER, vault);
        }
        let rate_providers = place_rates(evm, &settings.rates);
        let site = Site {
            vault,
            authorizer,
            protocol,
            tokens: tokens.iter().map(|token| token.address).collect(),
            rate_providers: rate_providers.clone(),
        };
        let created = match kind {
            Kind::FirstWeighted => site.first_weighted(evm, settings),
            Kind::Weighted => site.weighted(evm, settings),
            Kind::FirstStable => site.stable(evm, settings, "20210624-stable-pool"),
            Kind::Stable => site.stable(evm, settings, "20220609-stable-pool-v2"),
            Kind::MetaStable => site.meta_stable(evm, settings),
            Kind::FirstComposableStable => {
                site.composable_stable(evm, settings, "deprecated/20220906-composable-stable-pool")
            }
            Kind::SecondComposableStable => site.composable_stable(evm, settings, "20221122-composable-stable-pool-v2"),
            Kind::ComposableStable => site.composable_stable(evm, settings, "20230206-composable-stable-pool-v3"),
        };
        let address = created?.address(0);
        let id: B256 = evm.view(address, "getPoolId()", &()).expect("a getter").unsigned(0).into();
        let mut pool = Self { vault, address, id, tokens: Vec::new(), own: None, rate_providers };
        pool.tokens = pool.vault_lists(evm).0;
        pool.own = pool.tokens.iter().position(|token| *token == address);
        Ok(pool)
    }

    /// The first deposit; one amount per token besides the pool's own.
    ///
    /// # Errors
    /// What Vault or pool revert with.
    pub fn initialize(&self, evm: &mut Evm, amounts: &[U256]) -> Result<(), Revert> {
        let amounts = self.with_own(amounts, U256::ZERO);
        self.join(evm, (U256::ZERO, amounts).abi_encode_params().into())
    }

    /// Deposits exact amounts, one per token besides the pool's own.
    ///
    /// # Errors
    /// What Vault or pool revert with.
    pub fn deposit(&self, evm: &mut Evm, amounts: &[U256]) -> Result<(), Revert> {
        self.join(evm, (U256::ONE, amounts.to_vec(), U256::ZERO).abi_encode_params().into())
    }

    /// Swaps "given in" or "given out" for the owner; returns the other amount.
    ///
    /// # Errors
    /// What Vault or pool revert with.
    pub fn swap(
        &self,
        evm: &mut Evm,
        exact_in: bool,
        token_in: usize,
        token_out: usize,
        amount: U256,
    ) -> Result<U256, Revert> {
        let kind = u8::from(!exact_in);
        let single = (self.id, U256::from(kind), self.tokens[token_in], self.tokens[token_out], amount, Bytes::new());
        let funds = (OWNER, false, OWNER, false);
        let limit = if exact_in { U256::ZERO } else { U256::MAX };
        let signature =
            "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)";
        Ok(evm.transact(OWNER, self.vault, signature, &(single, funds, limit, U256::MAX))?.unsigned(0))
    }

    /// The Vault's balances of the pool, in its order.
    pub fn balances(&self, evm: &mut Evm) -> Vec<u128> {
        self.vault_lists(evm).1
    }

    /// Decimals times rates of every token, 18 decimals.
    ///
    /// # Panics
    /// The pool has no such getter (the first weighted pools).
    pub fn scaling_factors(&self, evm: &mut Evm) -> Vec<U256> {
        let answer = evm.view(self.address, "getScalingFactors()", &()).expect("a getter");
        (0..self.tokens.len()).map(|index| answer.unsigned(2 + index)).collect()
    }

    /// What the owner holds of the pool's own token; nothing where there is none.
    ///
    /// # Panics
    /// The pool does not answer its getter, which it always does.
    pub fn own_held(&self, evm: &mut Evm) -> U256 {
        if self.own.is_none() {
            return U256::ZERO;
        }
        evm.view(self.address, "balanceOf(address)", &(OWNER,)).expect("a getter").unsigned(0)
    }

    /// Decimals of every token.
    ///
    /// # Panics
    /// A token without decimals, which none is.
    pub fn decimals(&self, evm: &mut Evm) -> Vec<u8> {
        let tokens = self.tokens.iter();
        tokens.map(|token| evm.view(*token, "decimals()", &()).expect("a getter").unsigned(0).to()).collect()
    }

    /// The owner starts to move the amplification towards `end` (not in thousandths) at `end_time`.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn move_amplification(&self, evm: &mut Evm, end: u64, end_time: u64) -> Result<(), Revert> {
        let arguments = (U256::from(end), U256::from(end_time));
        let signature = "startAmplificationParameterUpdate(uint256,uint256)";
        evm.transact(OWNER, self.address, signature, &arguments).map(|_| ())
    }

    /// Sets what a rate provider says and lets the pool read it; `token` in the pool's order.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn set_rate(&self, evm: &mut Evm, token: usize, rate: U256) -> Result<(), Revert> {
        let provider = self.rate_providers[token - usize::from(self.own.is_some_and(|own| own < token))];
        evm.set_slot(provider, U256::ZERO, rate);
        let (new, old) = ("updateTokenRateCache(address)", "updatePriceRateCache(address)");
        let signature = if self.own.is_some() { new } else { old };
        evm.transact(OWNER, self.address, signature, &(self.tokens[token],)).map(|_| ())
    }

    /// What a composable pool knows about its own token; `None` for other kinds.
    ///
    /// # Panics
    /// The pool does not answer its getters, which it always does.
    pub fn pool_token(&self, evm: &mut Evm) -> Option<PoolTokenData> {
        let own = self.own?;
        let get = |evm: &mut Evm, signature: &str| evm.view(self.address, signature, &()).expect("a getter");
        let last = get(evm, "getLastJoinExitData()");
        let fee = |evm: &mut Evm, kind: u64| {
            let getter = "getProtocolFeePercentageCache(uint256)";
            evm.view(self.address, getter, &(U256::from(kind),)).expect("a getter").unsigned(0)
        };
        let others = self.tokens.iter().enumerate().filter(|(index, _)| *index != own);
        let rates = others.map(|(_, token)| {
            let exempt = evm.view(self.address, "isTokenExemptFromYieldProtocolFee(address)", &(*token,));
            let exempt = !exempt.expect("a getter").unsigned(0).is_zero();
            let cache = evm.view(self.address, "getTokenRateCache(address)", &(*token,)).expect("a getter");
            RateData { rate: cache.unsigned(0), old: cache.unsigned(1), expires: cache.unsigned(3).to(), exempt }
        });
        let rates = rates.collect();
        Some(PoolTokenData {
            total_supply: get(evm, "totalSupply()").unsigned(0),
            last_amplification: last.unsigned(0).to(),
            last_invariant: last.unsigned(1),
            protocol_swap_fee: fee(evm, SWAP_FEE_TYPE),
            protocol_yield_fee: fee(evm, YIELD_FEE_TYPE),
            rates,
        })
    }

    fn join(&self, evm: &mut Evm, data: Bytes) -> Result<(), Revert> {
        let limits = vec![U256::MAX; self.tokens.len()];
        let signature = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))";
        let arguments = (self.id, OWNER, OWNER, (self.tokens.clone(), limits, data, false));
        evm.transact(OWNER, self.vault, signature, &arguments).map(|_| ())
    }

    fn with_own(&self, amounts: &[U256], of_own: U256) -> Vec<U256> {
        let mut amounts = amounts.to_vec();
        if let Some(own) = self.own {
            amounts.insert(own, of_own);
        }
        amounts
    }

    fn vault_lists(&self, evm: &mut Evm) -> (Vec<Address>, Vec<u128>) {
        let answer = evm.view(self.vault, "getPoolTokens(bytes32)", &(self.id,)).expect("a getter");
        let count: usize = answer.unsigned(3).to();
        let tokens = (0..count).map(|index| answer.address(4 + index)).collect();
        (tokens, (0..count).map(|index| answer.narrow(5 + count + index)).collect())
    }
}

/// Where a pool is to be made, and of what; one method per factory.
struct Site {
    vault: Address,
    authorizer: Address,
    protocol: [U256; 2],
    tokens: Vec<Address>,
    rate_providers: Vec<Address>,
}

impl Site {
    fn first_weighted(self, evm: &mut Evm, settings: &Settings) -> Result<Words, Revert> {
        let code = task("deprecated/20210418-weighted-pool/artifact/WeightedPoolFactory");
        let factory = evm.deploy(&code, &(self.vault,)).expect("the factory deploys");
        let arguments = (NAME.to_owned(), NAME.to_owned(), self.tokens, settings.weights.clone(), settings.fee, OWNER);
        evm.transact(OWNER, factory, "create(string,string,address[],uint256[],uint256,address)", &arguments)
    }

    fn weighted(self, evm: &mut Evm, settings: &Settings) -> Result<Words, Revert> {
        let code = task("20230206-weighted-pool-v3/artifact/WeightedPoolFactory");
        let arguments = (self.vault, self.protocol_fees(evm), NAME.to_owned(), NAME.to_owned());
        let factory = evm.deploy(&code, &arguments).expect("the factory deploys");
        let (weights, fee) = (settings.weights.clone(), settings.fee);
        let rateless = vec![Address::ZERO; self.tokens.len()];
        let arguments = (NAME.to_owned(), NAME.to_owned(), self.tokens, weights, rateless, fee, OWNER);
        let signature = "create(string,string,address[],uint256[],address[],uint256,address)";
        evm.transact(OWNER, factory, signature, &arguments)
    }

    fn stable(self, evm: &mut Evm, settings: &Settings, version: &str) -> Result<Words, Revert> {
        let code = task(&format!("deprecated/{version}/artifact/StablePoolFactory"));
        let factory = evm.deploy(&code, &(self.vault,)).expect("the factory deploys");
        let (amplification, fee) = (U256::from(settings.amplification), settings.fee);
        let arguments = (NAME.to_owned(), NAME.to_owned(), self.tokens, amplification, fee, OWNER);
        evm.transact(OWNER, factory, "create(string,string,address[],uint256,uint256,address)", &arguments)
    }

    fn meta_stable(self, evm: &mut Evm, settings: &Settings) -> Result<Words, Revert> {
        let folder = "deprecated/20210727-meta-stable-pool/artifact";
        let library = evm.deploy_raw(task(&format!("{folder}/QueryProcessor"))).expect("the library deploys");
        let code = linked_code(&format!("{TASKS}/{folder}/MetaStablePoolFactory.json"), library);
        let factory = evm.deploy(&code, &(self.vault,)).expect("the factory deploys");
        let durations = vec![U256::from(RATE_SECONDS); self.tokens.len()];
        let (amplification, fee) = (U256::from(settings.amplification), settings.fee);
        let lists = (self.tokens, self.rate_providers);
        let arguments =
            (NAME.to_owned(), NAME.to_owned(), lists.0, amplification, lists.1, durations, fee, false, OWNER);
        let signature = "create(string,string,address[],uint256,address[],uint256[],uint256,bool,address)";
        evm.transact(OWNER, factory, signature, &arguments)
    }

    fn composable_stable(self, evm: &mut Evm, settings: &Settings, version: &str) -> Result<Words, Revert> {
        let code = task(&format!("{version}/artifact/ComposableStablePoolFactory"));
        // The first factory takes no names of versions, and does not mind them.
        let arguments = (self.vault, self.protocol_fees(evm), NAME.to_owned(), NAME.to_owned());
        let factory = evm.deploy(&code, &arguments).expect("the factory deploys");
        let durations = vec![U256::from(RATE_SECONDS); self.tokens.len()];
        let (amplification, fee) = (U256::from(settings.amplification), settings.fee);
        let (exempt, lists) = (settings.exempt.clone(), (self.tokens, self.rate_providers));
        let arguments =
            (NAME.to_owned(), NAME.to_owned(), lists.0, amplification, lists.1, durations, exempt, fee, OWNER);
        let signature = "create(string,string,address[],uint256,address[],uint256[],bool[],uint256,address)";
        evm.transact(OWNER, factory, signature, &arguments)
    }

    /// Deploys the provider of protocol fee percentages and sets them.
    fn protocol_fees(&self, evm: &mut Evm) -> Address {
        let collector = evm.view(self.vault, "getProtocolFeesCollector()", &()).expect("a getter").address(0);
        let code = task("20220725-protocol-fee-percentages-provider/artifact/ProtocolFeePercentagesProvider");
        let most = U256::from(500_000_000_000_000_000_u64);
        let provider = evm.deploy(&code, &(self.vault, most, most)).expect("the provider deploys");
        let set = "setFeeTypePercentage(uint256,uint256)";
        allow(evm, self.authorizer, collector, "setSwapFeePercentage(uint256)", provider);
        allow(evm, self.authorizer, provider, set, OWNER);
        for (kind, value) in [SWAP_FEE_TYPE, YIELD_FEE_TYPE].into_iter().zip(self.protocol) {
            evm.transact(OWNER, provider, set, &(U256::from(kind), value)).expect("a part of at most half");
        }
        provider
    }
}

/// Creation code by its place among the package's deployment tasks.
fn task(path: &str) -> Bytes {
    creation_code(&format!("{TASKS}/{path}.json"))
}

/// A provider for every rate.
fn place_rates(evm: &mut Evm, rates: &[U256]) -> Vec<Address> {
    let mut providers = Vec::new();
    for (index, rate) in (0_u8..).zip(rates) {
        let mut provider = address!("4000000000000000000000000000000000000000");
        provider.0[19] = index + 1;
        place_number(evm, provider);
        evm.set_slot(provider, U256::ZERO, *rate);
        providers.push(provider);
    }
    providers
}

/// Lets `who` call a guarded function.
fn allow(evm: &mut Evm, authorizer: Address, of: Address, signature: &str, who: Address) {
    let mut selector = [0; 32];
    selector[..4].copy_from_slice(&keccak256(signature)[..4]);
    let mut data = keccak256("getActionId(bytes4)")[..4].to_vec();
    data.extend(selector);
    let action: B256 = evm.transact_raw(OWNER, of, data.into()).expect("a getter").unsigned(0).into();
    evm.transact(OWNER, authorizer, "grantRole(bytes32,address)", &(action, who)).expect("the owner is admin");
}
