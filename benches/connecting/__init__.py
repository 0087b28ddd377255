"""Parts of `benches/connect`: the clients and the table."""
