//! The export buttons: all that a list's filter lets through, as a file.

use std::io::Write;
use std::time::Duration;

use rouille::Response;

use super::{Ctx, Outcome, Refusal, conversations, leads};
use crate::export::{self, ExportError, Format};

/// How long to wait for another export to end.
const EXPORT_WAIT: Duration = Duration::from_secs(10);

pub(super) fn of_leads(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let (store, filter) = (ctx.admin.store.clone(), leads::filter(ctx));
    file(ctx, move |format, out| export::leads(&store, &filter, u64::MAX, format, out, |_| {}))
}

pub(super) fn of_conversations(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let (store, filter) = (ctx.admin.store.clone(), conversations::filter(ctx));
    file(ctx, move |format, out| export::conversations(&store, &filter, u64::MAX, format, out, |_| {}))
}

/// A file in the form that the address names.
fn file(
    ctx: &Ctx<'_>,
    write: impl FnOnce(Format, &mut dyn Write) -> Result<u64, ExportError> + 'static,
) -> Result<Outcome, Refusal> {
    let (what, format, media_type, ending) = match ctx.parts {
        [what, "export.csv"] => (*what, Format::Csv, "text/csv; charset=utf-8", "csv"),
        [what, ..] => (*what, Format::JsonLines, "application/x-ndjson", "jsonl"),
        [] => return Err(Refusal::NotFound),
    };
    let permit = ctx.admin.exporting.try_take().ok_or(Refusal::Limited { wait: EXPORT_WAIT })?;
    let body = move |out: &mut dyn Write| {
        let _permit = permit;
        write(format, out)
    };
    let head = Response::from_data(media_type, Vec::new())
        .with_additional_header("Content-Disposition", format!("attachment; filename=\"{what}.{ending}\""));
    Ok(Outcome::Download(head, Box::new(body)))
}
