//! WAV files of recordings (RIFF, Multimedia Programming Interface and Data Specifications 1.0; RFC 2361): 8,000 frames
//! a second of two samples each.

use super::Law;
use super::sound::RATE;

const CHANNELS: u16 = 2;
/// RFC 2361 §3: PCM, and A-law.
const TAG_PCM: u16 = 1;
const TAG_A_LAW: u16 = 6;

/// The format of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// 16 bits, little-endian.
    #[default]
    Pcm,
    /// G.711's codes.
    ALaw,
}

impl Format {
    /// Bytes of a frame: a sample of each channel.
    pub fn frame(self) -> usize {
        match self {
            Format::Pcm => 4,
            Format::ALaw => 2,
        }
    }

    /// The length of the header that [`Format::header`] writes.
    pub fn header_length(self) -> u64 {
        match self {
            Format::Pcm => 44,
            Format::ALaw => 58,
        }
    }

    /// The header that stands before so many bytes of audio. A file holds 4 GiB, 37 hours of PCM.
    pub fn header(self, data: u64) -> Vec<u8> {
        let data = u32::try_from(data).unwrap_or(u32::MAX - 50);
        let (rate, frame) = (RATE as u32, self.frame() as u16);
        let (tag, bits) = match self {
            Format::Pcm => (TAG_PCM, 16u16),
            Format::ALaw => (TAG_A_LAW, 8),
        };
        let mut format = Vec::new();
        format.extend_from_slice(&tag.to_le_bytes());
        format.extend_from_slice(&CHANNELS.to_le_bytes());
        format.extend_from_slice(&rate.to_le_bytes());
        format.extend_from_slice(&(rate * u32::from(frame)).to_le_bytes());
        format.extend_from_slice(&frame.to_le_bytes());
        format.extend_from_slice(&bits.to_le_bytes());
        let mut rest = Vec::new();
        if self == Format::ALaw {
            // A format that is not PCM tells the size of its extension, and how many frames there are.
            format.extend_from_slice(&0u16.to_le_bytes());
            chunk(&mut rest, b"fact", &(data / u32::from(frame)).to_le_bytes());
        }
        let mut header = Vec::new();
        header.extend_from_slice(b"RIFF\0\0\0\0WAVE");
        chunk(&mut header, b"fmt ", &format);
        header.extend_from_slice(&rest);
        header.extend_from_slice(b"data");
        header.extend_from_slice(&data.to_le_bytes());
        let riff = data + header.len() as u32 - 8;
        header[4..8].copy_from_slice(&riff.to_le_bytes());
        header
    }

    /// As a file's first bytes tell.
    pub fn of(header: &[u8]) -> Option<Format> {
        match u16::from_le_bytes(header.get(20..22)?.try_into().ok()?) {
            TAG_PCM => Some(Format::Pcm),
            TAG_A_LAW => Some(Format::ALaw),
            _ => None,
        }
    }

    /// Appends a frame for each pair of samples.
    pub fn append(self, left: &[i16], right: &[i16], out: &mut Vec<u8>) {
        let pairs = left.iter().zip(right);
        match self {
            Format::Pcm => pairs.for_each(|(left, right)| {
                let ([a, b], [c, d]) = (left.to_le_bytes(), right.to_le_bytes());
                out.extend_from_slice(&[a, b, c, d]);
            }),
            Format::ALaw => {
                pairs.for_each(|(left, right)| out.extend_from_slice(&[Law::A.encode(*left), Law::A.encode(*right)]));
            }
        }
    }

    /// A byte of silence.
    pub fn silence(self) -> u8 {
        match self {
            Format::Pcm => 0,
            Format::ALaw => Law::A.silence(),
        }
    }

    /// How long so many bytes of audio last.
    pub fn millis(self, data: u64) -> u64 {
        data / self.frame() as u64 * 1000 / RATE as u64
    }
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(&(content.len() as u32).to_le_bytes());
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn another_s_reader_finds_both_channels() {
        let (left, right) = ([1i16, -2, i16::MAX], [300i16, i16::MIN, 0]);
        let mut data = Vec::new();
        Format::Pcm.append(&left, &right, &mut data);
        let mut file = Format::Pcm.header(data.len() as u64);
        assert_eq!((file.len() as u64, Format::of(&file)), (Format::Pcm.header_length(), Some(Format::Pcm)));
        file.extend_from_slice(&data);
        let mut reader = hound::WavReader::new(Cursor::new(file)).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 8000, 16));
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples, [1, 300, -2, i16::MIN, i16::MAX, 0]);
    }

    #[test]
    fn a_law_is_half_the_size_and_says_what_it_is() {
        let mut data = Vec::new();
        Format::ALaw.append(&[0; 8000], &[8; 8000], &mut data);
        assert_eq!((data.len(), Format::ALaw.millis(16_000), data[0]), (16_000, 1000, Format::ALaw.silence()));
        let header = Format::ALaw.header(16_000);
        assert_eq!((header.len() as u64, Format::of(&header)), (Format::ALaw.header_length(), Some(Format::ALaw)));
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        assert_eq!((word(4), word(16), word(46), word(54)), (16_050, 18, 8000, 16_000));
        assert_eq!((header[20], header[22], header[32], header[34]), (6, 2, 2, 8));
    }
}
