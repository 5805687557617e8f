//! **What.** Holds `docs/kernel-facts.md` and these tests together.
//!
//! **Why this way.** The page is for reading and the tests are for running; a row without a test or
//! a test without a row is how such pages go stale.
//!
//! **Costs.** Reads a dozen files.
//!
//! **Read next.** `docs/kernel-facts.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every test is named in a row of the page, and every name in the last column is a test.
#[test]
fn page_and_tests_name_the_same_facts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/kernel-facts.md")).unwrap();
    let last_columns = page.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit("| ").next());
    let on_page: BTreeSet<String> = last_columns
        .flat_map(|column| column.split('`').skip(1).step_by(2))
        .map(|name| name.rsplit("::").next().unwrap_or(name).to_owned())
        .filter(|name| name.contains('_'))
        .collect();

    let mut in_tests = BTreeSet::new();
    for entry in fs::read_dir(root.join("tests/kernel_facts")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("page.rs") {
            let source = fs::read_to_string(path).unwrap();
            let tests = source.split("#[test]\nfn ").skip(1);
            in_tests.extend(tests.filter_map(|test| test.split('(').next()).map(str::to_owned));
        }
    }
    assert!(in_tests.len() > 30, "the tests were found: {in_tests:?}");
    assert_eq!(on_page, in_tests);
}
