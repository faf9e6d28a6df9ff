//! The recorder's table of options as a clap command. The recorder itself reads its line without clap, as n2disk does.

use clap::{Arg, ArgAction, Command, ValueHint};
use pcapx_recorder::options::{self, Effect, OPTIONS, OptionSpec, Setting, Value};

const IDLE: &str = "Known to n2disk, without effect here";
const REFUSED: &str = "Known to n2disk, refused here";

/// Every option of the table; those that are n2disk's alone are hidden, so that no shell offers them.
pub(crate) fn command() -> Command {
    Command::new("pcapx-recorder")
        .version(env!("CARGO_PKG_VERSION"))
        .about(options::ABOUT)
        .after_help(options::MORE)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(
            Arg::new("configuration")
                .value_name("CONFIGURATION FILE")
                .value_hint(ValueHint::FilePath)
                .help("Options in a file, one a line; those on the command line replace them."),
        )
        .args(OPTIONS.iter().map(arg))
}

fn arg(option: &OptionSpec) -> Arg {
    let arg = Arg::new(option.name).long(option.alias.unwrap_or(option.name)).short(option.letter);
    let arg = if option.alias.is_some() { arg.visible_alias(option.name) } else { arg };
    let arg = match option.value {
        Value::None if option.setting() == Some(Setting::Verbosity) => arg.action(ArgAction::Count),
        Value::None => arg.action(ArgAction::SetTrue),
        Value::Needed(what) => arg.value_name(what).value_hint(hint(what)),
        Value::Maybe(what) => {
            arg.value_name(what).value_hint(hint(what)).num_args(0..=1).require_equals(true)
        }
    };
    match option.effect {
        Effect::Sets { doc, .. } => arg.help(doc),
        Effect::Idle(why) => arg.help(why).help_heading(IDLE).hide(true),
        Effect::Refused(why) => arg.help(why).help_heading(REFUSED).hide(true),
    }
}

/// What a shell completes for a value of that name.
fn hint(what: &str) -> ValueHint {
    match what {
        "DIR" => ValueHint::DirPath,
        "FILE" => ValueHint::FilePath,
        "USER" => ValueHint::Username,
        "NAME|FILE" => ValueHint::AnyPath,
        _ => ValueHint::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_a_sound_command() {
        command().debug_assert();
        assert_eq!(command().get_arguments().count(), OPTIONS.len() + 1);
    }
}
