"""The parts of `benches/compare-postgres`: data, contenders, rounds, report.

Nothing here depends on packages beyond Python's own.
"""
