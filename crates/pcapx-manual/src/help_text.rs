//! The text below the options of `--help`, taken apart.
//!
//! ```text
//! Sentences that stand         ─► Paragraph
//! at the margin.
//!
//! Exit codes:                  ─► Titled "Exit codes"
//!   0  ended as asked          ─► entry: a word, two blanks, what it means;
//!   3  an interface cannot     ─► lines that are further in go on
//!      be recorded from
//! ```

/// One block; blank lines end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block<'a> {
    /// Lines without a title; those that are set in belong on lines of their own.
    Paragraph(Vec<&'a str>),
    /// The title, without its colon, and the lines below it with the common indent taken away.
    Titled(&'a str, Vec<&'a str>),
}

/// The common indent of lines below a title.
const INDENT: &str = "  ";

pub(crate) fn blocks(text: &str) -> Vec<Block<'_>> {
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(block).collect()
}

fn block(text: &str) -> Block<'_> {
    let lines: Vec<_> = text.trim_matches('\n').lines().collect();
    let title = lines[0].strip_suffix(':').filter(|_| lines.len() > 1);
    match title {
        Some(title) if lines[1..].iter().all(|line| line.starts_with(INDENT)) => {
            Block::Titled(title, lines[1..].iter().map(|line| &line[INDENT.len()..]).collect())
        }
        _ => Block::Paragraph(lines),
    }
}

/// Lines as entries: what is explained, and its explanation.
pub(crate) fn entries(lines: &[&str]) -> Vec<(String, String)> {
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in lines {
        match (line.split_once("  "), entries.last_mut()) {
            (Some((term, said)), _) if !line.starts_with(' ') => {
                entries.push((term.to_owned(), said.trim().to_owned()));
            }
            (_, Some((_, said))) => {
                said.push(' ');
                said.push_str(line.trim());
            }
            (_, None) => entries.push((String::new(), line.trim().to_owned())),
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_entries_and_paragraphs_are_told_apart() {
        let text =
            "One folder\nat a time:\n  setcap x\n\nExit codes:\n  0  well\n  3  not there,\n     or gone\n";
        let blocks = blocks(text);
        let codes = ["0  well", "3  not there,", "   or gone"].to_vec();
        assert_eq!(
            blocks,
            [
                Block::Paragraph(["One folder", "at a time:", "  setcap x"].to_vec()),
                Block::Titled("Exit codes", codes.clone()),
            ]
        );
        let pairs = [("0", "well"), ("3", "not there, or gone")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(entries(&codes), pairs);
    }
}
