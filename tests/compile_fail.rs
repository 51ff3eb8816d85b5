//! What must not compile: every file of `tests/compile_fail/`, with the error that it must give beside it.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
