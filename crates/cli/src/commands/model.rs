//! `assay model …`

use std::path::PathBuf;

use assay_jobs::jobs::models::{
    Card, Publish, Published, RUNTIME, Reader, Registry, Verified, list_models, pack_model, show_model, verify_model,
};
use assay_jobs::{DatabaseLocation, JobError, Workspace};
use clap::{Args, Subcommand};

use crate::output::{Console, table};

/// Digits of a model's id that lists show.
const SHORT_ID: usize = 12;

#[derive(Subcommand)]
pub enum Model {
    /// Publish a finished run as a model.
    #[command(after_help = PUBLISH_EXAMPLES)]
    Publish(PublishModel),
    /// Every model, newest first.
    List(Place),
    /// A model's card.
    Show(Named),
    /// Recompute a model's hashes and its equity on this machine; exit code 3 when something does not hold.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Named),
    /// A folder that speaks by itself: a small binary with the model, and a container file.
    #[command(after_help = PACK_EXAMPLES)]
    Pack(PackModel),
}

const PACK_EXAMPLES: &str = "\
Examples:
  assay model pack 9c2e --out packed
  assay model pack \"hourly momentum\" --out packed --runtime target/release/assay-runtime";

const PUBLISH_EXAMPLES: &str = "\
Examples:
  assay model publish 1f3a --name \"hourly momentum\"
  assay model publish 1f3a --name \"my own\" --private --fee-bps 50";

const VERIFY_EXAMPLES: &str = "\
Examples:
  assay model verify 9c2e
  assay model verify \"hourly momentum\" --json";

/// Where the registry is.
#[derive(Args)]
pub struct Place {
    /// A SQLite file, or postgres://… [default: HOME/platform.db].
    #[arg(long, value_name = "URL", env = "ASSAY_DATABASE", hide_env_values = true)]
    database: Option<String>,
}

#[derive(Args)]
pub struct PublishModel {
    /// Run id, or the first digits of it.
    run: String,
    /// What to call the model.
    #[arg(long)]
    name: String,
    /// Show it to its owner alone, and seal everything here that holds its weights.
    #[arg(long)]
    private: bool,
    /// What listeners pay, in basis points.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fee_bps: u32,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub struct Named {
    /// Model id, its first digits, or its name.
    model: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub struct PackModel {
    #[command(flatten)]
    named: Named,
    /// The folder to write, empty or not there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The runtime's binary [default: assay-runtime beside this program].
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
}

impl Place {
    fn registry<'a>(&self, workspace: &'a Workspace<'a>) -> Result<Registry<'a>, JobError> {
        let location: Option<DatabaseLocation> = self.database.as_deref().map(str::parse).transpose()?;
        Ok(Registry::local(workspace, location))
    }
}

impl Model {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<bool> {
        match self {
            Self::Publish(publish) => publish.run(workspace, console).map(|()| true),
            Self::List(place) => {
                let cards = list_models(&place.registry(workspace)?, Reader::All)?;
                print_list(&cards, console).map(|()| true)
            }
            Self::Show(named) => print_card(&named.card(workspace)?, console).map(|()| true),
            Self::Verify(named) => {
                let card = named.card(workspace)?;
                let verified = verify_model(workspace, &card)?;
                print_verified(&verified, &card, console)?;
                Ok(verified.holds)
            }
            Self::Pack(pack) => {
                let card = pack.named.card(workspace)?;
                let packed = pack_model(workspace, &card, &pack.out, pack.runtime.as_deref())?;
                let mut lines =
                    vec![format!("model         {}", packed.model_id), format!("folder        {}", packed.out)];
                lines.extend(packed.files.iter().map(|(name, bytes)| format!("file          {name} {bytes} bytes")));
                let next = format!("{}/{RUNTIME} --help", packed.out);
                console.answer(&packed, &lines.join("\n"), &next).map(|()| true)
            }
        }
    }
}

impl Named {
    fn card(&self, workspace: &Workspace) -> anyhow::Result<Card> {
        Ok(show_model(&self.place.registry(workspace)?, Reader::All, &self.model)?)
    }
}

impl PublishModel {
    fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let registry = self.place.registry(workspace)?;
        let publish = Publish {
            run: self.run,
            name: self.name,
            owner: registry.local_owner()?,
            is_private: self.private,
            fee_bps: self.fee_bps,
        };
        let published = publish.run(workspace, &registry)?;
        let Published { model_id, model_cid, config_cid, warnings, dry_run, card } = &published;
        let mut lines = vec![
            format!("model         {model_id}"),
            format!("name          {}", card.name),
            format!("visibility    {}", card.visibility),
            format!("model_cid     {model_cid}"),
            format!("config_cid    {config_cid}"),
            format!("files         {}", card.files.len()),
        ];
        lines.extend(warnings.iter().map(|warning| format!("warning       {warning}")));
        if *dry_run {
            lines.push("dry run: nothing was published".to_owned());
        }
        let next = format!("assay model verify {}", &model_id[..SHORT_ID]);
        console.answer(&published, &lines.join("\n"), &next)
    }
}

