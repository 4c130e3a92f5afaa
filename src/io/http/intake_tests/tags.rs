//! Tests that are told over HTTP what calls were about.

use super::*;

const TOURISM: &str = "旅游投诉";

/// The plan's `tourism` has the subject; of the configuration it is a backend too, or not.
async fn bench(tourism: bool) -> Bench {
    let mut config = config(tempfile::tempdir().unwrap().keep());
    if let Some(known) = config.records.backends.get("tickets").filter(|_| tourism).cloned() {
        config.records.backends.insert("tourism".to_owned(), known);
    }
    let bench = Bench::of(config).await;
    bench.calls(0..1);
    bench.fed(3).await;
    bench
}

impl Bench {
    async fn tag(&self, call: &str, role: &str, body: &str) -> (u16, Value) {
        let request = Client::new().post(self.url(&format!("/api/v1/calls/{call}/subjects")));
        said(request.bearer_auth(format!("{TOKEN}{role}")).body(body.to_owned())).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_stored_and_the_answer_says_who_gets_the_call() {
    let bench = bench(true).await;
    let mut feed = bench.follow("/api/v1/events", "feed").await;
    let id = call(0).to_string();
    let body = json!({ "subjects": [TOURISM, "其他", TOURISM] }).to_string();
    let answer =
        |status: &str| json!({ "call_id": id, "status": status, "subjects": [TOURISM, "其他"], "backends": ["tourism"] });
    assert_eq!(bench.tag(&id, "operator", &body).await, (200, answer("tagged")));
    assert_eq!(bench.tag(&id, "operator", &body).await, (200, answer("known")));
    let (n, kind, event) = feed.next().await;
    assert_eq!((n, kind.as_str(), event["sequence"].as_str()), (4, "call.tagged", Some("0000002002")));
    assert_eq!(event["data"]["subjects"], json!([TOURISM, "其他"]));
    assert!(crate::io::http::schemas::EVENT.faults(&event).is_empty(), "{event:#}");
    assert_eq!(bench.reader().feed_ends().unwrap().1, 4);
    let bench = bench.restarted().await;
    assert_eq!(bench.reader().record(call(0)).unwrap().unwrap().subjects, [TOURISM, "其他"]);
    assert_eq!(bench.tag(&id, "operator", &body).await.1["status"], "known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_not_configured_is_not_promised() {
    let bench = bench(false).await;
    let (status, answer) = bench.tag(&call(0).to_string(), "operator", &json!({ "subjects": [TOURISM] }).to_string()).await;
    assert_eq!((status, &answer["backends"]), (200, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_at_its_place_and_nothing_is_stored() {
    let bench = bench(true).await;
    let id = call(0).to_string();
    let good = json!({ "subjects": [TOURISM] }).to_string();
    assert_eq!(bench.tag(&call(9).to_string(), "operator", &good).await.0, 404);
    assert_eq!(bench.tag("nonsense", "operator", &good).await.0, 400);
    assert_eq!(bench.tag(&id, "operator", "{").await.0, 400);
    assert_eq!(bench.tag(&id, "viewer", &good).await.0, 403);
    assert_eq!(bench.tag(&id, "operator", &"x".repeat(20_000)).await.0, 413);
    for (body, pointer) in [
        (json!({ "subjects": [] }), "#/subjects"),
        (json!({ "subjects": vec!["a"; 17] }), "#/subjects"),
        (json!({ "subjects": ["a", ""] }), "#/subjects/1"),
        (json!({ "subjects": ["a", " b"] }), "#/subjects/1"),
        (json!({ "subjects": ["a\u{1}"] }), "#/subjects/0"),
        (json!({ "subjects": ["诉".repeat(65)] }), "#/subjects/0"),
        (json!({ "subjects": "a" }), "#/subjects"),
        (json!({ "subjects": ["a"], "by": "me" }), "#"),
        (json!({}), "#"),
    ] {
        let (status, problem) = bench.tag(&id, "operator", &body.to_string()).await;
        assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (422, Some(pointer)), "{body}");
    }
    assert_eq!(bench.reader().feed_ends().unwrap().1, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_and_a_record_from_elsewhere_may_name_subjects_too() {
    let bench = bench(true).await;
    let body = json!({ "call_id": call(0).to_string(), "subjects": [TOURISM] });
    assert_eq!(bench.call_back("m1", seconds(), KEY, &body).await.0, 200);
    assert_eq!(bench.reader().record(call(0)).unwrap().unwrap().subjects, [TOURISM]);
    let same = json!({ "subjects": [TOURISM] }).to_string();
    assert_eq!(bench.tag(&call(0).to_string(), "operator", &same).await.1["status"], "known", "its backend has it already");
    let mut wrong = body.clone();
    wrong["subjects"] = json!([" "]);
    assert_eq!(bench.call_back("m2", seconds(), KEY, &wrong).await.0, 422);

    let mut reported = report();
    reported["subjects"] = json!(["30天无理由退货"]);
    let (status, answer) = bench.hand_in(&reported).await;
    assert_eq!(status, 201, "{answer}");
    let handed_in: CallId = answer["call_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(bench.reader().record(handed_in).unwrap().unwrap().subjects, ["30天无理由退货"]);
    let entries = bench.reader().entries(handed_in, 1).unwrap();
    let What::Reported(stored) = &entries[0].what else { panic!("{entries:?}") };
    assert_eq!((stored.tickets.len(), stored.withheld.len()), (0, 0), "tourism is withheld no more, and nobody is left out");
    let same = json!({ "subjects": ["30天无理由退货"] }).to_string();
    assert_eq!(bench.tag(&handed_in.to_string(), "operator", &same).await.1["status"], "known");
}
