load "bats-assert/load"
@test "x" { true; }
