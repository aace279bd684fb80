use super::{LAG, World, until};
use crate::{
    client::Answer,
    run,
    server::{fresh_user, stage},
    shop::OPENING,
};
use serde_json::{Value, json};

impl World {
    async fn charge(&self, user: u64, amount: u64) {
        let call = self.server.call("PATCH", &format!("/api/users/{user}/balance"));
        call.json(&json!({"amount": amount})).expect(200).await;
    }

    async fn logs(&self, user: u64, query: &str) -> Answer {
        self.server.get(&format!("/api/users/{user}/balance/logs{query}")).expect(200).await
    }
}

fn amounts(answer: &Answer) -> Vec<i64> {
    answer.json()["logs"].as_array().unwrap().iter().map(|log| log["amount"].as_i64().unwrap()).collect()
}

#[test]
fn a_change_is_listed_as_soon_as_it_was_acknowledged() {
    run(async {
        let world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        for amount in 1..=5 {
            world.charge(user, amount).await;
            let answer = world.logs(user, "").await;
            assert_eq!(answer.header(LAG), None, "{answer:?}");
            assert_eq!((amounts(&answer)[0], &answer.json()["total"]), (amount as i64, &json!(amount)));
        }
        let order = world.paid_order(user, option).await;
        let page = world.logs(user, "?size=2").await.json();
        let logs = &page["logs"];
        assert_eq!((&page["page"], &page["size"], &page["total"]), (&json!(1), &json!(2), &json!(6)));
        assert_eq!(logs.as_array().unwrap().len(), 2);
        let balance = OPENING + 15;
        let payment = json!({"id": logs[0]["id"], "code": "PAYMENT", "amount": -100, "balance": balance - 100,
            "refId": order, "createdAt": logs[0]["createdAt"]});
        let charge = json!({"id": logs[1]["id"], "code": "CHARGE", "amount": 5, "balance": balance,
            "refId": Value::Null, "createdAt": logs[1]["createdAt"]});
        assert_eq!(logs, &json!([payment, charge]));
        assert!(chrono::DateTime::parse_from_rfc3339(logs[0]["createdAt"].as_str().unwrap()).is_ok());

        let at = |query: &str| format!("?{query}");
        assert_eq!(amounts(&world.logs(user, "?size=2&page=3").await), [2, 1]);
        assert_eq!(amounts(&world.logs(user, "?page=10000").await), [0; 0]);
        assert_eq!(amounts(&world.logs(user, "?code=CHARGE").await), [5, 4, 3, 2, 1]);
        assert_eq!(amounts(&world.logs(user, "?code=SET").await), [0; 0]);
        assert_eq!(amounts(&world.logs(user, &at(&format!("refId={order}"))).await), [-100]);
        assert_eq!(amounts(&world.logs(user, &at(&format!("refId={}", order + 1))).await), [0; 0]);
        let times: Vec<Value> = world.logs(user, "").await.json()["logs"].as_array().unwrap().clone();
        let third = times[3]["createdAt"].as_str().unwrap();
        let expected = times.iter().filter(|log| log["createdAt"].as_str().unwrap() >= third).count();
        assert_eq!(world.logs(user, &at(&format!("from={third}"))).await.json()["total"], expected);
        assert_eq!(world.logs(user, &at(&format!("to={third}"))).await.json()["total"], 6 - expected);
        let ms = chrono::DateTime::parse_from_rfc3339(third).unwrap().timestamp_millis();
        assert_eq!(world.logs(user, &at(&format!("from={ms}"))).await.json()["total"], expected);
        let in_seoul = chrono::DateTime::from_timestamp_millis(ms)
            .unwrap()
            .with_timezone(&chrono::FixedOffset::east_opt(9 * 3_600).unwrap());
        let query = at(&format!("from={}", in_seoul.to_rfc3339()));
        assert_eq!(world.logs(user, &query).await.json()["total"], expected, "{query}");
        assert_eq!(world.logs(user, &at(&format!("from={ms}&to={ms}"))).await.json()["total"], 0);
        assert_eq!(amounts(&world.logs(fresh_user(), "").await), [0; 0]);
        world.stop().await;
    });
}

#[test]
fn tables_that_are_behind_say_so() {
    run(async {
        let mut world = World::start().await;
        let (user, another) = (fresh_user(), fresh_user());
        world.charge(user, 1).await;
        assert_eq!(amounts(&world.logs(user, "").await), [1]);
        world.consumers.freeze().unwrap();
        world.charge(user, 2).await;
        world.charge(another, 3).await;
        let behind = world.logs(user, "").await;
        assert_eq!((behind.header(LAG), amounts(&behind)), (Some("2"), vec![1]));

        let path = format!("/api/users/{user}/balance/logs");
        world.copied(&path, &format!("balance-logs:{user}:*")).await;

        // Without MySQL the last page that was read is shown, and says how old it is; others are not there.
        world.mysql.kill().unwrap();
        let other_page = format!("/api/users/{user}/balance/logs?size=7");
        until("MySQL is known to be away", async || world.refuses_history(&other_page).await).await;
        let copy = world.logs(user, "").await;
        assert_eq!((copy.header(LAG), amounts(&copy)), (Some("2"), vec![1]));
        world.flush().await;
        world.server.get(&path).refused(503, "HISTORY_UNAVAILABLE").await;
        world.charge(user, 4).await;

        world.mysql.restart().unwrap();
        world.consumers.thaw().unwrap();
        until("all is there again", async || world.is_up_to_date(&path).await).await;
        assert_eq!(amounts(&world.logs(user, "").await), [4, 2, 1]);
        assert_eq!(amounts(&world.logs(another, "").await), [3]);
        world.stop().await;
    });
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    run(async {
        // Refused before MySQL is asked: this process has none.
        let (server, user) = (&stage().await.one, fresh_user());
        for query in [
            "page=0",
            "page=-1",
            "page=x",
            "page=1.5",
            "page=10001",
            "page=",
            "size=0",
            "size=101",
            "size=x",
            "size=1e1",
            "code=charge",
            "code=",
            "code=ORDER",
            "code=1",
            "refId=0",
            "refId=-1",
            "refId=x",
            "refId=",
            "refId=9007199254740992",
            "from=soon",
            "from=",
            "from=-1",
            "from=2026-13-01T00:00:00Z",
            "to=1e30",
            "to=9007199254740992",
            "from=2000&to=1999",
            "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        ] {
            let path = format!("/api/users/{user}/balance/logs?{query}");
            server.get(&path).refused(400, "INVALID_REQUEST").await;
        }
        for id in ["0", "x", "-1", "9007199254740992"] {
            let path = format!("/api/users/{id}/balance/logs");
            server.get(&path).refused(400, "INVALID_REQUEST").await;
        }
        let path = format!("/api/users/{user}/balance/logs");
        server.post(&path).refused(405, "METHOD_NOT_ALLOWED").await;
    });
}
