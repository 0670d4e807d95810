//! Lists in pages, as GraphQL connections, with the cursors of the REST lists.

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Error, OutputType};

use crate::page::{MAX_LIMIT, Paging};
use crate::problem::Problem;

/// The arguments of a list as a page.
pub(super) fn paging(first: Option<i32>, after: Option<&str>) -> Result<Paging, Error> {
    let limit = first.map(u32::try_from).transpose();
    let limit = limit.map_err(|_| Error::new(format!("first must be 1 to {MAX_LIMIT}")))?;
    Paging::new(after, limit).map_err(told)
}

/// A page of up to [`Paging::fetch`] rows with their numbers; `shown` drops those that may not
/// be seen.
pub(super) fn connection<R, T: OutputType>(
    paging: Paging,
    rows: Vec<(u64, R)>,
    mut shown: impl FnMut(R) -> Option<T>,
) -> Connection<String, T> {
    let limit = paging.limit as usize;
    let mut page = Connection::with_additional_fields(paging.after.is_some(), rows.len() > limit, EmptyFields);
    for (number, row) in rows.into_iter().take(limit) {
        page.edges.extend(shown(row).map(|node| Edge::new(format!("c{number}"), node)));
    }
    page
}

/// A refusal as GraphQL tells it.
pub(super) fn told(problem: Problem) -> Error {
    let code = serde_json::to_value(problem.code).unwrap_or_default();
    let mut error = Error::new(problem.detail);
    let mut extensions = async_graphql::ErrorExtensionValues::default();
    extensions.set("code", code.as_str().unwrap_or_default());
    error.extensions = Some(extensions);
    error
}
