//! The figures of the switch and its inbox.

use crate::io::inbox::Inbox;
use crate::io::inbox::figures::Figures;
use crate::io::metrics::{self, Metric};

pub fn render(figures: &Figures, inbox: &Inbox, more: &[Metric]) -> String {
    metrics::render(gauges(figures, inbox).iter().chain(&counters(figures, inbox)).chain(more))
}

fn gauges(figures: &Figures, inbox: &Inbox) -> Vec<Metric> {
    let g = figures.gauges;
    vec![
        Metric::gauge("up", "1 while the switch thread reports.", usize::from(figures.alive())),
        Metric::gauge("draining", "1 while no new calls are taken.", usize::from(g.draining)),
        Metric::gauge("journal_down", "1 while the journal cannot write.", usize::from(g.journal_down)),
        Metric::gauge("calls", "Calls in progress.", g.calls),
        Metric::gauge("legs", "Dialogs and dialogs to be.", g.legs),
        Metric::gauge("client_transactions", "SIP client transactions.", g.client_transactions),
        Metric::gauge("server_transactions", "SIP server transactions.", g.server_transactions),
        Metric::gauge("rtp_ports", "RTP ports in use.", g.ports),
        Metric::gauge("rtp_ports_resting", "RTP ports that rest after a call, or since something still came.", g.ports_resting),
        Metric::gauge("trunk_channels_taken", "Channels of trunks in use, both directions.", g.channels),
        Metric::gauge("seat_calls_placed", "Calls in progress that seats have placed.", g.placed),
        Metric::gauge("former_setups", "Setups before the last reload that calls in progress began with.", g.former_setups),
        Metric::gauge("callers_waiting", "Callers in queues.", g.waiting),
        Metric::gauge("seat_channels_taken", "Channels of seats that ring or talk.", g.seats),
        Metric::gauge("seats_missed", "Seats that did not answer and have shown no life since.", g.missed),
        Metric::gauge("trunk_peers_down", "Trunks' addresses that answer no OPTIONS.", g.down),
        Metric::gauge("trunk_peers_out", "Trunks' peers that gave no sign when they were called.", g.outages),
        Metric::gauge("resolving", "Parties whose host name is being resolved.", g.resolving),
        Metric::gauge("journal_unwritten", "Journal entries not yet on disk.", g.unwritten),
        Metric::gauge("phones_registered", "Phones of seats that have registered.", g.phones.bindings),
        Metric::gauge("register_suspects", "Sources that failed lately to prove who they are.", g.phones.suspects),
        Metric::gauge("inbox_length", "Inputs that wait for the switch thread.", inbox.len()),
    ]
}

fn counters(figures: &Figures, inbox: &Inbox) -> Vec<Metric> {
    let c = figures.counters;
    let refused = c.refused.iter().map(|(status, count)| {
        let status = status.to_string();
        Metric::counter("refused_total", "Requests refused before they became a call.", count).labelled(&[("status", &status)])
    });
    let mut counters = vec![
        Metric::counter("messages_received_total", "SIP messages received.", c.messages_in),
        Metric::counter("messages_malformed_total", "Messages that were no SIP, or broken.", c.malformed),
        Metric::counter("messages_from_strangers_total", "Messages from sources that nothing names.", c.strangers),
        Metric::counter("messages_rate_limited_total", "Messages beyond their source's rate.", c.rate_limited),
        Metric::counter("messages_unsent_total", "Messages that could not be sent: too long, or no way there.", c.unsent),
        Metric::counter(
            "responses_withheld_total",
            "Responses that were not sent again: their host had its rate of those.",
            figures.gauges.repeats_withheld,
        ),
        Metric::counter(
            "register_failed_total",
            "Requests whose sender tried in vain to prove who it is.",
            figures.gauges.phones.failed,
        ),
        Metric::counter("register_bans_total", "Sources banned after too many of these.", figures.gauges.phones.bans),
        Metric::counter("register_unheard_total", "Requests of banned sources.", figures.gauges.phones.unheard),
        Metric::counter("calls_total", "Calls offered.", c.calls),
        Metric::counter("calls_answered_total", "Callers who talked to a seat or target.", c.answered),
        Metric::counter("calls_shed_total", "Calls refused by overload, draining or journal.", c.shed),
        Metric::counter(
            "emergency_unwritten_total",
            "Emergency calls that went on before their first entry was on the disk.",
            c.unwritten,
        ),
        Metric::counter("messages_refused_total", "Messages that could not be recorded.", c.messages_refused),
        Metric::counter(
            "lines_refused_total",
            "Refusals that a network meant for a trunk's line, by its map of causes.",
            c.lines_refused,
        ),
        Metric::counter("no_route_total", "Parties that no trunk leads to.", c.no_route),
        Metric::counter("unresolved_total", "Parties whose host name had no address that may be called.", c.unresolved),
        Metric::counter("no_port_total", "Legs that found no free RTP port.", c.no_port),
        Metric::counter("reloads_total", "Setups taken over since the start.", c.reloads),
        Metric::counter("prompts_missing_total", "Prompts that were to be played but are not there.", c.missing_prompts),
        Metric::counter("audio_withheld_total", "Legs whose audio waited for a sign of their caller.", c.withheld),
        Metric::counter("media_failed_total", "Parties whose media failed; each ended its call.", c.media_failed),
        Metric::counter(
            "rtp_ports_disturbed_total",
            "Packets that came to an RTP port of no call.",
            figures.gauges.ports_disturbed,
        ),
        Metric::counter("panics_total", "Panics of the switch; each ended one call, or none.", c.panics),
        Metric::counter("inbox_refused_total", "How often the inbox was full for who offered.", inbox.refused()),
    ];
    counters.extend(refused);
    counters
}
