use super::*;

const OPEN: Params = Params::NONE;

fn bits(bits: u8) -> Option<WindowBits> {
    Some(WindowBits::new(bits).expect("8 to 15"))
}

fn written(params: &Params) -> String {
    let mut out = Vec::new();
    params.write(&mut out);
    String::from_utf8(out).expect("ASCII")
}

/// What a server that wishes for `ours` answers to the fields `offers`.
fn answers(ours: &Params, offers: &[&str]) -> Option<String> {
    accept(offers.iter().map(|it| it.as_bytes()), ours).map(|agreed| written(&agreed))
}

/// The same to one offer, with the common beginning left out on both sides.
fn answer(ours: &Params, params: &str) -> Option<String> {
    let answer = answers(ours, &[&format!("permessage-deflate{params}")])?;
    Some(answer.strip_prefix("permessage-deflate").expect("the name").to_owned())
}

#[test]
fn a_server_answers_what_was_offered() {
    for (offer, expected) in [
        ("", ""),
        // 7.1.1
        ("; server_no_context_takeover", "; server_no_context_takeover"),
        ("; client_no_context_takeover", "; client_no_context_takeover"),
        (
            "; client_no_context_takeover; server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover",
        ),
        // 7.1.2, all of them
        ("; server_max_window_bits=8", "; server_max_window_bits=8"),
        ("; server_max_window_bits=9", "; server_max_window_bits=9"),
        ("; server_max_window_bits=10", "; server_max_window_bits=10"),
        ("; server_max_window_bits=15", "; server_max_window_bits=15"),
        ("; server_max_window_bits=\"12\"", "; server_max_window_bits=12"),
        ("; client_max_window_bits", ""),
        ("; client_max_window_bits=15", ""),
        ("; client_max_window_bits=8", "; client_max_window_bits=8"),
        // 7.1.3
        ("; client_max_window_bits; server_max_window_bits=10", "; server_max_window_bits=10"),
        // What the conformance suite offers (12, 13.1 to 13.6)
        ("; server_no_context_takeover; client_max_window_bits", "; server_no_context_takeover"),
        ("; server_max_window_bits=9; client_max_window_bits", "; server_max_window_bits=9"),
        (
            "; server_no_context_takeover; server_max_window_bits=15; client_max_window_bits",
            "; server_no_context_takeover; server_max_window_bits=15",
        ),
    ] {
        assert_eq!(answer(&OPEN, offer).as_deref(), Some(expected), "{offer}");
    }
}

#[test]
fn a_server_declines_what_is_invalid() {
    for offer in [
        "; server_no_context_takeover=1",
        "; client_no_context_takeover=true",
        "; server_no_context_takeover; server_no_context_takeover",
        "; client_no_context_takeover; client_no_context_takeover",
        "; server_max_window_bits",
        "; server_max_window_bits=7",
        "; server_max_window_bits=16",
        "; server_max_window_bits=08",
        "; server_max_window_bits=+9",
        "; server_max_window_bits=0",
        "; server_max_window_bits=256",
        "; server_max_window_bits=99999999999999999999",
        "; server_max_window_bits=ten",
        "; server_max_window_bits=10; server_max_window_bits=10",
        "; client_max_window_bits=7",
        "; client_max_window_bits=16",
        "; client_max_window_bits=015",
        "; client_max_window_bits; client_max_window_bits",
        "; client_max_window_bits; client_max_window_bits=10",
        "; client_max_window_bits=10; client_max_window_bits",
        "; unknown",
        "; unknown=1",
        "; Server_No_Context_Takeover",
    ] {
        assert_eq!(answer(&OPEN, offer), None, "{offer}");
        // The next offer is as good as if it came first.
        let both =
            format!("permessage-deflate{offer}, permessage-deflate; server_max_window_bits=11");
        let expected = Some("permessage-deflate; server_max_window_bits=11".to_owned());
        assert_eq!(answers(&OPEN, &[&both]), expected, "{offer}");
    }
}

#[test]
fn the_first_good_offer_wins_in_whatever_field_it_is() {
    let expected = Some("permessage-deflate; server_max_window_bits=10".to_owned());
    let ten = "permessage-deflate; server_max_window_bits=10";
    // 7.1.3: with a fallback.
    let fallback = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
                    permessage-deflate; client_max_window_bits";
    assert_eq!(answers(&OPEN, &[fallback]), expected);
    assert_eq!(answers(&OPEN, &["x-webkit-deflate-frame, foo; a=\"1\"", ten]), expected);
    assert_eq!(answers(&OPEN, &["permessage-deflate; no", ten, "permessage-deflate"]), expected);
    assert_eq!(answers(&OPEN, &[]), None);
    assert_eq!(answers(&OPEN, &["", "permessage-bzip2, deflate"]), None);
    assert_eq!(answers(&OPEN, &["permessage-deflate; ="]), None);
}

