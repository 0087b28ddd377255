//! What operators write: the typed configuration, its defaults and its checks.
