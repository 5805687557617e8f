use super::*;

#[test]
fn steps_are_round() {
    for (value, up, down) in
        [(0.3, 0.5, 0.2), (1.0, 1.0, 1.0), (37.0, 50.0, 20.0), (99.0, 100.0, 50.0)]
    {
        assert!((round_up(value) - up).abs() < 1e-9, "{value}");
        assert!((floor_of(value) - down).abs() < 1e-9, "{value}");
    }
}

#[test]
fn an_axis_has_its_ends_at_its_ends() {
    let axis = |scale, values| Axis { scale, values, pixels: (0.0, 100.0) };
    let linear = axis(Scale::Linear, (0.0, 10.0));
    assert_eq!((linear.at(0.0), linear.at(5.0), linear.at(10.0)), (0.0, 50.0, 100.0));
    assert_eq!(linear.ticks(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    let log = axis(Scale::Log, (10.0, 1_000.0));
    assert_eq!((log.at(10.0), log.at(100.0), log.at(1_000.0)), (0.0, 50.0, 100.0));
    assert_eq!(log.ticks(), [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0]);
}

#[test]
fn nothing_and_one_point_can_be_drawn_too() {
    let chart = |points: Vec<(f64, f64)>| Chart {
        title: "a \"chart\"",
        x_label: "s",
        x_ticks: None,
        y_scale: Scale::Log,
        y_text: |value| format!("{value}"),
        y_at_least: 0.0,
        lines: vec![Line { label: "<a>".to_owned(), colour: 7, dashed: true, points }],
    };
    assert!(chart(vec![]).svg().contains("Nothing was measured"));
    let one = chart(vec![(0.5, 20.0)]).svg();
    assert!(one.contains("<circle class=\"dot s1\"") && one.contains("&lt;a&gt;"), "{one}");
    assert!(one.contains("a &quot;chart&quot;") && !one.contains("NaN"), "{one}");
    let flat = chart(vec![(0.0, 0.0), (1.0, 0.0)]).svg();
    assert!(flat.contains("class=\"line s1 dashed\"") && !flat.contains("NaN"), "{flat}");
}
