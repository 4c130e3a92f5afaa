//! Keys for SRTP in offer and answer (RFC 4568 §7). What is optional is offered beside RTP/AVP (RFC 8643): one INVITE serves peers
//! that seal their audio and most of those that do not; to a peer that takes this form for a mistake, and refuses it, it goes once more
//! without keys (`uac`).

use crate::base::SrtpKeys;
use crate::dialog::LocalMedia;
use crate::sip::{Crypto, Protection, Sdp, SdpError};
use std::sync::Arc;

impl LocalMedia {
    /// The streams that may be taken from the peer.
    pub(super) fn protection(&self) -> Protection {
        match &self.srtp {
            None => Protection::Plain,
            Some(srtp) if srtp.required => Protection::Sealed,
            Some(_) => Protection::Any,
        }
    }

    /// Its audio is to be sealed, and no key of ours may travel.
    pub(super) fn has_no_way(&self) -> bool {
        self.protection() == Protection::Sealed && self.keys().is_empty()
    }

    fn keys(&self) -> &[Crypto] {
        self.srtp.as_ref().map_or(&[], |srtp| &srtp.keys)
    }
}

/// Keys and m-lines of an offer.
pub(super) fn offered(local: &LocalMedia) -> (Vec<Crypto>, Vec<String>) {
    let sealed = local.protection() == Protection::Sealed;
    (local.keys().to_vec(), sealed.then(|| "audio 0 RTP/SAVP 0".to_owned()).into_iter().collect())
}

/// Our key for the first suite of the offer that we speak.
pub(super) fn answered(offer: &Sdp, local: &LocalMedia) -> Result<Option<Crypto>, SdpError> {
    let ours = |theirs: &Crypto| {
        let ours = local.keys().iter().find(|ours| ours.suite == theirs.suite)?;
        Some(Crypto { tag: theirs.tag, ..ours.clone() })
    };
    let chosen = offer.crypto.iter().find_map(ours);
    match local.protection() {
        _ if chosen.is_some() => Ok(chosen),
        Protection::Plain if offer.secure() => Err(SdpError::Transport),
        Protection::Sealed if local.has_no_way() || !offer.secure() => Err(SdpError::Plain),
        _ if offer.secure() || local.protection() == Protection::Sealed => Err(SdpError::Crypto),
        _ => Ok(None),
    }
}

/// The keys on which two descriptions agree; an error where they agree on none and one of them wants some, or each has some: then
/// its audio would be noise to the other.
pub(super) fn settled(ours: &Sdp, theirs: &Sdp) -> Result<Option<Arc<SrtpKeys>>, SdpError> {
    let keys = |ours: &Crypto| {
        let theirs = theirs.crypto.iter().find(|theirs| (theirs.tag, theirs.suite) == (ours.tag, ours.suite))?;
        Some(Arc::new(SrtpKeys { suite: ours.suite, sent: ours.key, received: theirs.key }))
    };
    let found = ours.crypto.iter().find_map(keys);
    let wanted = ours.secure() || theirs.secure() || !ours.crypto.is_empty() && theirs.keyed;
    if found.is_none() && wanted { Err(SdpError::Crypto) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{MasterKey, Suite};
    use crate::dialog::{LocalSrtp, offer};
    use crate::sip::Codec;

    fn local(byte: u8, required: bool, suites: &[Suite]) -> LocalMedia {
        let key = |(suite, tag): (&Suite, u32)| Crypto { tag, suite: *suite, key: MasterKey::new(*suite, &[byte; 46]) };
        let srtp = Some(Arc::new(LocalSrtp { required, else_plain: !required, keys: suites.iter().zip(1..).map(key).collect() }));
        LocalMedia { rtp: ([192, 0, 2, byte], 20000).into(), codecs: vec![Codec::Pcma], srtp }
    }

    fn plain() -> LocalMedia {
        LocalMedia { srtp: None, ..local(9, false, &[]) }
    }

    /// As it crosses the wire.
    fn said(sdp: &Sdp) -> Sdp {
        Sdp::parse(&sdp.to_bytes(), crate::sip::Reach::ALL).unwrap()
    }

    /// The suite that both ends settle on, from what each said.
    fn talk(caller: &LocalMedia, callee: &LocalMedia) -> Result<Option<Suite>, SdpError> {
        let offer = said(&offer::offer(caller));
        let answer = said(&offer::answer(&offer, callee)?);
        let (here, there) = (settled(&offer::offer(caller), &answer)?, settled(&answer, &offer)?);
        assert_eq!(here.as_ref().map(|keys| (keys.sent, keys.received)), there.as_ref().map(|keys| (keys.received, keys.sent)));
        Ok(here.map(|keys| keys.suite))
    }

    #[test]
    fn both_ends_have_each_others_key() {
        let all = |byte, required| local(byte, required, &Suite::ALL);
        for (caller, callee) in [(false, false), (true, false), (false, true), (true, true)] {
            assert_eq!(talk(&all(1, caller), &all(2, callee)), Ok(Some(Suite::Gcm256)), "{caller} {callee}");
        }
        let old = local(3, true, &[Suite::Counter32, Suite::Counter80]);
        assert_eq!(talk(&old, &all(2, false)), Ok(Some(Suite::Counter32)), "the offer's order counts, and its tags");
        assert_eq!(talk(&all(1, false), &old), Ok(Some(Suite::Counter80)));
    }

    #[test]
    fn where_one_end_has_no_keys_it_is_plain_or_nothing() {
        let all = |required| local(1, required, &Suite::ALL);
        assert_eq!(talk(&all(false), &plain()), Ok(None));
        assert_eq!(talk(&plain(), &all(false)), Ok(None));
        assert_eq!(talk(&all(true), &plain()), Err(SdpError::Transport));
        assert_eq!(talk(&plain(), &all(true)), Err(SdpError::Plain));
        let (a, b) = (|required| local(1, required, &[Suite::Gcm128]), |required| local(2, required, &[Suite::Counter80]));
        assert_eq!(talk(&a(false), &b(false)), Ok(None), "no suite in common");
        assert_eq!(talk(&a(true), &b(false)), Err(SdpError::Crypto));
        assert_eq!(talk(&a(false), &b(true)), Err(SdpError::Plain));
        assert_eq!(talk(&all(true), &local(2, true, &[])), Err(SdpError::Plain), "keys may not travel by its signalling");
    }

    #[test]
    fn an_answer_without_keys_to_an_offer_that_needs_them_is_none() {
        let caller = local(1, true, &Suite::ALL);
        let answer = said(&offer::offer(&plain()));
        assert!(offer::settle(&offer::offer(&caller), &answer).is_none());
        let other = said(&offer::offer(&local(2, false, &[Suite::Counter80])));
        assert!(offer::settle(&offer::offer(&caller), &other).is_none(), "its tag is that of another suite");
        let loose = offer::offer(&local(1, false, &Suite::ALL));
        assert!(offer::settle(&loose, &other).is_none(), "it would seal what we take for plain");
        assert!(offer::settle(&loose, &answer).is_some());
    }
}
