//! Expressions against texts, as Prometheus answers; `exporter/tests` asks a real one.

use super::*;

#[track_caller]
fn check(pattern: &str, matching: &[&str], others: &[&str]) {
    let compiled = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for text in matching {
        assert!(compiled.is_match(text), "{pattern} on {text:?}");
    }
    for text in others {
        assert!(!compiled.is_match(text), "{pattern} on {text:?}");
    }
}

#[track_caller]
fn refuse(pattern: &str, expect: &str) {
    let error = Pattern::new(pattern).map(|_| pattern).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("error parsing regexp: {expect}"),
        "{pattern}"
    );
}

#[test]
fn braces_without_a_count_stand_for_themselves() {
    check("/v1/.*/{id}", &["/v1/users/{id}"], &["/v1/users/id"]);
    check("x{,3}", &["x{,3}"], &["x", "xxx"]);
    check("x{01}", &["x{01}"], &["x"]);
    check("{", &["{"], &[""]);
    check("x{2}y{1,}z{0,1}", &["xxyy", "xxyz"], &["xy", "xxyzz"]);
}

#[test]
fn brackets_hold_characters_and_no_operators() {
    check("[^[]+", &["a]"], &["a["]);
    check("[[a]", &["[", "a"], &["b"]);
    check(r"[\w-,]+", &["x-y,z"], &["x.y"]);
    check("[a-z&&x]+", &["a&b"], &["A"]);
    check("[a-z--m]+", &["a-m."], &["~"]);
    check("[a~~b]", &["~"], &["c"]);
    check("[]a]", &["]", "a"], &["b"]);
    check("[a-]", &["-", "a"], &["b"]);
    check("[^a]", &["\n", "é"], &["a", ""]);
    check(r"[^\x00-\x{10FFFF}]*", &[""], &["a"]);
    check(r"[[:^alpha:][:digit:]x]", &["1", ".", "x"], &["y"]);
    check("[[:word:]]", &["_"], &["-"]);
    check("[[:alpha]", &[":", "a"], &["b"]);
}

#[test]
fn classes_are_ascii_unless_they_are_of_unicode() {
    check(r"\d", &["3"], &["٣"]);
    check(r"\w\s\S\D\W", &["a\tbc."], &["é\tbc."]);
    check(r"\s", &["\u{c}"], &["\u{b}", "\u{a0}"]);
    check(r"a\b.\Bé", &["a,é"], &["abé"]);
    check(r"\pL\p{Greek}\P{Lu}\p{^Lu}", &["éλaa"], &["éλAA", "élaa"]);
    check(r"\p{Zl}\p{Any}\pC", &["\u{2028}x\0"], &["\u{2028}x\u{378}"]);
    check(r"(?i)\w+[[:lower:]]", &["ſK"], &["é"]);
    check(r"(?i:É)É", &["éÉ"], &["éé"]);
}

#[test]
fn escapes_and_quotations_are_those_of_re2() {
    check(r"\Qx.y\E+", &["x.yyy"], &["xzy"]);
    check(r"\Qx.y", &["x.y"], &["xzy"]);
    check(r"a\&b", &["a&b"], &[]);
    check(r"\141\x62\x{63}\a\0", &["abc\u{7}\0"], &[]);
    check(r"\<x\>\/\-\_", &["<x>/-_"], &["x"]);
    check(r"\Ax\z", &["x"], &["ax"]);
}

#[test]
fn flags_hold_until_the_end_of_their_group() {
    check("(?i)PLAIN", &["plain"], &[]);
    check("(?i:a|b)c", &["Ac", "Bc"], &["AC"]);
    check("(a(?i)b|c)d", &["aBd", "Cd"], &["Abd", "cD"]);
    check("(?-s:.)", &["a"], &["\n"]);
    check(".(?U)a+?(?P<n>b)(?<m_1>c)", &["\nabc"], &["abc"]);
    check("(?m)a$\n^b", &["a\nb"], &["ab"]);
    check("a$\n^b", &[], &["a\nb"]);
    check("(?i-i:a)", &["a"], &["A"]);
    check("()|(?:)a||b", &["", "a", "b"], &["c"]);
}

#[test]
fn what_prometheus_refuses_is_refused_in_its_words() {
    refuse("(", "missing closing ): `(`");
    refuse("a)|(b", "unexpected ): `a)|(b`");
    refuse("[a", "missing closing ]: `[a`");
    refuse("[[:foo:]]", "invalid character class range: `[:foo:]`");
    refuse("[z-a]", "invalid character class range: `z-a`");
    refuse("*a", "missing argument to repetition operator: `*`");
    refuse("a|+", "missing argument to repetition operator: `+`");
    refuse("a**", "invalid nested repetition operator: `**`");
    refuse("a+?{2}", "invalid nested repetition operator: `+?{2}`");
    refuse("x{1001}", "invalid repeat count: `{1001}`");
    refuse("x{3,2}", "invalid repeat count: `{3,2}`");
    refuse("(x{100}){11}", "invalid repeat count: `{11}`");
    refuse(r"\C", r"invalid escape sequence: `\C`");
    refuse(r"\8", r"invalid escape sequence: `\8`");
    refuse(r"\1", r"invalid escape sequence: `\1`");
    refuse(r"[\b]", r"invalid escape sequence: `\b`");
    refuse(r"\", "trailing backslash at end of expression: ``");
    refuse(
        r"\p{Alphabetic}",
        r"invalid character class range: `\p{Alphabetic}`",
    );
    refuse(r"\p{greek}", r"invalid character class range: `\p{greek}`");
    refuse("(?=look)", "invalid or unsupported Perl syntax: `(?=`");
    refuse("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`");
    refuse("(?P<a b>c)", "invalid named capture: `(?P<a b>`");
}

#[test]
fn large_and_deep_expressions_cost_a_bounded_amount() {
    check(".{1000}", &[&"é".repeat(1_000)], &["é"]);
    check("(?:a{10}){100}", &[&"a".repeat(1_000)], &["a"]);
    assert_eq!(
        Pattern::new(r"(\pL{30}){33}").map(|_| ()),
        Err(PatternError::TooLarge)
    );
    let nested = |n: usize| format!("{}a{}", "(".repeat(n), ")*".repeat(n));
    check(&nested(200), &["aa"], &["b"]);
    assert!(matches!(
        Pattern::new(&nested(201)),
        Err(PatternError::TooDeep(_))
    ));
    check(
        &format!("{}a{}", "(".repeat(1_000), ")".repeat(1_000)),
        &["a"],
        &["b"],
    );
    assert!(Pattern::new(&"(".repeat(1_000_000)).is_err());
}
