//! What CDF expects: requests, credentials, encodings, errors.
