//! The Xishuangbanna plan against its notice (西政办发〔2021〕28号): the table below is written from the annex, not from the plan.

use hotline::base::{Text, Wall};
use hotline::plan::{Decision, Facts, Mode, Phase, Plan, Step, explain};
use std::path::Path;

const MERGED: &[(&str, &str, &str)] = &[
    ("12396", "全国统一科技公益服务电话", "州科技局"),
    ("12349", "全国统一民政服务电话", "州民政局"),
    ("12336", "全国统一自然资源违法举报电话", "州自然资源局"),
    ("12319", "全国住房和城乡建设服务电话", "州住房城乡建设局"),
    ("12316", "全国农业系统公益服务电话", "州农业农村局"),
    ("12312", "全国统一商务领域举报投诉咨询服务电话", "州商务局"),
    ("12301", "全国统一旅游资讯服务电话", "州文化和旅游局"),
    ("96301", "云南省旅游投诉电话", "州文化和旅游局"),
    ("12356", "人口和计划生育法律法规咨询及举报投诉服务专用电话", "州卫生健康委"),
    ("12350", "全国统一安全生产举报投诉电话", "州应急局"),
    ("12330", "全国统一知识产权维权援助公益服务电话", "州市场监管局"),
    ("12331", "全国统一食品药品监督举报服务电话", "州市场监管局"),
    ("12358", "全国价格投诉举报统一电话", "州市场监管局"),
    ("12365", "全国质量技术监督系统和出入境检验检疫统一电话", "州市场监管局"),
    ("12393", "医疗保障服务热线", "州医保局"),
    ("12300", "全国电信用户申诉渠道咨询电话", "州通信管理局"),
    ("12322", "全国防震减灾公益服务电话", "州地震局"),
    ("96119", "火灾隐患举报投诉电话", "州消防救援总队"),
    ("12385", "全国残疾人维权服务电话", "州残联"),
    ("12318", "全国文化市场举报电话", "州文化和旅游局"),
];

const PARALLEL: &[(&str, &str, &str)] = &[
    ("12348", "全国公共法律服务专用电话", "州司法局"),
    ("12329", "全国统一住房公积金热线服务电话", "州住房公积金管理中心"),
    ("12328", "全国交通运输服务监督电话", "州交通运输局"),
    ("12320", "全国统一公共卫生公益服务电话", "州卫生健康委"),
    ("12333", "全国人力资源和社会保障服务电话", "州人力资源和社会保障局"),
    ("12369", "环境保护投诉举报电话", "州生态环境局"),
    ("12315", "12315市场监管投诉举报热线", "州市场监管局"),
    ("12317", "全国扶贫监督举报平台电话", "州乡村振兴局"),
];

const SUB_CENTERS: &[(&str, &str, &str)] = &[
    ("12360", "全国统一海关公益服务电话", "西双版纳海关"),
    ("12366", "全国税务系统统一电话", "州税务局"),
    ("12313", "全国烟草专卖品市场监管举报电话", "州烟草专卖局"),
    ("12367", "国家移民管理局12367咨询服务热线", "州公安局"),
    ("12305", "全国邮政业用户申诉电话", "州邮政管理局"),
];

const BEFORE: &str = "2021-09-29T23:59:59+08:00";
const CONNECT: &str = "2021-09-30T00:00:00+08:00";
const STILL_CONNECT: &str = "2021-11-30T23:59:59+08:00";
const AFTER: &str = "2021-12-01T00:00:00+08:00";

fn plan() -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
    let load = |name: &str| std::fs::read(folder.join(name)).map_err(Text::foreign);
    let text = load("xishuangbanna.toml").unwrap();
    Plan::parse("dialplans/xishuangbanna.toml", text, &load).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    })
}

fn decide(plan: &Plan, dialled: &str, at: &str) -> Decision {
    let at = Wall(at.parse::<jiff::Timestamp>().unwrap().as_microsecond());
    plan.decide(&Facts {
        dialled,
        caller: Some("13800138000"),
        trunk: "loopback",
        trunk_area: Some("691"),
        diverted_from: None,
        at,
    })
}

fn rings(number: &str, decision: &Decision) -> bool {
    matches!(&decision.steps[..], [Step::Ring { targets, .. }] if targets.len() == 1 && &*targets[0].number == number)
}

fn says_what_the_annex_says(decision: &Decision, row: &(&str, &str, &str), mode: Mode) {
    let got = (&*decision.number, &*decision.line, decision.unit.as_deref().unwrap_or(""));
    assert_eq!((got, decision.mode), (*row, mode));
}

#[test]
fn the_annex_has_33_numbers() {
    assert_eq!(MERGED.len() + PARALLEL.len() + SUB_CENTERS.len(), 33);
}

