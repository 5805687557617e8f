use super::*;
use mio::Waker;

/// Longer than any of these tests may take: whoever sits it out has failed.
const TOO_LONG_US: u32 = 20_000_000;

/// Ends the loop at the first event or timer.
#[derive(Default)]
struct Once {
    at: Option<Time>,
    spun: Vec<bool>,
}

impl Handler for Once {
    fn spun(&mut self, has_found: bool) {
        self.spun.push(has_found);
    }

    fn control(&mut self, cx: &mut Cx, _index: u16) {
        self.at = Some(cx.now);
    }

    fn ready(&mut self, _cx: &mut Cx, _id: ConnId, _readiness: Readiness) {}

    fn timer(&mut self, cx: &mut Cx, _key: TimerKey) {
        self.at = Some(cx.now);
    }

    fn turn_end(&mut self, _cx: &mut Cx) -> ControlFlow<()> {
        self.at.map_or(ControlFlow::Continue(()), |_| ControlFlow::Break(()))
    }
}

/// A loop that will look for a long time.
fn looking() -> Reactor {
    let mut reactor = Reactor::new(1).unwrap();
    reactor.spin_before_sleep(TOO_LONG_US);
    reactor.spin.found();
    reactor
}

#[test]
fn it_does_not_look_past_a_timer() {
    let mut reactor = looking();
    let cx = reactor.cx();
    let due = cx.now.plus_ms(5);
    cx.timers.arm(TimerKey(0), due);
    let mut once = Once::default();
    reactor.run(&mut once).unwrap();
    let at = once.at.unwrap();
    assert!(due <= at && at.ms_since(due) < u64::from(TOO_LONG_US) / 2_000, "{due:?}, {at:?}");
    assert!(once.spun.is_empty(), "a look that was cut short proves nothing");
}

#[test]
fn it_finds_what_comes_while_it_looks() {
    let mut reactor = looking();
    let waker = Waker::new(reactor.cx().registry(), Source::Control(0).token()).unwrap();
    let mut once = Once::default();
    std::thread::scope(|scope| {
        scope.spawn(|| waker.wake().unwrap());
        reactor.run(&mut once).unwrap();
    });
    assert_eq!(once.spun, [true]);
}

#[test]
fn without_a_proof_it_sleeps_at_once() {
    let mut reactor = Reactor::new(1).unwrap();
    reactor.spin_before_sleep(1);
    let cx = reactor.cx();
    cx.timers.arm(TimerKey(0), cx.now.plus_ms(5));
    let mut once = Once::default();
    reactor.run(&mut once).unwrap();
    assert!(once.at.is_some() && once.spun.is_empty());
}
