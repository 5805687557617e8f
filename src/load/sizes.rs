//! How long each message is.
//!
//! **What.** [`Sizes`] knows the length of every message of every connection, and where it begins
//! in the connection's endless row of bytes: one size for all, or a mix by weight.
//!
//! **Why this way.** A mix is a deck of cards with exactly its weights, shuffled once by a seed; a
//! connection deals it over and over, from a place of its own. So the sizes of a connection are the
//! same whatever the timing, a run can be repeated, the weights hold to the message, and where
//! message `n` begins is arithmetic and not a sum: what is not sent yet needs no memory. Rejected:
//! a random draw a message, which must be drawn again to compare what comes back.
//!
//! **Costs.** 16 bytes a card, at most 10,000 cards; with a mix two divisions a question.
//!
//! **Read next.** `src/load/client.rs`, whose words are cut to these sizes.

use super::{LoadError, Scenario, Shape, usage};
use crate::net::{Address, Dialect};
use crate::reactor::ConnId;

/// Sizes that a mix may have.
const CLASSES_MAX: usize = 16;
/// What weights may add up to, in their lowest terms.
const WEIGHTS_MAX: u64 = 10_000;
/// A deck is repeated until it has so many cards, or the shuffling would not be worth the name.
const CARDS_MIN: u64 = 1_000;
/// The largest message, against typing errors: nothing holds one whole.
pub(super) const SIZE_BYTES_MAX: usize = 1 << 30;

/// The sizes of a run.
pub(super) struct Sizes {
    /// Bytes, in the order that they were given in; never empty.
    classes: Box<[u64]>,
    /// The first of them: all that counts where nothing is mixed.
    one: u64,
    /// If something is.
    deck: Option<Deck>,
}

/// A mix.
struct Deck {
    /// Which class each message of a round is of; never empty.
    cards: Box<[u8]>,
    /// Where each of them ends, from the beginning of the round.
    ends: Box<[u64]>,
    seed: u64,
}

/// Whether a scenario's mix can be sent.
pub(super) fn check(scenario: &Scenario) -> Result<(), LoadError> {
    let mix = &scenario.mix;
    let other = match scenario.target.dialect {
        _ if mix.is_empty() => return Ok(()),
        _ if scenario.ask.is_some() => "--ask sends one text; leave one of the two out".to_owned(),
        _ if matches!(scenario.target.address, Address::Udp(_)) => {
            "over UDP all have one --size; use tcp://".to_owned()
        }
        Dialect::Http if !scenario.method.has_body() => {
            format!("a {} request has no body; give --method POST", scenario.method.name())
        }
        _ => match scenario.shape {
            Shape::Idle { .. } => "--idle only pings; leave one of the two out".to_owned(),
            Shape::Fan => "--fan has one --size; leave one of the two out".to_owned(),
            Shape::Keep | Shape::Churn { .. } => String::new(),
        },
    };
    if !other.is_empty() {
        return usage(format!("mix: {other}"));
    }
    let size_of = |n: usize| mix[n].0;
    if mix.len() > CLASSES_MAX {
        return usage(format!("mix: {} sizes, {CLASSES_MAX} at most", mix.len()));
    }
    if let Some((size, weight)) =
        mix.iter().find(|(size, weight)| *weight == 0 || !(1..=SIZE_BYTES_MAX).contains(size))
    {
        return usage(format!(
            "mix {size}:{weight}: use 1 byte to 1GiB, and a weight of 1 or more"
        ));
    }
    if let Some(n) = (0..mix.len()).find(|&n| (0..n).any(|other| size_of(other) == size_of(n))) {
        return usage(format!("mix: size {} is there twice: add its weights", size_of(n)));
    }
    let sum = mix.iter().fold(0u64, |sum, (_, weight)| sum.saturating_add(*weight));
    if sum / divisor(mix) > WEIGHTS_MAX {
        return usage(format!(
            "mix: the weights add up to {sum}, {WEIGHTS_MAX} at most: use smaller numbers in the \
             same proportion"
        ));
    }
    Ok(())
}

impl Sizes {
    /// Messages that all have `bytes`.
    pub(super) fn one(bytes: u64) -> Sizes {
        Sizes { classes: Box::new([bytes]), one: bytes, deck: None }
    }

    /// Messages of these sizes with these weights, which were [checked](check).
    pub(super) fn mixed(mix: &[(usize, u64)], seed: u64) -> Sizes {
        let sum: u64 = mix.iter().map(|(_, weight)| weight / divisor(mix)).sum();
        let decks = CARDS_MIN.div_ceil(sum);
        let class = |(class, (_, weight)): (usize, &(usize, u64))| {
            let count = weight / divisor(mix) * decks;
            std::iter::repeat_n(class as u8, count as usize)
        };
        let mut cards: Box<[u8]> = mix.iter().enumerate().flat_map(class).collect();
        for last in (1..cards.len()).rev() {
            let other = mixed_up(seed, last as u64) % (last as u64 + 1);
            cards.swap(last, other as usize);
        }
        let classes: Box<[u64]> = mix.iter().map(|(size, _)| *size as u64).collect();
        let mut end = 0;
        let ends = cards.iter().map(|&class| {
            end += classes[usize::from(class)];
            end
        });
        let deck = Deck { ends: ends.collect(), cards, seed };
        Sizes { one: classes[0], classes, deck: Some(deck) }
    }

    /// All sizes that there are.
    pub(super) fn classes(&self) -> &[u64] {
        &self.classes
    }

    /// Which of them message `number` of connection `id` has.
    pub(super) fn class(&self, id: ConnId, number: u64) -> usize {
        self.deck.as_ref().map_or(0, |deck| deck.class(id, number))
    }

    /// Its bytes.
    #[inline]
    pub(super) fn size(&self, id: ConnId, number: u64) -> u64 {
        match &self.deck {
            None => self.one,
            Some(deck) => self.classes[deck.class(id, number)],
        }
    }

    /// The bytes of all messages before it.
    #[inline]
    pub(super) fn begin(&self, id: ConnId, number: u64) -> u64 {
        match &self.deck {
            None => number * self.one,
            Some(deck) => deck.begin(id, number),
        }
    }
}

impl Deck {
    fn class(&self, id: ConnId, number: u64) -> usize {
        let at = (self.first(id) + number) % self.cards.len() as u64;
        usize::from(self.cards[at as usize])
    }

    #[inline(never)]
    fn begin(&self, id: ConnId, number: u64) -> u64 {
        let first = self.first(id);
        self.dealt(first + number) - self.dealt(first)
    }

    /// The bytes of the first `cards` that are dealt.
    fn dealt(&self, cards: u64) -> u64 {
        let len = self.cards.len() as u64;
        let within = (cards % len) as usize;
        let of_round = within.checked_sub(1).map_or(0, |last| self.ends[last]);
        cards / len * self.ends[len as usize - 1] + of_round
    }

    /// The card that a connection begins with.
    fn first(&self, id: ConnId) -> u64 {
        mixed_up(self.seed, u64::from(id.slot) << 32) % self.cards.len() as u64
    }
}

/// The largest number that divides all weights.
fn divisor(mix: &[(usize, u64)]) -> u64 {
    let divisor = mix.iter().fold(0, |mut a, (_, weight)| {
        let mut b = *weight;
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    });
    divisor.max(1)
}

/// Number `n` of the random row that `seed` names: splitmix64 (Steele, Lea, Flood 2014).
fn mixed_up(seed: u64, n: u64) -> u64 {
    let mut x = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests;
