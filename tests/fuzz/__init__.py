"""A fuzz of the public API; see `tests/fuzz_api.py`, which runs it."""
