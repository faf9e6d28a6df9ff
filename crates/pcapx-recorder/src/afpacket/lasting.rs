//! An interface that may be removed and come back.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::link::LinkType;

use super::capture::Capture;
use super::group::Group;
use super::options::CaptureOptions;
use crate::source::{Counts, Packet, PacketSource, SourceError, Waited};

/// How often an interface is looked for that was removed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A capture that is opened anew when its interface was removed and another of that name has come: a virtual machine
/// that was restarted, a tunnel, a card in a USB socket.
///
/// Where that is not permitted any more, because rights were given up, it ends with
/// [`NotReopened`](SourceError::NotReopened).
#[derive(Debug)]
pub struct Lasting {
    name: String,
    options: CaptureOptions,
    group: Option<Arc<Group>>,
    link_type: LinkType,
    state: State,
    /// What captures before this one have counted.
    before: Counts,
    settled: Timestamp,
}

#[derive(Debug)]
enum State {
    Here(Box<Capture>),
    /// To be looked for again at this time.
    Away(Instant),
    Stopped,
}

impl Lasting {
    /// Takes packets of the interface from now on. It has to be there.
    pub fn open(interface: &str, options: &CaptureOptions) -> Result<Self, SourceError> {
        Ok(Self::of(Capture::open(interface, options)?, *options, None))
    }

    /// Several that share an interface's packets, as [`Capture::open_group`] does.
    pub fn open_group(
        interface: &str,
        options: &CaptureOptions,
        members: NonZeroUsize,
    ) -> Result<Vec<Self>, SourceError> {
        let group = Arc::new(Group::default());
        let captures = Capture::open_group(interface, options, &group, members)?;
        let lasting = |capture| Self::of(capture, *options, Some(Arc::clone(&group)));
        Ok(captures.into_iter().map(lasting).collect())
    }

    fn of(capture: Capture, options: CaptureOptions, group: Option<Arc<Group>>) -> Self {
        Self {
            name: capture.name().to_owned(),
            options,
            group,
            link_type: capture.link_type(),
            state: State::Here(Box::new(capture)),
            before: Counts::default(),
            settled: Timestamp::MIN,
        }
    }

    /// Opens the interface if it is there again.
    fn look(&mut self) -> Result<(), SourceError> {
        let opened = match &self.group {
            None => Capture::open(&self.name, &self.options),
            Some(group) => Capture::join(&self.name, &self.options, group)
                .and_then(|capture| capture.begin().map(|()| capture)),
        };
        self.state = match opened {
            Ok(capture) if capture.link_type() == self.link_type => {
                log::warn!("{} is there again, recording goes on", self.name);
                State::Here(Box::new(capture))
            }
            Err(SourceError::NotPermitted { interface }) => {
                return Err(SourceError::NotReopened { interface });
            }
            other => {
                log::debug!("{}: {other:?}", self.name);
                State::Away(Instant::now() + LOOK_EVERY)
            }
        };
        Ok(())
    }

    /// Takes in that the interface was removed.
    fn leave(&mut self) {
        if let State::Here(capture) = &mut self.state {
            // What the kernel has not told yet is lost with the socket.
            self.before = self.before + capture.counts().unwrap_or_default();
            self.settled = self.settled.max(capture.settled());
        }
        self.state = State::Away(Instant::now());
    }
}

impl PacketSource for Lasting {
    fn name(&self) -> &str {
        &self.name
    }

    fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// An interface that is removed is told once, as an error that passes, behind its last packet.
    fn wait(&mut self, timeout: Duration, each: &mut impl FnMut(Packet<'_>)) -> Result<Waited, SourceError> {
        match &mut self.state {
            State::Stopped => Ok(Waited::End),
            State::Here(capture) => match capture.wait(timeout, each) {
                Err(SourceError::Gone { interface }) => {
                    self.leave();
                    Err(SourceError::Away { interface })
                }
                other => other,
            },
            State::Away(next) => {
                let now = Instant::now();
                // Nothing can come before it is opened.
                self.settled = self.settled.max(Timestamp::now());
                if now < *next {
                    thread::sleep(timeout.min(*next - now));
                } else {
                    self.look()?;
                }
                Ok(Waited::Nothing)
            }
        }
    }

    fn stop(&mut self) -> Result<(), SourceError> {
        if let State::Here(capture) = &mut self.state {
            return capture.stop();
        }
        self.state = State::Stopped;
        Ok(())
    }

    fn settled(&self) -> Timestamp {
        match &self.state {
            State::Here(capture) => self.settled.max(capture.settled()),
            _ => self.settled,
        }
    }

    fn fill(&self) -> f64 {
        match &self.state {
            State::Here(capture) => capture.fill(),
            _ => 0.0,
        }
    }

    fn counts(&mut self) -> Result<Counts, SourceError> {
        match &mut self.state {
            State::Here(capture) => Ok(self.before + capture.counts()?),
            _ => Ok(self.before),
        }
    }
}
