//! A program of ours, played by a small web server.

use stack::daemon::Lifetime;
use stack::http;
use stack::ports::lease;
use stack::process::{Process, ProcessOptions};
use stack::services::Place;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

#[test]
fn a_program_is_ready_when_its_admin_listener_says_so() {
    let folder = std::env::temp_dir().join(format!("stack-process-{}", std::process::id()));
    let data = folder.join("data/consumers-1");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("ready"), "yes").unwrap();
    let admin = lease().unwrap();
    let options = ProcessOptions {
        program: PathBuf::from("/bin/sh"),
        instance: "consumers-1".into(),
        args: vec![
            "-c".into(),
            "exec python3 -m http.server -b ${TIDEMARK_ADMIN_LISTEN%:*} ${TIDEMARK_ADMIN_LISTEN#*:}".into(),
        ],
        env: BTreeMap::new(),
        admin: admin.port(),
        listen: Vec::new(),
    };
    let place = Place { folder: folder.clone(), lifetime: Lifetime::WithUs };
    let mut process = Process::start(&place, &options).unwrap();
    let answer = http::get(&format!("{}/ready", process.admin_url())).unwrap();
    assert_eq!(answer.body, "yes");
    process.kill().unwrap();
    assert!(http::get(&format!("{}/ready", process.admin_url())).is_err());
    process.restart().unwrap();
    process.stop().unwrap();
    fs::remove_dir_all(&folder).unwrap();
}
