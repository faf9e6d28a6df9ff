//! `audit verify`: is an audit log what was written?

use std::path::PathBuf;

use pcapx_http::audit::{Head, VerifyError, verify};

/// Verifies `files` as one log and says what was proved.
pub(crate) fn verify_files(files: &[PathBuf], head: Option<&Head>) -> Result<(), VerifyError> {
    let verified = verify(files, head)?;
    println!(
        "ok: lines {} to {} are as they were written, head={}:{}",
        verified.first, verified.last, verified.last, verified.hash
    );
    if verified.first > 1 {
        println!("warning: lines 1 to {} are in older files that were not named", verified.first - 1);
    }
    Ok(())
}
