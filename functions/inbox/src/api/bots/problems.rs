//! The problems that routes about bots share, for their documentation.

use utoipa::IntoResponses;

use crate::problem::Problem;

/// What every route about a bot may answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro that documents routes")]
pub enum Problems {
    /// No API key, or one that is not valid
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// The key's role is not enough, or another site's page has asked
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such thing, or it is somebody else's
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// Our own trouble: try again
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// What every write may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro that documents routes")]
pub enum WriteProblems {
    /// It cannot be done as things stand: somebody else writes at the same moment, or something is taken or full
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// `If-Match` names another version
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(Problem),
    /// A value is not valid; the detail names it
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
}

/// What every route with a body may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro that documents routes")]
pub enum BodyProblems {
    /// The body is not JSON
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// The body is larger than 2 MB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body is not `application/json`
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(Problem),
    /// A value is not valid; the detail names it
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
}
