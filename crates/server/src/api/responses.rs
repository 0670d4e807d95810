//! Refusals that routes have in common, for their descriptions.

use std::collections::BTreeMap;

use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema};

use crate::problem::Problem;

/// What any route that looks at one thing may answer.
pub(crate) struct ReadProblems;
/// What any route that changes something may answer.
pub(crate) struct WriteProblems;

const READ: [(&str, &str); 6] = [
    ("400", "The request cannot work as it is"),
    ("401", "No credential, or one that does not hold"),
    ("403", "The credential does not allow this"),
    ("404", "There is no such thing, or it may not be seen"),
    ("500", "Something failed here"),
    ("503", "A database or another part is away; try again"),
];
const WRITE: [(&str, &str); 4] = [
    ("409", "The state of the thing does not allow this"),
    ("413", "The body is larger than its limit"),
    ("415", "The body is no JSON"),
    ("429", "Too many requests, or too many unfinished jobs"),
];

fn described<'a>(list: impl Iterator<Item = &'a (&'a str, &'a str)>) -> BTreeMap<String, RefOr<Response>> {
    let problem = || Content::new(Some(RefOr::<utoipa::openapi::Schema>::Ref(Ref::from_schema_name("Problem"))));
    let response = |text: &str| {
        let builder = ResponseBuilder::new().description(text);
        builder.content("application/problem+json", problem()).build()
    };
    list.map(|(status, text)| ((*status).to_owned(), RefOr::T(response(text)))).collect()
}

impl IntoResponses for ReadProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        // The name is the schema's own.
        let _ = Problem::schema;
        described(READ.iter())
    }
}

impl IntoResponses for WriteProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        described(READ.iter().chain(&WRITE))
    }
}
