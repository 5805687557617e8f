//! Whether a run can be believed.
//!
//! **What.** [`Report::doubts`] says what makes the figures of a run another thing than the
//! server's own; without any the run is VALID. [`Report::percentile_us`] gives only what the
//! answers bear out.
//!
//! **Why this way.** A generator that is late, out of CPU or out of ports measures itself, and its
//! figures look like any others. It knows all that best, so it must say so, in words and with a
//! status of its own. Doubts are worked out of the figures, not noted on the way: so they hold for
//! merged reports too.
//!
//! **Costs.** A look at three histograms, once.
//!
//! **Read next.** `src/load/report.rs`.

use super::report::{Paced, Report, us};
use super::shape::Figures;
use hdrhistogram::Histogram;
use std::time::Duration;

/// A generator that sends 1 of 100 messages later than this was late. Less than that is what
/// switching between processes costs on a machine with few cores.
const LATENESS_US_MAX: f64 = 1_000.0;
/// A thread that has work for so much of the time is at its limit, whether it had a CPU or waited
/// for one that others had: the rest is waking up.
const CPU_SHARE_MAX: f64 = 0.95;
/// What a thread did in less time than this is no share of anything.
const CPU_TIME_MIN: Duration = Duration::from_millis(50);
/// Generators that had less of the measured time in common than this were no load together.
const COMMON_MIN: f64 = 0.9;
/// A percentile is told if so many answers took longer: fewer are an anecdote.
const ANSWERS_BEYOND: f64 = 10.0;
/// What failed connections say if it was this side that had no more.
const SHORTAGES: [(&str, &str); 4] = [
    ("EADDRNOTAVAIL", "out of ports: give --source several times"),
    ("EMFILE", "out of descriptors: raise ulimit -n"),
    ("ENFILE", "out of descriptors: raise fs.file-max"),
    ("ENOBUFS", "out of socket buffers: raise net.ipv4.tcp_mem"),
];

impl Report {
    /// Why the figures are not to be taken for the server's, a line each; empty if the run is
    /// VALID.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = self.own_doubts();
        if let Some(unsent) = self.paced.as_ref().map(|it| it.unsent).filter(|unsent| *unsent > 0) {
            doubts.push(format!("{unsent} messages were due and never sent: no latency has them"));
        }
        let counts_time = !self.hold && !matches!(self.shape, Some(Figures::Idle(_)));
        match self.connections.connected {
            _ if !self.measured.is_zero() => {}
            0 => doubts.push("nothing was measured: no connection was served".to_owned()),
            _ if counts_time => {
                let doubt = "nothing was measured: it ended while connections were opened";
                doubts.push(doubt.to_owned());
            }
            _ => {}
        }
        if let Some(common) = self.common.filter(|it| *it < self.measured.mul_f64(COMMON_MIN)) {
            let (common_s, measured_s) = (common.as_secs_f64(), self.measured.as_secs_f64());
            doubts.push(format!(
                "the generators had {common_s:.1} of {measured_s:.1} s in common: start them \
                 together"
            ));
        }
        let answers = self.latency.len();
        if !self.measured.is_zero() && !bears_out(answers, 0.99) {
            doubts.push(format!("{answers} answers are too few for a p99, which takes 1000"));
        }
        doubts
    }

    /// Those of the doubts that are the generator's own doing, whatever the server does: it was
    /// late, out of CPU, out of ports or descriptors.
    pub fn own_doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if let Some(late_us) = self.lateness_p99_us().filter(|us| *us > LATENESS_US_MAX) {
            let ms = late_us / 1_000.0;
            doubts.push(format!("the generator sent 1 of 100 messages {ms:.1} ms late, or more"));
        }
        let is_busy = self.cpu_share + self.cpu_wait_share >= CPU_SHARE_MAX;
        if is_busy && self.measured >= CPU_TIME_MIN {
            let (used, waited) = (self.cpu_share * 100.0, self.cpu_wait_share * 100.0);
            doubts.push(format!(
                "the generator used {used:.0} % of a CPU and waited for one {waited:.0} %: \
                 its limit"
            ));
        }
        for (errno, what) in SHORTAGES {
            let reasons = self.connections.reasons.iter();
            let count = reasons.filter(|(reason, _)| reason.starts_with(errno)).map(|(_, n)| n);
            match count.sum::<u64>() {
                0 => {}
                count => doubts.push(format!("{count} connections were {what}")),
            }
        }
        doubts
    }

    /// The latency that a share of the answers did not exceed, in microseconds; `None` if too few
    /// answers took longer to tell.
    pub fn percentile_us(&self, quantile: f64) -> Option<f64> {
        percentile_us(&self.latency, quantile)
    }

    /// At a constant rate: the same for the time since the message was sent.
    pub fn service_us(&self, quantile: f64) -> Option<f64> {
        percentile_us(&self.paced.as_ref()?.service, quantile)
    }

    /// At a constant rate: 99 of 100 messages were sent no later than this after they were due,
    /// where a connection was free; in microseconds; `None` if there are too few to tell. Of
    /// several generators that of the latest, for one may hide among others that are not.
    pub fn lateness_p99_us(&self) -> Option<f64> {
        let Paced { lateness, latest_p99_us, .. } = self.paced.as_ref()?;
        percentile_us(lateness, 0.99).into_iter().chain(*latest_p99_us).reduce(f64::max)
    }
}

/// [`Report::percentile_us`] of any histogram of nanoseconds.
pub(super) fn percentile_us(times: &Histogram<u64>, quantile: f64) -> Option<f64> {
    bears_out(times.len(), quantile).then(|| us(times.value_at_quantile(quantile)))
}

/// Whether enough of so many answers lie beyond a quantile.
fn bears_out(answers: u64, quantile: f64) -> bool {
    // 1,000 × (1 - 0.99) is a little less than 10.
    answers as f64 * (1.0 - quantile) > ANSWERS_BEYOND - 1e-6
}

#[cfg(test)]
mod tests;
