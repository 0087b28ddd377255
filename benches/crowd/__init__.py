"""The parts of `benches/accounts`: processes, users, connections, figures, report.

Nothing here depends on packages beyond Python's own.
"""
