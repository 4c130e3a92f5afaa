//! Kamailio as a carrier's IMS: registrar and proxy, with Digest, Record-Route and Service-Route.

use super::gateway::Gateway;
use super::wait_until;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};

/// A domain that resolves nowhere (RFC 6761 §6.4).
pub const DOMAIN: &str = "ims.invalid";
pub const PASSWORD: &str = "a password";

/// It stands at the address and port of the gateway's trunk.
pub struct Kamailio {
    folder: std::path::PathBuf,
    at: (Ipv4Addr, u16),
    child: Child,
}

impl Kamailio {
    /// Calls that go out by it are for whoever listens at this port. A registration lasts so many seconds.
    pub fn start(gateway: &Gateway, callee: u16, expires: u32) -> Kamailio {
        let (ip, port) = (gateway.host.ip, gateway.target);
        let folder = gateway.folder.path().join("kamailio");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("kamailio.cfg"), script(ip, port, callee, expires)).unwrap();
        let child = spawn(&folder);
        let kamailio = Kamailio { folder, at: (ip, port), child };
        kamailio.listens();
        kamailio
    }

    /// It dies and comes back, and knows of nobody.
    pub fn restart(&mut self, between: impl FnOnce()) {
        self.end();
        between();
        self.child = spawn(&self.folder);
        self.listens();
    }

    fn listens(&self) {
        wait_until("Kamailio listens", || TcpStream::connect(self.at).is_ok());
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Its processes end with the first.
    fn end(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("── Kamailio's log\n{}", self.log());
        }
    }
}

fn spawn(folder: &std::path::Path) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    // Debian keeps it where only root's path leads.
    let mut command = Command::new("/usr/sbin/kamailio");
    command.args(["-DD", "-E", "-m", "32", "-M", "4", "-f", "kamailio.cfg", "-Y"]).arg(folder).arg("-w").arg(folder);
    command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().expect("kamailio (Debian: kamailio) is installed")
}

fn script(ip: Ipv4Addr, port: u16, callee: u16, expires: u32) -> String {
    let modules = ["tm", "sl", "rr", "pv", "maxfwd", "usrloc", "registrar", "textops", "siputils", "auth"];
    let modules: String = modules.iter().map(|name| format!("loadmodule \"{name}.so\"\n")).collect();
    format!(
        r#"debug=2
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
alias="{DOMAIN}"
listen=udp:{ip}:{port}
listen=tcp:{ip}:{port}
{modules}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", {expires})
modparam("registrar", "min_expires", 1)

request_route {{
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        # Callers of the tests leave the Route away: their requests go where the Request-URI says.
        loose_route();
        t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{DOMAIN}", "{PASSWORD}", "0")) {{
            www_challenge("{DOMAIN}", "1");
            exit;
        }}
        append_to_reply("Service-Route: <sip:orig@{ip}:{port};lr;x=1>\r\n");
        append_to_reply("P-Associated-URI: <sip:$tU@{DOMAIN}>\r\n");
        save("location");
        exit;
    }}
    if (!is_method("INVITE")) {{
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }}
    if (is_present_hf("Route")) {{
        loose_route();
        if (!pv_proxy_authenticate("{DOMAIN}", "{PASSWORD}", "0")) {{
            proxy_challenge("{DOMAIN}", "1");
            exit;
        }}
        consume_credentials();
        record_route();
        $du = "sip:{ip}:{callee}";
        t_relay();
        exit;
    }}
    $avp(called) = $rU;
    if (!lookup("location")) {{
        sl_send_reply("404", "Nobody Here");
        exit;
    }}
    append_hf("P-Called-Party-ID: <sip:$avp(called)@{DOMAIN}>\r\n");
    record_route();
    t_relay();
}}
"#
    )
}
