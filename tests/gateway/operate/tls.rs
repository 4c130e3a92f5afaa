//! The HTTP interface by TLS.

use super::bench::Bench;
use crate::support::wait_until;
use std::path::Path;
use std::process::Stdio;

#[test]
fn the_interface_speaks_tls_and_the_command_line_trusts_its_certificate() {
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls");
    let mut bench = Bench::new().set("HTTP__CERTIFICATE", "own.pem").set("HTTP__KEY", "own.key");
    let folder = bench.folder.path().to_path_buf();
    let show = |name: &str| {
        for ending in ["pem", "key"] {
            std::fs::copy(certificates.join(format!("{name}.{ending}")), folder.join(format!("own.{ending}"))).unwrap();
        }
    };
    let refused = bench.ask(&["check"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && text.contains("HTTP__CERTIFICATE: own.pem: No such file"), "{text}");
    show("first");
    assert!(bench.ask(&["check"]).status.success());
    bench.spawn(Stdio::null());
    wait_until("ready", || bench.ask(&["ready"]).status.success());
    assert!(bench.get("/healthz").is_none_or(|(status, _)| status != 200), "no plain HTTP");
    // Commands that change the journal ask the gateway, too.
    let seen = bench.ask(&["records", "damage", "--seen"]);
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
    // The command line trusts the file, so it is answered when the gateway shows the file's certificate.
    show("second");
    wait_until("the new certificate is shown", || bench.ask(&["ready"]).status.success());
    assert_eq!(bench.kill("-TERM"), Some(0));
}
