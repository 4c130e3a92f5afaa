//! ITU-T G.711: A-law and µ-law against 16-bit linear samples, and against each other by table.
//!
//! Samples are scaled to 16 bits: A-law's 13 bits shifted left by 3, µ-law's 14 bits by 2.

use crate::media::Law;

/// A-law's and µ-law's byte for silence.
const SILENCE_A: u8 = 0xD5;
const SILENCE_MU: u8 = 0xFF;

static DECODE_A: [i16; 256] = table_i16(true);
static DECODE_MU: [i16; 256] = table_i16(false);
static A_TO_MU: [u8; 256] = table_u8(true);
static MU_TO_A: [u8; 256] = table_u8(false);
/// No A-law decision value lies between multiples of 16, no µ-law one between multiples of 4.
static ENCODE_A: [u8; 1 << 12] = table_encode::<{ 1 << 12 }>(true);
static ENCODE_MU: [u8; 1 << 14] = table_encode::<{ 1 << 14 }>(false);

impl Law {
    pub fn silence(self) -> u8 {
        match self {
            Law::A => SILENCE_A,
            Law::Mu => SILENCE_MU,
        }
    }

    pub fn decode(self, code: u8) -> i16 {
        match self {
            Law::A => DECODE_A[usize::from(code)],
            Law::Mu => DECODE_MU[usize::from(code)],
        }
    }

    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::A => ENCODE_A[usize::from(sample as u16 >> 4)],
            Law::Mu => ENCODE_MU[usize::from(sample as u16 >> 2)],
        }
    }

    /// Decodes as many codes as there are samples.
    pub fn decode_all(self, codes: &[u8], samples: &mut [i16]) {
        let table = if self == Law::A { &DECODE_A } else { &DECODE_MU };
        for (sample, code) in samples.iter_mut().zip(codes) {
            *sample = table[usize::from(*code)];
        }
    }

    /// Appends the samples' codes.
    pub fn encode_all(self, samples: impl ExactSizeIterator<Item = i16>, codes: &mut Vec<u8>) {
        match self {
            Law::A => codes.extend(samples.map(|sample| ENCODE_A[usize::from(sample as u16 >> 4)])),
            Law::Mu => codes.extend(samples.map(|sample| ENCODE_MU[usize::from(sample as u16 >> 2)])),
        }
    }

    /// Rewrites codes of this law as codes of the other in place.
    pub fn recode(self, to: Law, codes: &mut [u8]) {
        let table = match (self, to) {
            (Law::A, Law::Mu) => &A_TO_MU,
            (Law::Mu, Law::A) => &MU_TO_A,
            _ => return,
        };
        for code in codes {
            *code = table[usize::from(*code)];
        }
    }
}

const fn table_i16(a_law: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = if a_law { decode_a(code as u8) } else { decode_mu(code as u8) };
        code += 1;
    }
    table
}

const fn table_encode<const N: usize>(a_law: bool) -> [u8; N] {
    let (mut table, step) = ([0; N], (1 << 16) / N);
    let mut i = 0;
    while i < N {
        let sample = (i * step) as u16 as i16;
        table[i] = if a_law { encode_a(sample) } else { encode_mu(sample) };
        i += 1;
    }
    table
}

/// A decoded value of one law always lies inside one interval of the other, so decode and encode are the table.
const fn table_u8(from_a: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = if from_a { encode_mu(decode_a(code as u8)) } else { encode_a(decode_mu(code as u8)) };
        code += 1;
    }
    table
}

/// Table 1/G.711: eight segments of sixteen steps, even bits inverted, sign bit set for positive values.
const fn decode_a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = ((code & 0x0F) as i16) << 4;
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn encode_a(sample: i16) -> u8 {
    // Negative values mirror positive ones by one's complement, so that −1 falls into the first negative step.
    let (sign, magnitude) = if sample >= 0 { (0x80, sample as u16) } else { (0, !sample as u16) };
    let code = if magnitude < 256 {
        (magnitude >> 4) as u8
    } else {
        let segment = 8 - magnitude.leading_zeros() as u8;
        (segment << 4) | ((magnitude >> (segment + 3)) & 0x0F) as u8
    };
    (sign | code) ^ 0x55
}

