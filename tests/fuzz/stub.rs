//! One program for each target, by its name.

#![no_main]

mod targets;

use libfuzzer_sys::fuzz_target;
use targets::*;

fuzz_target!(|data: &[u8]| match env!("CARGO_BIN_NAME") {
    "sip" => sip::target(data),
    "register" => register::target(data),
    "sdp" => sdp::target(data),
    "stream" => stream::target(data),
    "media" => media::target(data),
    "plan" => plan::target(data),
    "profile" => profile::target(data),
    "api" => api::target(data),
    "switch" => switch::target(data),
    other => panic!("no target {other}"),
});
