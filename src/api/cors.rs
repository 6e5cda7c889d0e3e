//! What a browser on another origin may read (the Fetch standard, "CORS protocol"; the contract, section 3).
//!
//! An answer is readable for an origin that some agent allows, unless it is the very refusal of the origin: whoever
//! passed the gate is allowed by its own agent, and an error before the gate (a 401, say) must be readable too.

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome, Snapshot, routes};
use crate::domain::origin::Received;

const EXPOSED: &str = "Retry-After, X-Request-Id, RateLimit, RateLimit-Policy";

/// Who may read the answer to a request.
pub(super) enum Access {
    /// Not a route of the widget: for this origin's own pages.
    Closed,
    /// This origin, or none.
    Origin(Option<String>),
    /// Every origin: `/v1/widget/check` tells why an origin is refused.
    All,
}

impl Access {
    pub(super) fn of(snapshot: &Snapshot, method: &str, path: &str, origin: Option<&str>) -> Self {
        if path == routes::CHECK && method != "OPTIONS" {
            Self::All
        } else if path.starts_with(routes::WIDGET) {
            Self::Origin(origin.filter(|origin| is_known(snapshot, origin)).map(str::to_owned))
        } else {
            Self::Closed
        }
    }

    /// Lets the answer be read.
    pub(super) fn open(self, response: Response) -> Response {
        match self {
            Self::Closed => response,
            Self::Origin(None) => response.with_additional_header("Vary", "Origin"),
            Self::Origin(Some(origin)) => readable(response, origin).with_additional_header("Vary", "Origin"),
            Self::All => readable(response, "*".to_owned()),
        }
    }

    /// Lets a refusal be read, unless it refuses the origin itself.
    pub(super) fn open_refusal(self, response: Response, error: &ApiError) -> Response {
        let is_origin_refusal = matches!(
            error,
            ApiError::OriginNotAllowed { .. } | ApiError::OriginMissing { .. } | ApiError::PreflightNotAllowed { .. }
        );
        match self {
            Self::Origin(Some(_)) if is_origin_refusal => Self::Origin(None).open(response),
            access => access.open(response),
        }
    }
}

fn readable(response: Response, origin: String) -> Response {
    response
        .with_additional_header("Access-Control-Allow-Origin", origin)
        .with_additional_header("Access-Control-Expose-Headers", EXPOSED)
}

/// `OPTIONS`: the agent is not known yet, so an origin that any agent allows may ask.
pub(super) fn preflight(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let origin = ctx.origin_header().unwrap_or_default();
    if !is_known(ctx.snapshot, origin) {
        return Err(ApiError::PreflightNotAllowed { origin: origin.to_owned() });
    }
    let methods = if routes::path(ctx.request) == routes::ME { "GET, DELETE" } else { "POST" };
    let response = Response::empty_204()
        .with_additional_header("Access-Control-Allow-Methods", methods)
        .with_additional_header("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
        .with_additional_header("Access-Control-Max-Age", "7200");
    Ok(response.into())
}

/// Whether any agent allows this origin.
fn is_known(snapshot: &Snapshot, origin: &str) -> bool {
    let received = Received::parse(origin);
    snapshot.config.agents.iter().any(|agent| agent.allowed_origins.allow(&received, &snapshot.own_origins))
}