#[test]
fn a_server_gets_what_it_may_wish_for() {
    let ours = Params::default();
    let neither = "; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(answer(&ours, "").as_deref(), Some(neither));
    let expected = format!("{neither}; server_max_window_bits=9");
    assert_eq!(answer(&ours, "; server_max_window_bits=9"), Some(expected));

    let ours =
        Params { server_max_window_bits: bits(12), client_max_window_bits: bits(11), ..OPEN };
    for (offer, expected) in [
        ("", "; server_max_window_bits=12"),
        ("; server_max_window_bits=15", "; server_max_window_bits=12"),
        ("; server_max_window_bits=10", "; server_max_window_bits=10"),
        ("; client_max_window_bits", "; server_max_window_bits=12; client_max_window_bits=11"),
        ("; client_max_window_bits=14", "; server_max_window_bits=12; client_max_window_bits=11"),
        ("; client_max_window_bits=9", "; server_max_window_bits=12; client_max_window_bits=9"),
    ] {
        assert_eq!(answer(&ours, offer).as_deref(), Some(expected), "{offer}");
    }
}

#[test]
fn what_a_client_offers() {
    let offered = |ours: &Params| {
        let mut out = Vec::new();
        offer(ours, &mut out);
        String::from_utf8(out).expect("ASCII")
    };
    assert_eq!(offered(&OPEN), "permessage-deflate; client_max_window_bits");
    assert_eq!(
        offered(&Params::default()),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         client_max_window_bits"
    );
    let ours = Params { server_max_window_bits: bits(10), client_max_window_bits: bits(9), ..OPEN };
    assert_eq!(
        offered(&ours),
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"
    );
}

fn judged(ours: &Params, answers: &[&str]) -> Result<Option<Params>, Mismatch> {
    verify(answers.iter().map(|it| it.as_bytes()), ours)
}

#[test]
fn a_client_takes_what_it_asked_for() {
    for (ours, answer, expected) in [
        (OPEN, "", OPEN),
        (
            OPEN,
            "; server_no_context_takeover; client_no_context_takeover",
            Params { server_no_context_takeover: true, client_no_context_takeover: true, ..OPEN },
        ),
        (OPEN, "; server_max_window_bits=8", Params { server_max_window_bits: bits(8), ..OPEN }),
        (OPEN, "; client_max_window_bits=8", Params { client_max_window_bits: bits(8), ..OPEN }),
        // What a client says of itself it does, said back or not.
        (
            Params { client_no_context_takeover: true, client_max_window_bits: bits(10), ..OPEN },
            "",
            Params { client_no_context_takeover: true, client_max_window_bits: bits(10), ..OPEN },
        ),
        (
            Params { server_max_window_bits: bits(12), client_max_window_bits: bits(10), ..OPEN },
            "; server_max_window_bits=11; client_max_window_bits=9",
            Params { server_max_window_bits: bits(11), client_max_window_bits: bits(9), ..OPEN },
        ),
    ] {
        let answer = format!("permessage-deflate{answer}");
        assert_eq!(judged(&ours, &[&answer]), Ok(Some(expected)), "{answer}");
    }
    assert_eq!(judged(&OPEN, &[]), Ok(None), "declined");
    assert_eq!(judged(&OPEN, &["other"]), Ok(None), "for others to judge");
}

#[test]
fn a_client_fails_on_anything_else() {
    let ours = Params {
        server_no_context_takeover: true,
        server_max_window_bits: bits(10),
        client_max_window_bits: bits(12),
        ..OPEN
    };
    let good = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10";
    assert!(judged(&ours, &[good]).is_ok_and(|it| it.is_some()));
    for bad in [
        "permessage-deflate",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
    ] {
        assert_eq!(judged(&ours, &[bad]), Err(Mismatch::Extension), "{bad}");
    }
    for bad in [
        "; client_max_window_bits=13",
        "; client_max_window_bits",
        "; client_max_window_bits=7",
        "; server_no_context_takeover",
        "; server_max_window_bits=9",
        "; client_no_context_takeover=1",
        "; unknown",
        "; =",
        ", permessage-deflate",
    ] {
        let bad = format!("{good}{bad}");
        assert_eq!(judged(&ours, &[&bad]), Err(Mismatch::Extension), "{bad}");
    }
    assert_eq!(judged(&ours, &[good, good]), Err(Mismatch::Extension), "twice");
}

#[test]
fn both_ends_end_with_the_same() {
    let sizes = [None, bits(8), bits(9), bits(12), bits(15)];
    let wishes = (0..100).map(|n| Params {
        server_no_context_takeover: n & 1 != 0,
        client_no_context_takeover: n & 2 != 0,
        server_max_window_bits: sizes[n / 4 % 5],
        client_max_window_bits: sizes[n / 20],
    });
    for client in wishes.clone() {
        let mut offered = Vec::new();
        offer(&client, &mut offered);
        for server in wishes.clone() {
            let theirs = accept([&offered[..]].into_iter(), &server).expect("it is valid");
            let ours = judged(&client, &[&written(&theirs)]).expect("it is valid").expect("agreed");
            for sender in [Role::Server, Role::Client] {
                assert_eq!(ours.flow(sender), theirs.flow(sender), "{client:?} {server:?}");
            }
        }
    }
}
