//! The owner, made at the first start, and how one gets back in.

use assay_store::database::UserRow;
use assay_types::Secret;

use super::keys::random;
use super::{NewKey, Role, Scope};
use crate::clock::now_ms;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Makes the owner and their key, which is shown this once, unless there are users.
///
/// # Errors
/// [`Code::Unavailable`] when the database is away.
pub async fn first_owner(state: &ServerState) -> Result<Option<Secret>, Problem> {
    if state.platform.first_owner().await?.is_some() {
        return Ok(None);
    }
    let now = now_ms();
    let user = UserRow {
        user_id: new_user_id()?,
        number: 0,
        name: "owner".to_owned(),
        role: Role::Owner.as_str().to_owned(),
        address: None,
        active: true,
        created_at: now,
    };
    let key = NewKey::draw(&user.user_id, "first key", &Scope::ALL, now).await?;
    let is_first = state.platform.put_first_user(&user, &key.row).await?;
    Ok(is_first.then_some(key.text))
}

/// Makes another key of the first owner, for one who lost theirs but has the machine.
///
/// # Errors
/// [`Code::NotFound`] before the first start, [`Code::Unavailable`] when the database is away.
pub async fn another_owner_key(state: &ServerState) -> Result<Secret, Problem> {
    let owner = state.platform.first_owner().await?;
    let owner = owner.ok_or_else(|| Problem::new(Code::NotFound, "there is no owner yet"))?;
    let key = NewKey::draw(&owner.user_id, "made at the machine", &Scope::ALL, now_ms()).await?;
    state.platform.put_key(&key.row).await?;
    Ok(key.text)
}

/// A new user's id.
pub(crate) fn new_user_id() -> Result<String, Problem> {
    Ok(format!("u_{}", hex::encode(random::<8>()?)))
}
