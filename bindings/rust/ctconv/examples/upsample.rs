// SPDX-License-Identifier: Apache-2.0
//! A 3-D layer of PyTorch's documentation on four threads that share one op: its shape, the engine, a hash of y.
//!
//!     cargo run --release --example upsample

use ctconv::{Desc, Op, Reproducible, Result, Tensor};

/// FNV-1a of the tensor's bytes.
fn hash(y: &Tensor<f32>) -> u64 {
    let bytes = y.data().iter().flat_map(|v| v.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn main() -> Result<()> {
    let desc = Desc::new("torch.nn.ConvTranspose3d")?
        .set("in_channels", 16)
        .set("out_channels", 33)
        .set("kernel_size", [3, 5, 2])
        .set("stride", [2, 1, 1])
        .set("padding", [0, 4, 2]);
    let weight = desc.init_weight::<f32>(1)?;
    let bias = desc.init_bias::<f32>(2)?;
    let builder = Op::builder(&desc).weight(&weight).maybe_bias(bias.as_ref());
    let op = builder.reproducible(Reproducible::Reference).build()?;

    let shape = [2, 16, 10, 50, 100];
    let x: Vec<f32> = (0..shape.iter().product()).map(|i: usize| ((i * 37 % 101) as f32 - 50.0) / 64.0).collect();
    let x = Tensor::new(x, &shape)?;
    let y = op.run(&x)?;
    println!("y: {:?}, {}", y.shape(), op.call(&x).describe()?.lines().next().unwrap_or(""));
    println!("fnv1a {:016x}", hash(&y));

    let same = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| op.run(&x))).collect();
        threads.into_iter().all(|t| t.join().expect("no panic").map_or(false, |other| other == y))
    });
    println!("four threads: {}", if same { "same bits" } else { "OTHER BITS" });

    if let Err(e) = desc.set("stride", [2, 0, 1]).validate() {
        println!("refused: {e}");
        println!("argument {:?}, value {:?}, legal {:?}", e.argument, e.value, e.range);
    }
    Ok(())
}
