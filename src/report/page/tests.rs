use super::super::run::tests::{file, run};
use super::*;
use serde_json::json;

fn side(label: &str, runs: Vec<Run>) -> Side {
    let runs = runs.into_iter().enumerate().map(|(n, run)| (n.to_string(), run)).collect();
    Side::new(label.to_owned(), runs).expect("fits")
}

/// Every element that is opened is closed, in order; void ones aside.
fn assert_well_formed(html: &str) {
    let mut open = Vec::new();
    for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let name = tag.split(' ').next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "</{name}>"),
            None if tag.ends_with('/') || ["!doctype", "meta", "html"].contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
    let one = page(&[side("a", vec![run(1e9, &[100, 200, 150], 250)])]);
    let two = page(&[
        side("before", vec![run(1e9, &[100, 90], 250), run(2e9, &[110, 95], 260)]),
        side("after", vec![run(3e9, &[300], 80)]),
    ]);
    for html in [&one, &two] {
        assert_well_formed(html);
        for word in ["<script", "<link", "<img", "@import", "url(", "NaN", "inf"] {
            assert!(!html.contains(word), "{word}");
        }
        assert!(html.contains("oneloop load tcp://127.0.0.1:7000 -c 2"), "the command");
        assert!(html.contains("<td>6.1</td>"), "the kernel");
    }
    assert!(one.contains("<b>150</b><span>right answers a second"), "{one}");
    assert!(one.contains("Measured from 2001-09-09T01:46:40Z"));
    assert!(one.contains("<td>told why</td><td>1</td><td>33.33 %</td>"));
    assert!(one.contains("1: ended in receive") && one.contains("1: full"));
    for label in ["before", "after"] {
        assert!(two.contains(&format!("</svg>{label}</li>")), "{label} is in the key");
    }
}

#[test]
fn what_a_file_says_is_text_and_no_html() {
    let mut json = file(1e9, &[100], 250);
    json["generators"][0]["command"] = json!("oneloop '<b>&\"");
    json["connections"]["reasons"] = json!({"<script>alert(1)</script>": 1});
    json["url"] = json!("tcp://<i>:1");
    let html = page(&[side("<u>", vec![Run::parse(&json.to_string()).expect("fits")])]);
    assert_well_formed(&html);
    assert!(!html.contains("<script") && !html.contains("<u>") && !html.contains("<i>"));
    assert!(html.contains("<pre>oneloop &#39;&lt;b&gt;&amp;&quot;</pre>"));
}

#[test]
fn times_and_rates_are_short() {
    let times = [(0.5, "0.5 us"), (250.0, "250 us"), (1_000.0, "1 ms"), (1_250.0, "1.25 ms")];
    for (us, text) in times {
        assert_eq!(time(us), text);
    }
    assert_eq!((short(0.0), short(2_500.0), short(2e6)), ("0".into(), "2.5k".into(), "2M".into()));
}

#[test]
fn percentiles_end_where_one_answer_is_the_share() {
    let points = nines(run(1e9, &[1_000], 250).report.latency_ns());
    let (last, us) = points.last().expect("points");
    assert!((last - 3.0).abs() < 1e-9 && (us - 250.0).abs() < 1.0, "{last} {us}");
    assert!(nines(&Histogram::new(3).expect("bounds")).is_empty());
}

#[test]
fn searches_have_a_page_too() {
    use crate::report::knee::tests::{found, knee, none};
    let of = |label: &str, json: &serde_json::Value| {
        Knees::new(label.to_owned(), vec![(label.to_owned(), knee(json))]).expect("fits")
    };
    let [before, after] =
        [of("before", &found(10_000, 10_300, 250)), of("<after>", &found(20_000, 20_600, 250))];
    let alone = page_of_knees(std::slice::from_ref(&before));
    let two = page_of_knees(&[before, after]);
    let nothing = page_of_knees(&[of("x", &none("never"))]);
    for html in [&alone, &two, &nothing] {
        assert_well_formed(html);
        assert!(!html.contains("NaN") && !html.contains("inf") && !html.contains("<after>"));
        assert!(html.contains("missed: p99 was &lt;long&gt;"), "{html}");
    }
    assert!(alone.contains("<h1>The knee of tcp://127.0.0.1:7000</h1>"));
    assert!(
        two.contains("too few samples to tell: knee (+100.0 %)")
            && two.contains("Latency by percentile")
    );
    assert!(nothing.contains("x has no knee") && !nothing.contains("Latency by percentile"));
}
