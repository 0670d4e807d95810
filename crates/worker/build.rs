//! Makes client and server of `proto/worker.proto`, without a compiler outside of Cargo.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/worker.proto");
    let files = protox::compile(["proto/worker.proto"], ["proto"])?;
    tonic_prost_build::configure().emit_rerun_if_changed(false).compile_fds(files)?;
    Ok(())
}