fn print_list(cards: &[Card], console: &Console) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = cards
        .iter()
        .map(|card| {
            vec![
                card.model_id[..SHORT_ID].to_owned(),
                card.name.clone(),
                card.visibility.clone(),
                card.lineage.dataset.clone(),
                card.algorithm.clone(),
                card.score.value.clone().unwrap_or_else(|| card.score.reason.clone().unwrap_or_default()),
                card.published_at.clone(),
            ]
        })
        .collect();
    let head = ["model", "name", "visibility", "dataset", "algorithm", "score", "published"];
    let text = if rows.is_empty() { "no models yet".to_owned() } else { table(&head, &rows) };
    let next = if rows.is_empty() { "assay model publish RUN --name NAME" } else { "assay model show MODEL" };
    console.answer(&serde_json::json!({ "models": cards }), &text, next)
}

fn print_card(card: &Card, console: &Console) -> anyhow::Result<()> {
    let reason = |reason: &Option<String>| reason.clone().unwrap_or_default();
    let metric = |name: &str| card.metrics[name].as_f64().map_or_else(|| "—".to_owned(), |value| format!("{value:.4}"));
    let terms = &card.score.terms;
    let mut lines = vec![
        format!("model         {}", card.model_id),
        format!("name          {}", card.name),
        format!("what          {}", card.summary),
        format!("owner         {}, {}, fee {} bps", card.owner, card.visibility, card.fee_bps),
        format!("published     {}", card.published_at),
        format!("run           {}", card.lineage.run_id),
        format!("dataset       {}{}", card.lineage.dataset, if card.synthetic { " (synthetic)" } else { "" }),
        format!("model_cid     {}", card.model_cid),
        format!("config_cid    {}", card.config_cid),
        format!("data_hash     {}", card.hashes.data),
        format!("feature_hash  {}", card.hashes.features),
        format!("equity_hash   {}", card.hashes.equity),
        format!("return        {}", metric("total_return")),
        format!("sharpe        {}", metric("sharpe")),
        format!("max drawdown  {}", metric("max_drawdown")),
        format!(
            "score         {}",
            card.score.value.clone().unwrap_or_else(|| format!("— ({})", reason(&card.score.reason)))
        ),
        format!("  audited     {} (receipts {} of {})", terms.audited, card.audit.receipts, card.audit.needed),
        format!(
            "  return 7 d  {}",
            terms.return_7d.clone().unwrap_or_else(|| format!("— ({})", reason(&terms.return_7d_reason)))
        ),
        format!("  stake       {} {}", terms.stake_tokens, reason(&terms.stake_reason)),
    ];
    lines.extend(
        card.files.iter().map(|file| format!("file          {} {} {} bytes", file.content_id, file.name, file.bytes)),
    );
    lines.extend(card.near_duplicates.iter().map(|near| {
        format!("near          {} answers alike on {:.2} % of the probe", near.model_id, near.agreement * 100.0)
    }));
    console.answer(card, &lines.join("\n"), &format!("assay model verify {}", &card.model_id[..SHORT_ID]))
}

fn print_verified(verified: &Verified, card: &Card, console: &Console) -> anyhow::Result<()> {
    let mark = |holds: bool| if holds { "holds" } else { "DOES NOT HOLD" };
    let weights = verified.weights_hash.as_deref() == Some(&card.model_id);
    let mut lines = vec![format!("model         {}", verified.model_id), format!("weights       {}", mark(weights))];
    lines.extend(verified.files.iter().map(|file| format!("file          {} {}", file.name, mark(file.holds))));
    lines.push(format!("equity_hash   {} {}", verified.equity.expected, mark(verified.equity.holds)));
    lines.extend(verified.problems.iter().map(|problem| format!("problem       {problem}")));
    let run = &card.lineage.run_id;
    console.answer(verified, &lines.join("\n"), &format!("assay backtest {}", &run[..SHORT_ID.min(run.len())]))
}
