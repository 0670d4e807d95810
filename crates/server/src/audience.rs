//! Who may hear a model.

use assay_store::database::Audience;

use crate::access::Caller;
use crate::problem::Problem;
use crate::state::ServerState;

/// What a caller may hear of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hearing {
    /// Also what it said on paper.
    pub hears_paper: bool,
}

/// Refuses a caller who may not hear a model, in the words for a model that is not there.
pub(crate) async fn hearing(state: &ServerState, caller: &Caller, model_id: &str) -> Result<Hearing, Problem> {
    match state.platform.audience(model_id).await? {
        Audience::Everyone => {
            let stream = state.platform.stream_of_model(model_id).await?;
            Ok(Hearing { hears_paper: stream.is_some_and(|stream| caller.may_see(&stream.owner)) })
        }
        Audience::Owner(owner) if caller.may_see(&owner) => Ok(Hearing { hears_paper: true }),
        Audience::Owner(_) | Audience::Unknown => Err(Problem::not_found("model", model_id)),
    }
}
