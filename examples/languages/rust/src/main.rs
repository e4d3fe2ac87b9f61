//! The three layers of examples/languages in Rust: `cargo run` prints dialect, y's shape and the FNV-1a of y's bytes.

use ctconv::{Desc, Op, Reproducible, Result, Tensor};

/// Weight by seed 1, bias by seed 2, x[i] = (i * 37 % 101 - 50) / 64, the reference's bits.
fn run(dialect: &str, desc: &Desc, x_shape: &[usize]) -> Result<()> {
    let count: usize = x_shape.iter().product();
    let x = Tensor::new((0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) / 64.0).collect(), x_shape)?;
    let (weight, bias) = (desc.init_weight::<f32>(1)?, desc.init_bias::<f32>(2)?);
    let builder = Op::builder(desc).weight(&weight).maybe_bias(bias.as_ref());
    let y = builder.reproducible(Reproducible::Reference).build()?.run(&x)?;
    let bytes = y.data().iter().flat_map(|v| v.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let shape: Vec<String> = y.shape().iter().map(usize::to_string).collect();
    println!("{dialect} {} {hash:016x}", shape.join("x"));
    Ok(())
}

fn main() -> Result<()> {
    let dialect = "torch.nn.ConvTranspose1d";
    let vocoder = Desc::new(dialect)?.set("in_channels", 32).set("out_channels", 16).set("kernel_size", 16);
    run(dialect, &vocoder.set("stride", 8).set("padding", 4), &[1, 32, 200])?;

    let dialect = "mindspore.nn.Conv2dTranspose";
    let picture = Desc::new(dialect)?.set("in_channels", 24).set("out_channels", 12).set("kernel_size", 3);
    let picture = picture.set("stride", 2).set("pad_mode", "same").set("has_bias", true);
    run(dialect, &picture, &[2, 24, 30, 40])?;

    let dialect = "torch.nn.ConvTranspose3d";
    let volume = Desc::new(dialect)?.set("in_channels", 16).set("out_channels", 33).set("kernel_size", [3, 5, 2]);
    run(dialect, &volume.set("stride", [2, 1, 1]).set("padding", [0, 4, 2]), &[2, 16, 10, 50, 100])
}