#[test]
fn merged_numbers_change_at_midnight() {
    let plan = plan();
    for row in MERGED {
        let number = row.0;
        let before = decide(&plan, number, BEFORE);
        says_what_the_annex_says(&before, row, Mode::Merged);
        assert_eq!(before.phase, Some(Phase::NotYet));
        assert!(rings(number, &before), "{number}");
        for at in [CONNECT, STILL_CONNECT] {
            let between = decide(&plan, number, at);
            says_what_the_annex_says(&between, row, Mode::Merged);
            assert_eq!(between.phase, Some(Phase::AnnounceAndConnect));
            let prompt = format!("connect-{number}").into();
            let want = [Step::Announce { prompt, answered: false }, Step::Queue { queue: "12345".into(), high: false }];
            assert_eq!(&between.steps[..], want);
        }
        for at in [AFTER, "2031-01-01T00:00:00Z"] {
            let after = decide(&plan, number, at);
            says_what_the_annex_says(&after, row, Mode::Merged);
            assert_eq!(after.phase, Some(Phase::AnnounceOnly));
            let prompt = "announce-only".into();
            assert_eq!(&after.steps[..], [Step::Announce { prompt, answered: false }, Step::Reject { status: 410, q850: 22 }]);
        }
    }
}

#[test]
fn the_others_are_the_same_on_every_day() {
    let plan = plan();
    for at in [BEFORE, CONNECT, STILL_CONNECT, AFTER] {
        for row in PARALLEL {
            let decision = decide(&plan, row.0, at);
            says_what_the_annex_says(&decision, row, Mode::Parallel);
            assert_eq!(decision.phase, None);
            assert_eq!(&decision.steps[..], [Step::Queue { queue: "12345".into(), high: false }]);
        }
        for row in SUB_CENTERS {
            let decision = decide(&plan, row.0, at);
            says_what_the_annex_says(&decision, row, Mode::SubCenter);
            match row.0 {
                "12360" | "12305" => assert_eq!(&decision.steps[..], [Step::Reject { status: 404, q850: 1 }]),
                "12313" => assert!(rings("087112313", &decision), "its seats are at the province"),
                number => assert!(rings(number, &decision), "{number}"),
            }
        }
        for number in ["110", "119", "120", "122"] {
            let decision = decide(&plan, number, at);
            assert_eq!((decision.mode, decision.phase), (Mode::Emergency, None));
            assert!(rings(number, &decision), "{number}");
        }
        let front = decide(&plan, "12345", at);
        assert_eq!((front.mode, &front.steps[..]), (Mode::Front, &[Step::Queue { queue: "12345".into(), high: false }][..]));
        assert_eq!(front.unit.as_deref(), Some("州政府办公室"));
    }
}

#[test]
fn tourism_goes_on_to_its_own_system_too() {
    let plan = plan();
    let tickets: Vec<String> = decide(&plan, "96301", CONNECT).tickets.iter().map(ToString::to_string).collect();
    assert_eq!(tickets, ["main", "tourism"]);
    assert_eq!(plan.backends_of(["旅游投诉"]), ["tourism"]);
    let withheld = |number| decide(&plan, number, CONNECT).withheld.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((withheld("12345"), withheld("96301")), (vec!["tourism".to_owned()], vec![]));
    let facts = Facts { dialled: "12345", caller: None, trunk: "", trunk_area: None, diverted_from: None, at: Wall(0) };
    let told = explain(&plan, &facts).to_string();
    assert!(told.contains("; to tourism once tagged 30天无理由退货 or 旅游投诉"), "{told}");
}

#[test]
fn a_number_that_the_plan_does_not_have() {
    let plan = plan();
    let decision = decide(&plan, "12399", AFTER);
    assert_eq!((decision.mode, &*decision.line), (Mode::Unknown, "unknown"));
    assert_eq!(&decision.steps[..], [Step::Reject { status: 404, q850: 1 }]);
}

#[test]
fn the_area_comes_from_the_first_that_knows_it() {
    let plan = plan();
    let facts = |dialled, trunk, trunk_area| {
        let area = plan.decide(&Facts { dialled, caller: None, trunk, trunk_area, diverted_from: None, at: Wall(0) }).area;
        (area.code.map(|c| c.to_string()), area.source)
    };
    assert_eq!(facts("087112345", "loopback", Some("691")), (Some("871".into()), "dialled"));
    assert_eq!(facts("12345", "loopback", Some("692")), (Some("692".into()), "trunk"));
    assert_eq!(facts("12345", "loopback", None), (None, "unknown"));
    assert_eq!(facts("12345", "", None), (Some("691".into()), "plan"));
}
