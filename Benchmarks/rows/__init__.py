"""The rows of the bench: one file for each thing that is measured.

A module has `ROWS`, a list of (name, function); a function takes the `Bench` and reports through it.
"""
