//! A local CDF, for trying, testing and load.
