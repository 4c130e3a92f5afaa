//! G.711 by its own arithmetic, so that the gateway's tables are not their own judge. Levels are those of 16 bits.

/// The A-law code of a sample.
pub fn a_law(sample: f64) -> u8 {
    let (sign, magnitude) = if sample < 0.0 { (0, -sample) } else { (0x80, sample) };
    let value = (magnitude as u32).min(32_767) >> 3;
    let code = match value {
        0..32 => value >> 1,
        _ => {
            let exponent = 31 - value.leading_zeros() - 4;
            (exponent << 4) | ((value >> exponent) & 0x0f)
        }
    };
    (sign | code as u8) ^ 0x55
}

/// The level of an A-law code: eight segments, the even bits inverted, the sign apart (G.711 table 1a).
pub fn linear(code: u8) -> i32 {
    let code = code ^ 0x55;
    let (exponent, mantissa) = (i32::from(code >> 4 & 7), i32::from(code & 15));
    let size = if exponent == 0 { (mantissa << 4) + 8 } else { ((mantissa << 4) + 0x108) << (exponent - 1) };
    if code & 0x80 == 0 { -size } else { size }
}

/// The level of a µ-law code.
pub fn mu_linear(code: u8) -> i32 {
    let code = !code;
    let (exponent, mantissa) = (i32::from(code >> 4 & 7), i32::from(code & 15));
    let size = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if code & 0x80 == 0 { size } else { -size }
}
