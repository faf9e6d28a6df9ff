//! One run of the program: from the command line to its exit code.

use std::sync::Arc;
use std::time::Instant;

use pcapx_core::local::LocalZone;
use pcapx_timeline::{Catalog, Progress, Query};

use crate::args::Args;
use crate::exit::Code;
use crate::explanation::{self, Explanation};
use crate::failure::Failure;
use crate::guise::Guise;
use crate::interrupt::Interrupt;
use crate::output::{Answer, Output};
use crate::progress::{Bar, Work};
use crate::request::Request;
use crate::summary::Summary;
use crate::target::Target;
use crate::voice::{Voice, tell};
use crate::{index_place, indexing, listing, matching_files};

/// Does what the command line asks for.
pub(crate) fn run(args: &Args, guise: Guise, voice: Voice) -> Result<Code, Failure> {
    let begun = Instant::now();
    let zone = LocalZone::system();
    for note in args.without_effect() {
        voice.note(&note);
    }
    if !args.index.is_empty() {
        return indexing::run(args, &Interrupt::watch().map_err(Failure::Signals)?, voice);
    }
    let request = Request::of(args, &zone)?;
    let interrupt = Interrupt::watch().map_err(Failure::Signals)?;
    let listing_begun = Instant::now();
    let catalog = Catalog::open(&request.roots)?;
    let listed = listing_begun.elapsed();
    let indexes = index_place::for_reading(args);
    let query = catalog
        .query(request.filter.clone(), request.window)
        .snaplen(args.snaplen)
        .indexes(indexes.clone())
        .cancel(interrupt.token.clone());
    let query = match args.threads {
        Some(threads) => query.threads(threads.into()),
        None => query,
    };
    let Some(target) = &request.target else {
        let listed = matching_files::list(&query, &request, &interrupt, voice)?;
        return Ok(if listed > 0 { Code::Done } else { guise.nothing_matched() });
    };
    if voice.names_files() {
        name_files(&query, &interrupt, voice)?;
    }
    if let Some(timeline) = target.timeline_around(&args.timelines) {
        voice.note(&format_args!(
            "the output lies in the timeline {timeline:?}: searched again, that gives its packets twice"
        ));
    }
    let output = Output { target, guise, empty: args.empty, interrupt: &interrupt };
    let answer = write(&output, query.clone(), voice)?;
    if let Some(packets) = args.print {
        listing::print(&answer.files, packets, &zone, &interrupt)?;
    }
    voice.warnings(&answer.extraction.warnings);
    note_other_name(target, &answer, voice);
    if voice.sums_up() {
        let took = begun.elapsed();
        let summary =
            Summary { request: &request, target, catalog: &catalog, answer: &answer, zone: &zone, took };
        tell(format_args!("{summary}"));
    }
    if args.explain {
        let extraction = &answer.extraction;
        let reasons = explanation::reasons(&query, indexes.as_ref(), extraction, &interrupt)?;
        tell(format_args!("{}", Explanation { catalog: &catalog, extraction, reasons, listed }));
    }
    let has_packets = answer.extraction.counts.packets_matched > 0;
    Ok(if has_packets { Code::Done } else { guise.nothing_matched() })
}

fn name_files(query: &Query<'_>, interrupt: &Interrupt, voice: Voice) -> Result<(), Failure> {
    let survey = query.survey().map_err(|error| interrupt.explain(error))?;
    for segment in survey.segments {
        voice.note(&format_args!("searching {:?}, {} bytes", segment.path, segment.len));
    }
    Ok(())
}

/// Writes the answer under a progress bar, which is gone before anything else is told.
fn write(output: &Output<'_>, query: Query<'_>, voice: Voice) -> Result<Answer, Failure> {
    let progress = Arc::new(Progress::default());
    let _bar = if voice.sums_up() { Bar::show(&progress, Work::Searching) } else { None };
    output.write(query.progress(progress))
}

fn note_other_name(target: &Target, answer: &Answer, voice: Voice) {
    if let (Target::File(asked), [file]) = (target, &answer.files[..])
        && asked != file
    {
        voice.note(&format_args!(
            "packets of different link types or precisions were found: {file:?} is a pcapng file"
        ));
    }
}