/// Table 2/G.711: eight segments around a bias of 33 (132 at 16 bits), all bits inverted.
const fn decode_mu(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let magnitude = ((((code & 0x0F) as i16) << 3) + BIAS) << segment;
    if code & 0x80 != 0 { BIAS - magnitude } else { magnitude - BIAS }
}

const fn encode_mu(sample: i16) -> u8 {
    let (sign, magnitude) = if sample >= 0 { (0, sample) } else { (0x80, !sample) };
    let magnitude = if magnitude > CLIP { CLIP } else { magnitude };
    let biased = (magnitude + BIAS) as u16;
    let segment = 8 - biased.leading_zeros() as u8;
    !(sign | (segment << 4) | ((biased >> (segment + 3)) & 0x0F) as u8)
}

const BIAS: i16 = 132;
const CLIP: i16 = i16::MAX - BIAS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_tables() {
        // (code, 13-bit A-law value) and (code, 14-bit µ-law value) from tables 1 and 2 of G.711.
        for (code, value) in [(0xD5, 1), (0x55, -1), (0xD4, 3), (0xC5, 33), (0xAA, 4032), (0x2A, -4032), (0x80, 688)] {
            assert_eq!(Law::A.decode(code), value << 3, "A-law {code:#x}");
        }
        for (code, value) in [(0xFF, 0), (0x7F, 0), (0xFE, 2), (0x80, 8031), (0x00, -8031), (0xEF, 33), (0xF0, 30)] {
            assert_eq!(Law::Mu.decode(code), value << 2, "µ-law {code:#x}");
        }
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for code in 0..=255 {
            assert_eq!(Law::A.encode(Law::A.decode(code)), code);
            // µ-law has two zeros; the negative one becomes the positive one.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(Law::Mu.encode(Law::Mu.decode(code)), expected);
        }
    }

    #[test]
    fn the_tables_are_the_functions() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!((Law::A.encode(sample), Law::Mu.encode(sample)), (encode_a(sample), encode_mu(sample)), "{sample}");
        }
    }

    #[test]
    fn encoding_takes_the_nearest_code() {
        for law in [Law::A, Law::Mu] {
            let nearest =
                |sample: i16| (0..=255).map(|code| (i32::from(law.decode(code)) - i32::from(sample)).abs()).min().unwrap_or(0);
            for sample in (i16::MIN..=i16::MAX).step_by(7) {
                let error = (i32::from(law.decode(law.encode(sample))) - i32::from(sample)).abs();
                // Beyond a tie between two codes the choice must be the nearest; µ-law's one's complement costs 1.
                assert!(error <= nearest(sample) + 1 + segment_slack(law, sample), "{law:?} {sample}: {error}");
            }
        }
    }

    /// Where two segments meet the decision value is not the middle of the two outputs.
    fn segment_slack(law: Law, sample: i16) -> i32 {
        let step = i32::from(law.decode(law.encode(sample))).abs() / 32;
        step.max(8)
    }

    #[test]
    fn between_the_laws_loudness_keeps_and_order_holds() {
        for (from, to) in [(Law::A, Law::Mu), (Law::Mu, Law::A)] {
            for code in 0..=255u8 {
                let mut there = [code];
                from.recode(to, &mut there);
                let (before, after) = (i32::from(from.decode(code)), i32::from(to.decode(there[0])));
                assert!((before - after).abs() <= before.abs() / 32 + 8, "{from:?} {code:#x}: {before} {after}");
            }
        }
        let mut silence = [SILENCE_MU];
        Law::Mu.recode(Law::A, &mut silence);
        assert_eq!(silence, [SILENCE_A]);
    }

    #[test]
    fn a_there_and_back_changes_few_codes() {
        // G.711 §5: a law converted to the other and back is the same but for a handful of small values.
        let changed = (0..=255u8).filter(|code| {
            let mut there = [*code];
            Law::Mu.recode(Law::A, &mut there);
            Law::A.recode(Law::Mu, &mut there);
            there[0] != *code
        });
        assert!(changed.count() <= 32);
    }
}
