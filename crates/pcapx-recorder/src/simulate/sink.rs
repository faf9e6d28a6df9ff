//! A storage that throws everything away, with or without an index of it.

use std::io;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};

use pcapx_core::time::Timestamp;
use pcapx_timeline::index::{Builder, Identity, Sealed};
use pcapx_timeline::packet::PacketKeys;

use crate::chunk::Returns;
use crate::record::RECORD_HEADER_BYTES;
use crate::storage::{Message, Records, StorageError};

/// Starts the thread. It ends when the sender of messages is gone.
pub(super) fn start(
    returns: Returns,
    messages: Receiver<Message>,
    is_indexed: bool,
) -> Result<JoinHandle<Result<(), StorageError>>, StorageError> {
    let work = move || follow(&returns, messages, is_indexed).map_err(StorageError::Thread);
    thread::Builder::new().name("pcapx-sink".into()).spawn(work).map_err(StorageError::Thread)
}

fn follow(returns: &Returns, messages: Receiver<Message>, is_indexed: bool) -> io::Result<()> {
    let mut open: Option<(Records, Builder<io::Sink>)> = None;
    for message in messages {
        match message {
            Message::Begin { form, .. } if is_indexed => {
                open = Some((Records::first_of(form), Builder::new(io::sink())?));
            }
            Message::Write { chunk, .. } => {
                if let Some((records, builder)) = &mut open {
                    for (start, header, data) in records.of(&chunk) {
                        let end = start + (RECORD_HEADER_BYTES + data.len()) as u64;
                        let link = records.link_type();
                        let keys = PacketKeys::of(link, data);
                        builder.add((start, end), header.time, link, &keys, true)?;
                    }
                    records.pass(&chunk);
                }
                returns.give(chunk);
            }
            Message::End { .. } => {
                if let Some((records, builder)) = open.take() {
                    builder.finish(&sealed(records.len()))?;
                }
            }
            Message::Begin { .. } | Message::Quiet(_) => {}
        }
    }
    Ok(())
}

/// Of a segment that there is not.
fn sealed(end: u64) -> Sealed {
    Sealed {
        segment: Identity { len: end, modified: Timestamp::MIN, inode: 0 },
        end,
        is_whole: true,
        kernel_drops: None,
        recorder_drops: None,
        recorded: None,
    }
}
