//! `watari man-pages`: manual pages from the definitions of the flags, so that they cannot differ from the help.

use std::{fs, io, path::Path};

use clap::CommandFactory;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use crate::{
    cli::{Cli, Kind},
    failure::Failure,
};

/// Where a page says that it comes from; without the revision, so that two builds of a release have the same pages.
const SOURCE: &str = concat!("Watari ", env!("CARGO_PKG_VERSION"));

/// Writes a page for each verb and each server to the folder.
pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::Write {
        path: folder.to_owned(),
        error,
    })?;
    let mut watari = Cli::command()
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true);
    watari.build();
    with_verbs(watari, folder)?;
    let servers = [Kind::Turn, Kind::Stun, Kind::Signaling, Kind::Web];
    for program in servers.into_iter().filter_map(Kind::program) {
        // Some are called what other programs might be called, and no path leads to them.
        let page = format!("watari-{}", program.name);
        let command = program
            .command_line()
            .display_name(page)
            .version(env!("CARGO_PKG_VERSION"));
        write(command, "8", folder)?;
    }
    Ok(())
}

fn with_verbs(command: clap::Command, folder: &Path) -> Result<(), Failure> {
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    for verb in verbs.cloned() {
        with_verbs(verb, folder)?;
    }
    write(command, "1", folder)
}

fn write(command: clap::Command, section: &str, folder: &Path) -> Result<(), Failure> {
    let more = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let has_verbs = command.get_subcommands().any(|verb| !verb.is_hide_set());
    let page = Man::new(command).section(section).source(SOURCE).manual("Watari");
    let path = folder.join(page.get_filename());
    render(&page, has_verbs, &more)
        .and_then(|text| fs::write(&path, text))
        .map_err(|error| Failure::Write { path, error })
}

fn render(page: &Man, has_verbs: bool, more: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if has_verbs {
        page.render_subcommands_section(&mut text)?;
    }
    closing(more).to_writer(&mut text)?;
    Ok(text)
}

/// What stands below the flags in the help. Lines of an example stay lines, the rest is filled.
fn closing(help: &str) -> Roff {
    let mut roff = Roff::new();
    let mut heading = "";
    for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let examples = ["Examples:\n", "Example:\n"];
        let example = examples.iter().find_map(|start| paragraph.strip_prefix(start));
        let wanted = if example.is_some() { "EXAMPLES" } else { "NOTES" };
        let control = if heading == wanted { "PP" } else { "SH" };
        roff.control(control, (heading != wanted).then_some(wanted));
        heading = wanted;
        let Some(example) = example else {
            roff.text([roman(paragraph)]);
            continue;
        };
        roff.control("nf", []);
        for line in example.lines() {
            roff.text([roman(line.trim_start())]);
        }
        roff.control("fi", []);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines_and_other_words_are_filled() {
        let page =
            closing("Examples:\n  watari a   one\n  watari b\n\nMore words\nof it.\n\nAnd more.").to_roff();
        assert!(
            page.contains(".SH EXAMPLES\n.nf\nwatari a   one\nwatari b\n.fi\n.SH NOTES\nMore words\nof it.\n.PP\nAnd more."),
            "{page}"
        );
    }
}
