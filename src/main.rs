//! The `penstock` binary: picks the allocator and hands over to the command line.
#![deny(unsafe_code)]

/// mimalloc: row buffers are freed on another thread than the one that filled them,
/// which is what it is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    penstock::cli::run()
}
