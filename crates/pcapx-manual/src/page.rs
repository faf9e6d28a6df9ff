//! One manual page.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use roff::{Inline, Roff, bold, italic, roman};

use crate::help_text::{Block, blocks, entries};
use crate::{Made, Program};

/// What a page is a part of, at its head.
pub(crate) const MANUAL: &str = "pcapx";
/// At its foot, beside the date.
pub(crate) const SOURCE: &str = concat!("pcapx ", env!("CARGO_PKG_VERSION"));

pub(crate) fn of(program: &Program, date: &str) -> Made {
    let command = program.command();
    let section = program.section.to_string();
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    let after = after.map(ToString::to_string).unwrap_or_default();
    let told = blocks(&after);

    let mut page = Roff::new();
    page.control("TH", [&program.name.to_uppercase(), &section, date, SOURCE, MANUAL]);
    heading(&mut page, "NAME");
    page.text([roman(program.name), roman(" - "), roman(program.purpose)]);
    synopsis(&mut page, &command);
    description(&mut page, &command, &told);
    heading(&mut page, "OPTIONS");
    options(&mut page, &command);
    commands(&mut page, &command);
    titled(&mut page, &told, |title| !matches!(title, "Environment" | "Exit codes" | "Examples"));
    titled(&mut page, &told, |title| title == "Environment");
    heading(&mut page, "FILES");
    for (path, what) in program.files {
        entry(&mut page, [italic(*path)], &[what]);
    }
    titled(&mut page, &told, |title| title == "Exit codes");
    titled(&mut page, &told, |title| title == "Examples");
    see_also(&mut page, program.see_also);
    let path = format!("share/man/man{section}/{}.{section}", program.name);
    Made { path: PathBuf::from(path), content: page.render() }
}

pub(crate) fn heading(page: &mut Roff, title: &str) {
    page.control("SH", [title]);
}

/// What is explained, and below it the explanation in paragraphs; a blank line parts them as well.
pub(crate) fn entry(page: &mut Roff, term: impl Into<Vec<Inline>>, said: &[impl AsRef<str>]) {
    page.control("TP", []);
    page.text(term);
    for (at, paragraph) in said.iter().flat_map(|said| said.as_ref().split("\n\n")).enumerate() {
        if at > 0 {
            page.control("IP", []);
        }
        page.text([roman(paragraph.replace('\n', " "))]);
    }
}

pub(crate) fn see_also(page: &mut Roff, pages: &[(&str, u8)]) {
    heading(page, "SEE ALSO");
    let last = pages.len() - 1;
    let named = pages.iter().enumerate().flat_map(|(at, (name, section))| {
        [bold(*name), roman(format!("({section}){}", if at < last { ", " } else { "" }))]
    });
    page.text(named.collect::<Vec<_>>());
}

fn synopsis(page: &mut Roff, command: &Command) {
    heading(page, "SYNOPSIS");
    let mut usages = vec![usage(command)];
    usages.extend(leaves(command).iter().map(usage));
    for (at, (name, rest)) in usages.into_iter().enumerate() {
        if at > 0 {
            page.control("br", []);
        }
        page.text([bold(name), roman(rest)]);
    }
}

/// The name, with those of the commands that lead to it, and what may follow it.
fn usage(command: &Command) -> (String, String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let mut rest = String::from(" [OPTIONS]");
    for arg in command.get_positionals() {
        let value = value_name(arg);
        let many = if matches!(arg.get_action(), ArgAction::Append) { "..." } else { "" };
        let value =
            if arg.is_required_set() { format!(" {value}{many}") } else { format!(" [{value}{many}]") };
        rest.push_str(&value);
    }
    (name, rest)
}

/// Commands that have none of their own below them.
fn leaves(command: &Command) -> Vec<Command> {
    let own = command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set());
    own.flat_map(|sub| if sub.has_subcommands() { leaves(sub) } else { vec![sub.clone()] }).collect()
}

fn description(page: &mut Roff, command: &Command, told: &[Block<'_>]) {
    heading(page, "DESCRIPTION");
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    for (at, paragraph) in about.split("\n\n").enumerate() {
        if at > 0 {
            page.control("PP", []);
        }
        page.text([roman(sentence(&paragraph.replace('\n', " ")))]);
    }
    for block in told {
        let Block::Paragraph(lines) = block else { continue };
        page.control("PP", []);
        let (filled, verbatim): (Vec<&str>, Vec<&str>) =
            lines.iter().partition(|line| !line.starts_with(' '));
        page.text([roman(filled.join(" "))]);
        if !verbatim.is_empty() {
            page.control("PP", []);
            literal(page, &verbatim);
        }
    }
}

/// With a capital and a full stop, which clap and the recorder's table leave out.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let begun: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    if begun.ends_with('.') { begun } else { format!("{begun}.") }
}

