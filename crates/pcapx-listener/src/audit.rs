//! `audit verify`: is an audit log what was written?

use std::path::PathBuf;

use pcapx_http::audit::{Kept, VerifyError, verify};

/// Verifies `files` as one log and says what was proved.
pub(crate) fn verify_files(files: &[PathBuf], kept: &Kept) -> Result<(), VerifyError> {
    let verified = verify(files, kept)?;
    println!(
        "ok: lines {} to {} are as they were written, head={}:{}",
        verified.first, verified.last, verified.last, verified.hash
    );
    for line in &verified.unended {
        println!(
            "warning: the service began at line {line} without having ended: it was killed, or lines were cut off before"
        );
    }
    if !verified.is_ended {
        println!(
            "note: the log does not end with a stop: the service runs, was killed, or lines were cut off; --head tells"
        );
    }
    Ok(())
}
