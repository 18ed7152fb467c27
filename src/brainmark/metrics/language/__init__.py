"""Metrics on words: surprisal, reading times, grammar."""
