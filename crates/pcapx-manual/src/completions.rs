//! Completions, at the places where Debian's shells look for those of packages.

use std::path::PathBuf;

use clap_complete::{Shell, generate};

use crate::{Made, Program};

pub(crate) fn of(program: &Program) -> [Made; 3] {
    let name = program.name;
    [
        (Shell::Bash, format!("share/bash-completion/completions/{name}")),
        (Shell::Zsh, format!("share/zsh/vendor-completions/_{name}")),
        (Shell::Fish, format!("share/fish/vendor_completions.d/{name}.fish")),
    ]
    .map(|(shell, path)| {
        let mut script = Vec::new();
        generate(shell, &mut program.command(), name, &mut script);
        Made { path: PathBuf::from(path), content: String::from_utf8_lossy(&script).into_owned() }
    })
}
