//! A record of a schema that no rules list: who cannot read it must not judge it, so everybody stops before it.

use super::client::{Client, open_coupon};
use super::deployment::Deployment;
use super::{SOON, once, raw_log, wait_seeing};
use stack::daemon::{Launch, Ready};
use stack::http;

/// Framed as ours, schema id 999.
const UNKNOWN: &[u8] = &[0, 0, 0, 0x03, 0xe7, 1, 2, 3];
/// In partition 0, which stops, and in partition 1, which does not.
const STOPPED: u64 = 1;
const FLOWING: u64 = 2;

#[test]
fn an_unknown_schema_stops_its_partition_everywhere_and_no_other() {
    let deployment = Deployment::on_the_stack("unknown-schema");
    let mut api = deployment.patient_api();
    let mut consumers = deployment.consumers();
    open_coupon(&api, STOPPED, 10);
    open_coupon(&api, FLOWING, 10);
    for coupon in [STOPPED, FLOWING] {
        assert_eq!(Client::of(&api).claim(coupon, 1, "before").unwrap().status, 201);
    }
    let (kafka, topic) = (deployment.setting("KAFKA"), deployment.topic("coupon"));
    let offset = raw_log::append(kafka, &topic, 0, UNKNOWN);
    // Whoever skipped the one before it would make a dead letter of this one.
    raw_log::append(kafka, &topic, 0, b"garbage");

    // What is true at once must still be true after both were started again: a restart skips nothing.
    for user in [2, 3] {
        let client = Client::of(&api);
        let listed = || Client::at(&api.admin_url()).get("/health").unwrap().body["stopped"].clone();
        let one = || once(listed(), |listed| listed.as_array().unwrap().len() == 1);
        let reason = wait_seeing("the API lists the partition", SOON, one)[0].as_str().unwrap().to_owned();
        let said = format!("{topic}-0 stopped at offset {offset}: schema id 999");
        assert!(reason.starts_with(&said), "{reason}");
        let refused = client.claim(STOPPED, user, "after").unwrap();
        assert_eq!((refused.status, refused.code()), (503, "PARTITION_STOPPED"), "{refused:?}");
        assert!(refused.retry_after);
        assert_eq!(client.claim(FLOWING, user, "after").unwrap().status, 201);

        // Refused while it starts again.
        let ready =
            || http::get(&format!("{}/ready", consumers.admin_url())).map_err(|error| error.to_string());
        let has_started = |answer: &http::Answer| answer.status == 503 && !answer.body.contains("starting");
        let not_ready = || ready().and_then(|answer| once(answer, has_started));
        let reason = wait_seeing("the consumers are not ready", SOON, not_ready).body;
        assert!(reason.contains("stopped partition 0") && reason.contains("999"), "{reason}");
        let rows = format!("SELECT COUNT(*) FROM user_coupons WHERE coupon_id = {FLOWING}");
        let projected = || once(deployment.number(&rows), |rows| *rows == user);
        wait_seeing("the other partition is projected", SOON, projected);
        assert_eq!(deployment.place("coupon", 0), offset, "MySQL waits before the unknown record");
        assert!(raw_log::read(kafka, &deployment.topic("coupon.dead"), 0).is_empty());
        if user == 2 {
            api.restart().unwrap();
            // Not ready is what it is to be, so nobody may wait for readiness here.
            let launch = Launch { ready: Ready::Running, ..consumers.launch().clone() };
            consumers.restart_as(launch).unwrap();
        }
    }
}
