"""What the client tests share: servers to talk to, stores to read back from, clients.

Nothing here asserts what the gateway does; that is for the tests to say.
"""
