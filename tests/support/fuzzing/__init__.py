"""Fuzzing: bytes that nobody should send, to everything that reads bytes.

The rooms: `targets` says what must hold for any input, `seeds` makes the first ones by code, `child` is
one target under atheris (libFuzzer), `__main__` runs them one after the other and tells what happened.
`tests/system/security/test_fuzzing.py` runs the same targets under Hypothesis with every `make test`.
"""
