//! Server-sent events, read as they come in pieces (WHATWG HTML §9.2). Ours have their number inside their data.

use crate::service::EventView;
use std::collections::VecDeque;

const MAX_LINE_BYTES: usize = 1 << 20;

/// Why a stream can't be read on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SseError {
    /// It ended, broke or fell silent.
    #[error("the stream ended")]
    Ended,
    /// A line that never ends.
    #[error("a line is too long")]
    TooLong,
    /// Not one of our events.
    #[error("not an event")]
    NotAnEvent,
}

/// Makes events of pieces.
#[derive(Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    data: String,
    ready: VecDeque<EventView>,
}

impl Parser {
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), SseError> {
        for byte in piece {
            match byte {
                b'\n' => self.end_line()?,
                b'\r' => {}
                byte => {
                    if self.line.len() + self.data.len() >= MAX_LINE_BYTES {
                        return Err(SseError::TooLong);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(())
    }

    pub(super) fn next_event(&mut self) -> Option<EventView> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if !data.is_empty() {
                self.ready.push_back(serde_json::from_str(&data).map_err(|_| SseError::NotAnEvent)?);
            }
        } else if let Some(data) = line.strip_prefix(b"data:") {
            let text = std::str::from_utf8(data).map_err(|_| SseError::NotAnEvent)?;
            self.data.push_str(text.strip_prefix(' ').unwrap_or(text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TWO: &str = ": hello\n\nid: 4\nevent: swap\ndata: {\"seq\":4,\"kind\":\"swap\",\"at\":1,\"subject\":\"a\",\"data\":{}}\n\n:\n\n\
                       data:{\"seq\":5,\"kind\":\"swap\",\ndata: \"at\":1,\"subject\":\"ä\",\"data\":{}}\r\n\r\n";

    #[test]
    fn events_are_the_same_however_the_stream_is_cut() {
        for size in 1..TWO.len() {
            let mut parser = Parser::default();
            TWO.as_bytes().chunks(size).for_each(|piece| parser.push(piece).unwrap());
            let events: Vec<_> = std::iter::from_fn(|| parser.next_event()).map(|event| (event.seq, event.subject)).collect();
            assert_eq!(events, [(4, "a".to_owned()), (5, "ä".to_owned())], "{size}");
        }
    }

    #[test]
    fn what_is_no_event_or_never_ends_is_refused() {
        assert_eq!(Parser::default().push(b"data: hello\n\n"), Err(SseError::NotAnEvent));
        assert_eq!(Parser::default().push(b"data: \xff\n"), Err(SseError::NotAnEvent));
        assert_eq!(Parser::default().push(&vec![b'x'; MAX_LINE_BYTES + 1]), Err(SseError::TooLong));
    }
}
