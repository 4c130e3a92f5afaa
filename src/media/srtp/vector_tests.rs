//! The vectors of the RFCs.

use super::*;
use data_encoding::HEXLOWER;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.replace([' ', '\n'], "").as_bytes()).unwrap()
}

fn derived(key: &str, salt: &str, label: u8, length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    derive(&hex(key), &hex(salt), label, &mut out).unwrap();
    out
}

/// RFC 3711 appendix B.2.
#[test]
fn the_stream_of_counter_mode() {
    let mut salt = [0; 14];
    salt.copy_from_slice(&hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd"));
    let aes = Aes128::new_from_slice(&hex("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
    let cipher = Cipher { kind: Kind::Nothing, salt };
    let mut stream = vec![0; 0xFF02 * 16];
    cipher.count(&aes, 0, 0, &mut stream);
    assert_eq!(
        stream[..48],
        hex("e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0")
    );
    assert_eq!(
        stream[0xFEFF * 16..],
        hex("ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae6a2cc3787889374fbeb4c81b17ba6c44")
    );
}

/// RFC 3711 appendix B.3.
#[test]
fn keys_are_derived() {
    let derived = |label, length| derived("e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6", label, length);
    assert_eq!(derived(0, 16), hex("c61e7a93744f39ee10734afe3ff7a087"));
    assert_eq!(derived(2, 14), hex("30cbbc08863d8c85d49db34a9ae1"));
    assert_eq!(
        derived(1, 94),
        hex(
            "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbcee049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc256d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2"
        )
    );
}

/// RFC 6188 §7.2: the derivation that AEAD_AES_256_GCM uses.
#[test]
fn keys_are_derived_from_256_bits() {
    let (key, salt) = ("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6", "3b04803de51ee7c96423ab5b78d2");
    assert_eq!(derived(key, salt, 0, 32), hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
    assert_eq!(derived(key, salt, 2, 14), hex("fa31791685ca444a9e07c6c64e93"));
    assert_eq!(derived(key, salt, 1, 20), hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
}

/// The packet with which other implementations test theirs, under the keys of RFC 3711 appendix B.3.
#[test]
fn a_packet_under_counter_mode_is_as_others_make_it() {
    let mut random = [0; 46];
    random[..30].copy_from_slice(&hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6"));
    let cipher = Cipher::new(Suite::Counter80, Of::Rtp, &MasterKey::new(Suite::Counter80, &random));
    let plain = hex("800f1234decafbadcafebabeabababababababababababababababab");
    let sealed = hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    let mut packet = plain.clone();
    assert!(cipher.seal(&mut packet, 0, 12, 0xCAFE_BABE, 0x1234));
    assert_eq!(packet, sealed);
    assert_eq!(cipher.open(&mut packet, 12, 0xCAFE_BABE, 0x1234), Some(plain.len()));
    assert_eq!(packet[..plain.len()], plain);
}

/// RFC 7714 §16 and §17 give session keys, not a master key.
fn gcm(bits: usize) -> Cipher {
    let key: Vec<u8> = (0..(bits / 8) as u8).collect();
    let algorithm = if bits == 256 { &aead::AES_256_GCM } else { &aead::AES_128_GCM };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).unwrap());
    let mut salt = [0; 14];
    salt[..12].copy_from_slice(b"Quid pro quo");
    Cipher { kind: Kind::Gcm(Box::new(key)), salt }
}

#[test]
fn a_packet_under_gcm() {
    let plain = [hex("8040f17b8041f8d35501a0b2"), b"Gallia est omnis divisa in partes tres".to_vec()].concat();
    for (bits, sealed) in [
        (128, "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce"),
        (256, "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13"),
    ] {
        let mut packet = plain.clone();
        assert!(gcm(bits).seal(&mut packet, 0, 12, 0x5501_A0B2, 0xF17B));
        assert_eq!(packet, [plain[..12].to_vec(), hex(sealed)].concat());
        assert_eq!(gcm(bits).open(&mut packet, 12, 0x5501_A0B2, 0xF17B), Some(plain.len()));
        assert_eq!(packet[..plain.len()], plain);
    }
}

#[test]
fn a_report_under_gcm() {
    let plain = hex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef");
    for (bits, sealed) in [
        (
            128,
            "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            256,
            "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ] {
        let mut packet = plain.clone();
        assert!(gcm(bits).seal_rtcp(&mut packet, 0, 0x5D4));
        assert_eq!(packet, [plain[..8].to_vec(), hex(sealed)].concat());
        assert_eq!(gcm(bits).claims(&packet), Some((0x4D61_7273, 0x5D4)));
        assert_eq!(gcm(bits).open_rtcp(&mut packet, 0x4D61_7273, 0x5D4), Some(plain.len()));
        assert_eq!(packet[..plain.len()], plain);
    }
}

#[test]
fn a_key_of_another_length_seals_and_opens_nothing() {
    let short = MasterKey::new(Suite::Gcm128, &[1; 46]);
    for suite in [Suite::Gcm256, Suite::Counter80, Suite::Counter32] {
        let cipher = Cipher::new(suite, Of::Rtp, &short);
        let mut packet = vec![0x80; 172];
        assert!(!cipher.seal(&mut packet, 0, 12, 1, 1) && cipher.open(&mut packet, 12, 1, 1).is_none(), "{suite:?}");
        assert!(!cipher.seal_rtcp(&mut packet, 0, 1) && cipher.open_rtcp(&mut packet, 1, 1).is_none(), "{suite:?}");
    }
}
