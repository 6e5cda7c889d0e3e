//! How far a question and its answer have come on the wire, seen from outside of TLS: a question that was sent may be at
//! work in the model, so that it must not be asked again, and has its price.

use std::io;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::waiting::current_call;
use crate::model::ModelError;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Exchange {
    #[default]
    Nothing,
    /// Some of the question has left, on a connection that was made for it or that had waited for it.
    Asked { is_fresh: bool },
    /// Some of the answer has come.
    Answered,
}

impl Exchange {
    /// What an error means that came instead of the head of an answer.
    pub(super) fn failure(self, error: &Error) -> ModelError {
        match self {
            Self::Nothing => ModelError::Connect(error.to_string()),
            // The server had closed it meanwhile, and never saw the question.
            Self::Asked { is_fresh: false } if is_closed(error) => ModelError::Connect(error.to_string()),
            Self::Answered if !matches!(error, Error::Io(_) | Error::Timeout(_)) => {
                ModelError::Garbled(error.to_string())
            }
            Self::Asked { .. } | Self::Answered => ModelError::Unanswered(error.to_string()),
        }
    }
}

fn is_closed(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error, Error::Io(error)
        if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
}

/// The last of the connectors: what it wraps carries questions and answers as they are.
#[derive(Debug)]
pub(super) struct WitnessConnector;

impl<In: Transport> Connector<In> for WitnessConnector {
    type Out = Witness<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|transport| Witness { transport, is_fresh: true }))
    }
}

#[derive(Debug)]
pub(super) struct Witness<T> {
    transport: T,
    /// No answer has come on it yet.
    is_fresh: bool,
}

impl<T: Transport> Transport for Witness<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.transport.transmit_output(amount, timeout)?;
        if let Some(call) = current_call() {
            call.exchange.set(Exchange::Asked { is_fresh: self.is_fresh });
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let has_come = self.transport.await_input(timeout)?;
        if has_come && let Some(call) = current_call() {
            call.exchange.set(Exchange::Answered);
            self.is_fresh = false;
        }
        Ok(has_come)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}
