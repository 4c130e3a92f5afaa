//! Shows what a backend would be sent, and checks that it answers as its profile says.

use super::{Journal, Numbers};
use crate::base::{CallId, Rng, Text};
use crate::cli::ConfigFile;
use crate::io::clock;
use crate::io::deliver::{Client, Fault, Target, profile};
use crate::io::process::files;
use crate::record::cloudevent::{CloudEvent, Kind};
use crate::record::exchange::{Reply, Step, Way};
use crate::record::profile::Rendered;
use clap::Args;
use std::collections::BTreeMap;
use std::process::ExitCode;

#[derive(Args)]
pub struct Render {
    #[command(flatten)]
    of: Journal,
    #[command(flatten)]
    numbers: Numbers,
    /// The call
    ///
    /// 通话编号
    call: CallId,
    /// Its event, such as call.offered
    ///
    /// 事件，例如 call.offered
    #[arg(long, default_value = "call.record")]
    event: String,
    /// One that comes with the program, or a file
    ///
    /// 程序自带的名称，或文件
    #[arg(long)]
    profile: String,
    /// The ticket that an update names; by default 1
    ///
    /// 更新所指的工单，缺省为 1
    #[arg(long)]
    ticket: Option<String>,
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    config: ConfigFile,
    /// Its name in the configuration; all of them where none is given
    ///
    /// 配置中的名称；不写则为全部
    backend: Option<String>,
}

impl Render {
    pub fn run(&self) -> Result<(), Text> {
        let profile = profile(&self.profile, "https://backend", &BTreeMap::new()).map_err(|faults| {
            let told = faults.into_iter().map(|fault| match fault {
                Fault::Profile(finding) => finding.told(),
                Fault::Backend { what, .. } => both!("--profile: {}", "--profile：{}"; what),
            });
            Text::lines(&told.collect::<Vec<_>>())
        })?;
        let kind = Kind::named(&self.event).ok_or_else(|| both!("there is no event `{0}`", "没有事件 `{0}`", self.event))?;
        let event = self.of.open()?.latest(self.call, kind).map_err(Text::from)?;
        let mut event = event.ok_or_else(|| both!("call {0} has no {1}", "通话 {0} 没有 {1}", self.call, self.event))?;
        let steps = match (profile.way(), &self.ticket) {
            (Way::Post, None) => vec![Step::Post],
            (Way::Post, Some(_)) => {
                return Err(both!(
                    "--ticket: `{0}` posts, and knows no tickets",
                    "--ticket：`{0}` 只推送，没有工单",
                    self.profile
                ));
            }
            (Way::Ticket { .. }, id) => {
                let id = id.clone().unwrap_or_else(|| "1".to_owned());
                vec![Step::Find, Step::Create, Step::Update { id }]
            }
        };
        self.numbers.note(&self.of, "records render", &self.call.to_string())?;
        event.data = self.numbers.shown(event.data);
        for step in steps {
            match profile.render(&step, &event)? {
                Some(request) => print_request(&step, &request),
                None => tell!("# {0}: nothing\n", "# {0}：无\n", name(&step)),
            }
        }
        Ok(())
    }
}

fn print_request(step: &Step, request: &Rendered) {
    say!("# {}\n{} {}", name(step), request.method.name(), request.url);
    request.headers.iter().for_each(|(name, value)| say!("{name}: {value}"));
    if let Some(body) = &request.body {
        let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        say!("\n{}", json.map_or_else(|| String::from_utf8_lossy(body).into_owned(), |json| format!("{json:#}")));
    }
    say!("");
}

fn name(step: &Step) -> &'static str {
    match step {
        Step::Post => "post",
        Step::Find => "find",
        Step::Create => "create",
        Step::Update { .. } => "update",
    }
}

impl Check {
    /// Fails when one of them does not answer as it should.
    pub fn run(&self) -> Result<ExitCode, Text> {
        let targets = Target::all(&self.config.load()?)?;
        let chosen: Vec<Target> =
            targets.into_iter().filter(|target| self.backend.as_ref().is_none_or(|name| *name == target.name)).collect();
        if chosen.is_empty() {
            return Err(both!("the configuration has no such backend", "配置中没有这个工单系统"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| files::told(&e))?;
        let mut good = true;
        for target in chosen {
            let name = target.name.clone();
            let (well, says) = runtime.block_on(ask(target))?;
            say!("{name}: {}", says.told(crate::cli::tongue()));
            good &= well;
        }
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Looks for a call that does not exist; changes nothing there.
async fn ask(target: Target) -> Result<(bool, Text), Text> {
    if target.profile.way() == Way::Post {
        return Ok((
            true,
            both!(
                "takes posts alone, which cannot be tried without leaving one; `records replay` sends some",
                "只接收推送，试一次就会留下一条；可用 `records replay` 推送"
            ),
        ));
    }
    let (at, zone) = (clock::now(), target.zone.clone());
    let mut rng = Rng::from_number(u64::from(std::process::id()));
    let event =
        CloudEvent::made_up(CallId::new(at.wall, &mut rng), at.wall, &zone).ok_or_else(|| both!("no event", "没有事件"))?;
    let client = Client::new(target, rng)?;
    let reply = client.ask(&Step::Find, &event).await;
    let took = clock::now().mono.since(at.mono).as_millis();
    Ok(match reply {
        Reply::Good { id: None, .. } => (
            true,
            both!(
                "answers in {took} ms, knows us, and finds no ticket for a made-up call",
                "{took} 毫秒内应答，凭据有效，虚构的通话没有查到工单"
            ),
        ),
        Reply::Good { id: Some(id), .. } => (
            false,
            both!(
                "finds ticket {id} for a made-up call: its search does not look at ids",
                "为虚构的通话查到工单 {id}：其查询不看编号"
            ),
        ),
        Reply::Refused { why, .. } | Reply::Unsent(why) | Reply::Broken(why) | Reply::Unmade(why) => {
            (false, both!("{why}", "未成功（{why}）"))
        }
        Reply::Status { code: code @ (401 | 403), .. } => {
            (false, both!("HTTP {code}: look at its credentials", "HTTP {code}：请检查凭据"))
        }
        Reply::Status { code, .. } => (false, Text::foreign(format_args!("HTTP {code}"))),
    })
}