/// Options in the order of their definition, those with a heading below it.
fn options(page: &mut Roff, command: &Command) {
    let mut headings: Vec<Option<&str>> = Vec::new();
    for heading in command.get_arguments().map(Arg::get_help_heading) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for (at, heading) in headings.into_iter().enumerate() {
        match heading {
            Some(title) => page.control("SS", [title]),
            // What clap adds by itself comes last.
            None if at > 0 => page.control("SS", ["Help"]),
            None => page,
        };
        for arg in command.get_arguments().filter(|arg| arg.get_help_heading() == heading) {
            option(page, arg);
        }
    }
}

fn option(page: &mut Roff, arg: &Arg) {
    // clap's own long text for --help speaks of itself.
    let long = arg.get_long_help().filter(|_| arg.get_id() != "help");
    let help = long.or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut said = vec![sentence(&help)];
    if arg.get_action().takes_values() {
        for value in arg.get_possible_values().iter().filter(|value| !value.is_hide_set()) {
            let meaning = value.get_help().map(ToString::to_string).unwrap_or_default();
            said.push(format!("{}: {}", value.get_name(), sentence(&meaning)));
        }
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if !defaults.is_empty() && !arg.is_hide_default_value_set() {
            said.push(format!("Default: {}.", defaults.join(" ")));
        }
    }
    if let Some(variable) = arg.get_env() {
        said.push(format!("The environment variable {} says the same.", variable.to_string_lossy()));
    }
    entry(page, term(arg), &said);
}

/// `-t, --timeline DIR`.
fn term(arg: &Arg) -> Vec<Inline> {
    if arg.is_positional() {
        return vec![italic(value_name(arg))];
    }
    let mut term = Vec::new();
    let names = arg.get_short().map(|letter| format!("-{letter}"));
    let long = arg.get_long().into_iter().chain(arg.get_visible_aliases().unwrap_or_default());
    for (at, name) in names.into_iter().chain(long.map(|name| format!("--{name}"))).enumerate() {
        if at > 0 {
            term.push(roman(", "));
        }
        term.push(bold(name));
    }
    if arg.get_action().takes_values() {
        let is_optional = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
        let (before, after) = match (is_optional, arg.is_require_equals_set()) {
            (true, true) => ("[=", "]"),
            (true, false) => (" [", "]"),
            (false, _) => (" ", ""),
        };
        term.extend([roman(before), italic(value_name(arg)), roman(after)]);
    }
    term
}

fn value_name(arg: &Arg) -> String {
    arg.get_value_names().map_or_else(|| arg.get_id().to_string(), |names| names.join(" "))
}

fn commands(page: &mut Roff, command: &Command) {
    let leaves = leaves(command);
    if leaves.is_empty() {
        return;
    }
    heading(page, "COMMANDS");
    for leaf in leaves {
        let (name, rest) = usage(&leaf);
        page.control("SS", [format!("{name}{rest}").as_str()]);
        let about = leaf.get_about().map(ToString::to_string).unwrap_or_default();
        page.text([roman(sentence(&about))]);
        options(page, &leaf);
    }
}

/// The blocks whose titles are asked for, each a section.
fn titled(page: &mut Roff, told: &[Block<'_>], is_asked: impl Fn(&str) -> bool) {
    for block in told {
        let Block::Titled(title, lines) = block else { continue };
        if !is_asked(title) {
            continue;
        }
        match *title {
            "Exit codes" => heading(page, "EXIT STATUS"),
            title => heading(page, &title.to_uppercase()),
        }
        match *title {
            "Exit codes" | "Environment" => {
                for (term, said) in entries(lines) {
                    entry(page, [bold(term)], &[said]);
                }
            }
            "Examples" => literal(page, lines),
            _ => {
                page.text([roman(lines.join(" "))]);
            }
        }
    }
}

/// Lines as they stand.
fn literal(page: &mut Roff, lines: &[&str]) {
    page.control("nf", []);
    page.control("RS", ["4"]);
    for line in lines {
        page.text([roman(*line)]);
    }
    page.control("RE", []);
    page.control("fi", []);
}
