use super::*;

fn crew(number: usize, has_room: &[bool]) -> Crew {
    let socket = || Socket::pair(socket2::Domain::UNIX, socket2::Type::SEQPACKET, None).unwrap().0;
    Crew {
        number,
        control: socket(),
        inbox: Inbox::new(socket(), has_room.len()),
        outboxes: Vec::new(),
        pages: Arc::new(Shared::create(page::words_of(has_room.len())).unwrap()),
        has_room: has_room.to_vec(),
        is_threads: false,
    }
}

/// Which sockets are watched: everybody's, and those of each worker.
fn watched(crew: &Crew) -> (bool, Vec<bool>) {
    let of = |number| crew.watches(Owner::Worker(number));
    (crew.watches(Owner::All), (0..crew.has_room.len()).map(of).collect())
}

#[test]
fn a_worker_watches_its_own_socket_and_those_of_the_full() {
    assert_eq!(watched(&crew(0, &[true, true, true])), (true, vec![true, false, false]));
    assert_eq!(watched(&crew(0, &[true, false, true])), (true, vec![true, true, false]));
    assert_eq!(watched(&crew(0, &[true, false, false])), (true, vec![true, true, true]));
}

#[test]
fn a_full_worker_watches_nothing_until_all_are_full() {
    assert_eq!(watched(&crew(1, &[true, false, false])), (false, vec![false, false, false]));
    // The dead are among those who have no room: their sockets are looked after all the same.
    assert_eq!(watched(&crew(1, &[false, false, false])), (true, vec![true, true, true]));
}

#[test]
fn room_that_a_page_shows_counts_before_the_roster_tells() {
    let mut crew = crew(0, &[false, false]);
    assert!(!crew.others_have_room());
    page::show_part(&crew.pages, 1, true);
    crew.ask_the_pages();
    assert!(crew.others_have_room());
}

#[test]
fn too_few_sockets_are_everybodys() {
    assert_eq!(Owner::of(0, 1, 3), Owner::All);
    // More than workers, as after an upgrade to fewer: each has some.
    assert_eq!([3, 4].map(|nth| Owner::of(nth, 5, 3)), [0, 1].map(Owner::Worker));
}
