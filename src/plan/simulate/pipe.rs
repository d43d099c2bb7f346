//! One direction of the learner's link: messages go out one after the other.

/// See the module.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Bytes a second; infinite within a machine.
    rate: f64,
    latency: f64,
    free_at: f64,
    /// Bytes so far.
    pub bytes: f64,
    /// Seconds so far in which it was in use.
    pub used: f64,
}

impl Pipe {
    /// A link of so many bytes a second and so many seconds of latency.
    pub fn new(rate: f64, latency: f64) -> Self {
        Self {
            rate,
            latency,
            free_at: 0.0,
            bytes: 0.0,
            used: 0.0,
        }
    }

    /// When a message arrives that is sent now.
    pub fn send(&mut self, now: f64, bytes: f64) -> f64 {
        let takes = bytes / self.rate;
        self.free_at = self.free_at.max(now) + takes;
        self.bytes += bytes;
        self.used += takes;
        self.free_at + self.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_for_those_before_them() {
        let mut pipe = Pipe::new(100.0, 0.5);
        assert_eq!(pipe.send(1.0, 200.0), 3.5);
        assert_eq!(pipe.send(1.0, 100.0), 4.5);
        assert_eq!(pipe.send(10.0, 100.0), 11.5);
        assert_eq!((pipe.bytes, pipe.used), (400.0, 4.0));
    }
}
