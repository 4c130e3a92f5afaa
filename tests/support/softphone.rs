use super::baresip::Baresip;
use super::gateway::Gateway;
use super::linphone::Linphone;

/// A telephone at a seat, and what a person does with it, whichever it is.
pub trait Softphone {
    /// At desk-0; whoever it talks to hears it hum.
    fn at_desk(gateway: &Gateway, hertz: u32) -> Self;

    /// Registers as the phone's seat by this transport, at that port of the gateway's.
    fn registered(gateway: &Gateway, password: &str, by: (&str, u16), hertz: u32) -> Self;

    /// Registers by TLS, and its audio travels by SRTP; by plain RTP, too, unless it is mandatory.
    fn sealed(gateway: &Gateway, password: &str, mandatory: bool, hertz: u32) -> Self;

    /// Its person takes the call that comes.
    fn answers(&mut self);

    fn talks(&mut self);

    /// Calls this number by the way that it registered by, and waits until it is answered.
    fn dials(&mut self, gateway: &Gateway, by: (&str, u16), number: &str);

    fn holds(&mut self);

    fn resumes(&mut self);

    fn sends_on(&mut self, to: &str);

    /// By one key, or by a second line.
    fn fetches_110(&mut self, gateway: &Gateway);

    /// By all its lines.
    fn hangs_up(&mut self);

    /// Waits until these of the tones, and no others, are what it hears.
    fn hears(&self, tones: &[u32], among: &[u32]);
}

impl Softphone for Baresip {
    fn at_desk(gateway: &Gateway, hertz: u32) -> Baresip {
        Baresip::start(gateway, "desk-0", gateway.seats[0], hertz)
    }

    fn registered(gateway: &Gateway, password: &str, by: (&str, u16), hertz: u32) -> Baresip {
        Baresip::registered(gateway, "1001", password, by, hertz)
    }

    fn sealed(gateway: &Gateway, password: &str, mandatory: bool, hertz: u32) -> Baresip {
        Baresip::sealed(gateway, "1001", password, mandatory, hertz)
    }

    fn answers(&mut self) {
        self.event("CALL_INCOMING");
        self.command("accept", "");
    }

    fn talks(&mut self) {
        self.event("CALL_ESTABLISHED");
    }

    fn dials(&mut self, gateway: &Gateway, (transport, at): (&str, u16), number: &str) {
        self.command("dial", &format!("sip:{number}@{}:{at};transport={transport}", gateway.host.ip));
        self.event("CALL_ESTABLISHED");
    }

    fn holds(&mut self) {
        self.command("hold", "");
    }

    fn resumes(&mut self) {
        self.command("resume", "");
    }

    fn sends_on(&mut self, to: &str) {
        self.command("transfer", to);
    }

    fn fetches_110(&mut self, _: &Gateway) {
        self.command("sndcode", "*110#");
    }

    fn hangs_up(&mut self) {
        self.command("hangup", "");
    }

    fn hears(&self, tones: &[u32], among: &[u32]) {
        Baresip::hears(self, tones, among);
    }
}

impl Softphone for Linphone {
    fn at_desk(gateway: &Gateway, hertz: u32) -> Linphone {
        Linphone::start(gateway, "desk-0", gateway.seats[0], hertz)
    }

    fn registered(gateway: &Gateway, password: &str, by: (&str, u16), hertz: u32) -> Linphone {
        Linphone::registered(gateway, "1001", password, by, hertz)
    }

    fn sealed(gateway: &Gateway, password: &str, _: bool, hertz: u32) -> Linphone {
        Linphone::sealed(gateway, "1001", password, hertz)
    }

    fn answers(&mut self) {
        self.shows("Receiving new incoming call");
        self.types("answer");
    }

    fn talks(&mut self) {
        self.shows("Media streams established");
    }

    fn dials(&mut self, gateway: &Gateway, (transport, at): (&str, u16), number: &str) {
        self.types(&format!("call sip:{number}@{}:{at};transport={transport}", gateway.host.ip));
        self.shows("Media streams established");
        self.will_show("ended");
    }

    fn holds(&mut self) {
        self.types("pause");
        self.shows("is now paused");
    }

    fn resumes(&mut self) {
        self.types("resume");
        self.talks();
    }

    fn sends_on(&mut self, to: &str) {
        self.types(&format!("transfer {to}"));
    }

    fn fetches_110(&mut self, gateway: &Gateway) {
        self.calls_beside(gateway, "110");
    }

    fn hangs_up(&mut self) {
        self.types("terminate all");
    }

    fn hears(&self, tones: &[u32], among: &[u32]) {
        Linphone::hears(self, tones, among);
    }
}

impl Linphone {
    /// On a second line; it wants the first held before.
    pub fn calls_beside(&mut self, gateway: &Gateway, number: &str) {
        self.holds();
        self.types(&format!("call sip:{number}@{}:{}", gateway.host.ip, gateway.sip));
    }
}
