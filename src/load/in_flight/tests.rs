use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

const DEPTH: u64 = 5;

proptest! {
    /// Against a list of every single message.
    #[test]
    fn runs_are_their_messages(steps in prop::collection::vec((0..2u64, 0..2u64, 1..4u64), 1..99)) {
        let (mut in_flight, mut twin) = (InFlight::new(DEPTH), VecDeque::new());
        let (mut now_ms, mut answered) = (0, 0);
        for (is_question, later_ms, count) in steps {
            now_ms += later_ms;
            let stamp = Stamp::on_time(Time::from_ms(now_ms));
            if is_question == 1 {
                let count = count.min(DEPTH - in_flight.len());
                if count > 0 {
                    in_flight.ask(stamp, count);
                    twin.extend((0..count).map(|_| stamp));
                }
            } else {
                let most = count.min(in_flight.len());
                if most > 0 {
                    let (stamp, count) = in_flight.answer(most);
                    let alike = twin.iter().take_while(|twin| **twin == stamp).count();
                    prop_assert_eq!(count, most.min(alike as u64));
                    prop_assert!(count > 0, "the oldest has that stamp");
                    twin.drain(..count as usize);
                    answered += count;
                }
            }
            prop_assert_eq!(in_flight.len(), twin.len() as u64);
            prop_assert_eq!(in_flight.answered(), answered);
        }
    }
}
