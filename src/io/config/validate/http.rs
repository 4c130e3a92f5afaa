//! The interface over HTTP: its bounds, and the seats and queues that tokens name.

use super::Check;
use crate::io::config::schema::Config;
use crate::io::config::secrets;
use crate::io::config::tokens::Tokens;
use crate::plan::suggestion;

impl Check<'_> {
    pub fn http(&mut self, config: &Config) {
        self.require(config.http.connections > 0, &["http", "connections"], || both!("is 0", "不能为 0"));
        let share = config.http.connections_per_source;
        self.require(share > 0, &["http", "connections_per_source"], || both!("is 0", "不能为 0"));
        self.positive(config.http.timeout, &["http", "timeout"]);
        let identity = secrets::identity(&config.http).err();
        self.faults(Tokens::of(&config.http).err().unwrap_or_default().into_iter().chain(identity));
        let own = &config.http.public_url;
        let web = own.is_empty() || own.starts_with("http://") || own.starts_with("https://");
        let plain = !own.contains(['<', '>', '"', ' ', '?', '#']);
        self.require(web && plain, &["http", "public_url"], || {
            both!("is no http:// or https:// address", "不是 http:// 或 https:// 地址")
        });
        self.toolbars(config);
        for (name, token) in config.http.tokens.iter().filter(|(_, token)| token.enabled) {
            let at = |key| ["http", "tokens", name.as_str(), key];
            let seat = &token.seat;
            let seats = || config.seats.iter().filter(|(_, seat)| seat.enabled).map(|(name, _)| name.as_str());
            self.require(seat.is_empty() || seats().any(|name| name == seat), &at("seat"), || {
                both!("no seat `{seat}`", "没有座席 `{seat}`").then(&suggestion(seat, seats()))
            });
            let queues = || config.queues.iter().filter(|(_, queue)| queue.enabled).map(|(name, _)| name.as_str());
            for queue in token.queues.iter().filter(|queue| !queues().any(|name| name == **queue)) {
                self.require(false, &at("queues"), || {
                    both!("no queue `{queue}`", "没有队列 `{queue}`").then(&suggestion(queue, queues()))
                });
            }
        }
    }

    /// The streams of all seats and queues have the place of one of this name.
    fn toolbars(&mut self, config: &Config) {
        const STREAMS: &str = "events";
        for (table, there) in [("seats", config.seats.contains_key(STREAMS)), ("queues", config.queues.contains_key(STREAMS))] {
            self.require(!there, &[table, STREAMS], || {
                both!("`{STREAMS}` is a word of the API: take another name", "`{STREAMS}` 是接口用词，请换一个名称")
            });
        }
        let seats = || config.seats.iter().filter(|(_, seat)| seat.enabled).map(|(name, _)| name.as_str());
        for (agent, seat) in &config.http.adapter.agents {
            self.require(seats().any(|name| name == seat), &["http", "adapter", "agents", agent], || {
                both!("no seat `{seat}`", "没有座席 `{seat}`").then(&suggestion(seat, seats()))
            });
        }
    }
}
