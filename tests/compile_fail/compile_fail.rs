//! What must not compile: every file of `cases/`, with the error that it must give beside it.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
