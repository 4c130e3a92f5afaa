//! The figures that the switch thread shows to the others: of its last heartbeat, or of a moment ago to who asks for them.

use crate::base::{Mono, Text};
use crate::io::clock;
use crate::io::inbox::Inbox;
use crate::switch::{Counters, Gauges};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A switch thread that has not reported for so long hangs.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct SwitchFigures {
    posted: watch::Sender<Posted>,
    /// How often somebody has asked for figures.
    asked: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Posted {
    figures: Figures,
    /// They are newer than so many of the questions.
    asked: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// When the switch thread reported last; zero: not yet.
    pub at: Mono,
    pub gauges: Gauges,
    pub counters: Counters,
    /// Media threads that have given up.
    pub dead: usize,
}

impl SwitchFigures {
    /// `figures` are made only once it is known which questions they answer.
    pub fn post(&self, figures: impl FnOnce() -> Figures) {
        let asked = self.asked.load(Ordering::SeqCst);
        self.posted.send_replace(Posted { figures: figures(), asked });
    }

    /// Somebody waits for figures.
    pub fn wanted(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > self.posted.borrow().asked
    }

    /// As of the last heartbeat.
    pub fn read(&self) -> Figures {
        self.posted.borrow().figures
    }

    /// As they are now: all that the switch has done before this was asked is in them. However many ask, the switch thread
    /// reports once a turn. Where it does not answer, the last that is known of it.
    pub async fn fresh(&self, inbox: &Inbox) -> Figures {
        let known = self.read();
        let mut posted = self.posted.subscribe();
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        inbox.wake();
        let patience = PATIENCE.saturating_sub(clock::mono().since(known.at));
        let answered = timeout(patience, posted.wait_for(|posted| posted.asked >= asked)).await;
        answered.ok().and_then(Result::ok).map_or_else(|| self.read(), |posted| posted.figures)
    }
}

impl Figures {
    pub fn alive(&self) -> bool {
        self.at > Mono(0) && clock::mono().since(self.at) < PATIENCE
    }

    /// An alarm where carriers refuse us. Calls by other trunks go on.
    pub fn refused(&self) -> Option<Text> {
        let trunks = self.gauges.accounts.refused_trunks;
        (trunks > 0).then(|| {
            both!(
                "trunks whose carriers refuse all our accounts: {trunks} (`hotline trunks` says why)",
                "注册账号全部被运营商拒绝的中继：{trunks} 条（原因见 `hotline trunks`）"
            )
        })
    }

    /// Why no new call should be sent here; empty when ready.
    pub fn obstacles(&self) -> Vec<Text> {
        let all = [
            (!self.alive(), both!("the switch does not answer", "交换线程没有应答")),
            (self.gauges.draining, both!("draining", "正在排空")),
            (self.gauges.journal_down, both!("the journal cannot write", "日志库无法写入")),
            (self.dead > 0, both!("a media thread has died", "有媒体线程已退出")),
            (self.gauges.no_ports, both!("no media port is left", "没有可用的媒体端口")),
        ];
        all.into_iter().filter(|(there, _)| *there).map(|(_, what)| what).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::inbox;
    use std::sync::Arc;

    fn figures(calls: usize) -> Figures {
        Figures { at: clock::mono(), gauges: Gauges { calls, ..Gauges::default() }, ..Figures::default() }
    }

    #[tokio::test]
    async fn who_asks_gets_what_is_true_after_the_question_and_one_report_answers_all() {
        let (switch_figures, (inbox, _outlet)) = (Arc::new(SwitchFigures::default()), inbox::inbox(4).unwrap());
        switch_figures.post(|| figures(1));
        assert!(!switch_figures.wanted());
        let ask = || {
            let (switch_figures, inbox) = (switch_figures.clone(), inbox.clone());
            tokio::spawn(async move { switch_figures.fresh(&inbox).await.gauges.calls })
        };
        let asked: Vec<_> = (0..100).map(|_| ask()).collect();
        while switch_figures.asked.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
        assert!(switch_figures.wanted());
        switch_figures.post(|| figures(2));
        assert!(!switch_figures.wanted());
        for answer in asked {
            assert_eq!(answer.await.unwrap(), 2);
        }
        // A report that was begun before the question does not answer it.
        let late = ask();
        switch_figures.post(|| {
            let before = switch_figures.asked.swap(1000, Ordering::SeqCst);
            assert!(before >= 100);
            figures(3)
        });
        assert!(switch_figures.wanted());
        switch_figures.post(|| figures(4));
        assert!([3, 4].contains(&late.await.unwrap()));
    }

    #[tokio::test]
    async fn a_switch_that_is_gone_is_not_waited_for() {
        let (switch_figures, (inbox, _outlet)) = (SwitchFigures::default(), inbox::inbox(4).unwrap());
        assert!(!switch_figures.fresh(&inbox).await.alive());
        switch_figures.post(|| Figures { at: Mono(1), ..figures(1) });
        assert!(!switch_figures.fresh(&inbox).await.alive());
    }
}
