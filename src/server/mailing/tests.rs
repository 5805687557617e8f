use super::*;
use proptest::prelude::*;

fn members(n: usize) -> Vec<ConnId> {
    (0..n as u32).map(|slot| ConnId { slot, generation: 1 }).collect()
}

/// Messages of one byte each.
fn mail(messages: std::ops::Range<u8>) -> Mail {
    Mail { messages: messages.len() as u64, bytes: messages.collect() }
}

fn begun(messages: u8, audience: usize) -> Mailing {
    let mut mailing = Mailing::default();
    mailing.begin(&mut mail(0..messages), &mut Vec::new(), &members(audience));
    mailing
}

/// Visits so many, and says who got what.
fn visits(mailing: &mut Mailing, n: usize) -> Vec<(u32, Vec<u8>)> {
    let visit = |mailing: &mut Mailing| {
        let Visit { to, from, messages } = mailing.visit()?;
        let bytes = mailing.mail.bytes[from..].to_vec();
        assert_eq!(bytes.len() as u64, messages);
        Some((to.slot, bytes))
    };
    (0..n).map_while(|_| visit(mailing)).collect()
}

#[test]
fn late_mail_goes_with_the_rest_to_who_is_next_and_then_to_who_was_before() {
    let mut mailing = begun(2, 5);
    assert_eq!(visits(&mut mailing, 2), [(0, vec![0, 1]), (1, vec![0, 1])]);
    assert!(mailing.join(&mut mail(2..4)));
    assert_eq!(mailing.copies_left(), 3 * 2 + 5 * 2);
    let all: Vec<u8> = (0..4).collect();
    assert_eq!(visits(&mut mailing, 3), [2, 3, 4].map(|who| (who, all.clone())));
    assert!(mailing.is_under_way());
    assert_eq!(visits(&mut mailing, 9), [(0, vec![2, 3]), (1, vec![2, 3])]);
    assert!(!mailing.is_under_way());
    assert!(!mailing.join(&mut mail(4..5)), "it is out");
}

#[test]
fn a_mailing_is_not_joined_for_ever() {
    let mut mailing = begun(1, 2);
    let mut joined = mail(0..0);
    while {
        joined.bytes.resize(MAIL_HIGH_BYTES / 8, 7);
        joined.messages = 1;
        mailing.join(&mut joined)
    } {
        mailing.visit();
    }
    assert_eq!(mailing.mail.bytes.len(), 1 + 7 * (MAIL_HIGH_BYTES / 8));
    assert_eq!(joined.bytes.len(), MAIL_HIGH_BYTES / 8, "what may not join stays");
}

#[test]
fn who_comes_or_ends_is_not_in_it_and_so_it_is_sealed() {
    let mut mailing = begun(1, 2);
    mailing.seal();
    assert!(!mailing.join(&mut mail(1..2)));
    let leaver = members(1);
    mailing.begin(&mut mail(1..2), &mut leaver.clone(), &members(2));
    assert_eq!(mailing.leavers, leaver);
    assert!(!mailing.join(&mut mail(2..3)), "the leaver would never end");
    mailing.begin(&mut mail(2..3), &mut Vec::new(), &members(2));
    assert!(mailing.join(&mut mail(3..4)));
}

#[test]
fn nobody_is_visited_where_nobody_is() {
    let mut mailing = begun(1, 0);
    assert!(!mailing.is_under_way());
    assert!(mailing.visit().is_none());
    assert_eq!(mailing.copies_left(), 0);
}

proptest! {
    /// However visits and late mail alternate, each receiver gets each message once and in order.
    #[test]
    fn each_gets_each_message_once_and_in_order(
        audience in 1..9_usize,
        steps in prop::collection::vec((0..7_usize, 0..4_u8), 0..20),
    ) {
        let mut mailing = begun(1, audience);
        let (mut said, mut left) = (1, audience as u64);
        let mut heard = vec![Vec::new(); audience];
        for (times, messages) in steps.into_iter().chain([(usize::MAX, 0)]) {
            let mut late = mail(said..said + messages);
            if messages > 0 && mailing.join(&mut late) {
                said += messages;
                left += u64::from(messages) * audience as u64;
            }
            let until = mailing.visits.saturating_add(times);
            while mailing.is_under_way() && mailing.visits < until {
                for (who, got) in visits(&mut mailing, 1) {
                    left -= got.len() as u64;
                    heard[who as usize].extend(got);
                }
                prop_assert_eq!(mailing.copies_left(), left);
            }
        }
        prop_assert_eq!(left, 0);
        let all: Vec<u8> = (0..said).collect();
        prop_assert!(heard.iter().all(|it| *it == all), "{:?}", heard);
    }
}
