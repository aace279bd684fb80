//! Topics, tables and processes of one test, on the running stack or on services of its own.

use super::raw_log;
use mysql_session::{Error, Rows, Session};
use serde_json::Value;
use stack::platform::Platform;
use stack::private::{self, Private};
use stack::process::{self, Process};
use stack::{Endpoints, testing};
use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// Opens the admin listeners.
pub const ADMIN_TOKEN: &str = "fault-tests";
/// Every key of these logs; none of them protects anything.
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const GROUPS: &str = "signup-projection,coupon-projection,order-projection,external-platform";
/// Topics of requests, each with its dead letters.
const REQUESTS: [&str; 3] = ["signup", "coupon", "order"];
/// Topics of facts.
const FACTS: [&str; 2] = ["payment", "external-platform"];
/// What operators want, and what processes say.
const CONTROL: [&str; 3] = ["control", "control.acks", "control.audit"];
/// What a patient process adds to its waits, in ms. CI's machine was seen to stall for seconds.
pub const PATIENT_MS: u64 = 15_000;
/// How long MySQL may take to catch up, in seconds.
const SETTLE_S: u32 = 60;

/// See the module.
pub struct Deployment {
    env: BTreeMap<String, String>,
    database: String,
    mysql: Session,
    mysql_port: u16,
    partner: Platform,
}

impl Deployment {
    /// Founds a log and tables on the running stack.
    pub fn on_the_stack(name: &str) -> Self {
        Self::on(name, testing::endpoints())
    }

    /// Founds a log and tables on these services.
    pub fn on(name: &str, endpoints: &Endpoints) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let prefix = format!("fault-{name}-{unique}.");
        let database = format!("tidemark_fault_{name}_{unique}").replace('-', "_");
        let (server, _) = endpoints.mysql.rsplit_once('/').unwrap();
        let (_, mysql_port) = server.rsplit_once(':').unwrap();
        let partner = Platform::start().unwrap();
        let mut env = process::environment(endpoints, &BTreeMap::new(), 1);
        let own = [
            ("MODE", "stage".to_owned()),
            ("TOPIC_PREFIX", prefix),
            ("DATABASE_URL", format!("{server}/{database}")),
            ("GROUPS", GROUPS.to_owned()),
            ("PLATFORM_URL", partner.url()),
            ("PLATFORM_KEYS", format!("partner-1:{KEY}")),
            // A call that this machine's stall makes fail would be made again.
            ("PLATFORM_TIMEOUT_MS", PATIENT_MS.to_string()),
            ("EMAIL_KEY", KEY.to_owned()),
            ("FINGERPRINT_KEY", KEY.to_owned()),
            ("SESSION_KEY", KEY.to_owned()),
            ("ADMIN_TOKEN", ADMIN_TOKEN.to_owned()),
        ];
        env.extend(own.map(|(name, value)| (format!("TIDEMARK_{name}"), value)));
        let mysql_port = mysql_port.parse().unwrap();
        let deployment = Self { env, database, mysql: Session::at(mysql_port), mysql_port, partner };
        deployment.create_tables();
        deployment
    }

    /// Makes the database and runs `consumers init`, which changes nothing of a log that is there.
    fn create_tables(&self) {
        self.root(&format!("CREATE DATABASE {}", self.database)).unwrap();
        let founded = self.tool(&["init"], &[]);
        assert!(founded.status.success(), "{}", String::from_utf8_lossy(&founded.stderr));
    }

    /// Its database's address on a server, as operators name it.
    pub fn address_on(&self, port: u16) -> String {
        format!("mysql://127.0.0.1:{port}/{}", self.database)
    }

    /// Its database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Rows are looked for on another server from now on. The processes' settings stay as they are: where they look,
    /// `control` says.
    pub fn moves_to(&mut self, port: u16) {
        (self.mysql, self.mysql_port) = (Session::at(port), port);
    }

    /// Throws everything away that MySQL holds.
    pub fn empty_mysql(&self) {
        self.root(&format!("DROP DATABASE {}", self.database)).unwrap();
        self.create_tables();
    }

    /// Who hears of what is paid.
    pub fn partner(&self) -> &Platform {
        &self.partner
    }

    /// A setting of the processes.
    pub fn setting(&self, name: &str) -> &str {
        &self.env[&format!("TIDEMARK_{name}")]
    }

    /// Name of a topic on the broker.
    pub fn topic(&self, base: &str) -> String {
        format!("{}{base}", self.setting("TOPIC_PREFIX"))
    }

    /// Starts an API process.
    pub fn api(&self) -> Private<Process> {
        self.api_at(self.setting("KAFKA"))
    }

    /// Starts an API process that finds Kafka somewhere else.
    pub fn api_at(&self, kafka: &str) -> Private<Process> {
        private::process("api", &[], self.env_at(kafka), 1).unwrap()
    }

    /// Starts an API process that waits longer than this machine stalls: where every request must succeed at once, a 503
    /// or a 202 is then what was done to the system, and not what the machine did.
    pub fn patient_api(&self) -> Private<Process> {
        let mut env = self.env.clone();
        for (name, ms) in [("EXTRA_WAIT_MS", PATIENT_MS), ("READER_POOL_ACQUIRE_TIMEOUT_MS", PATIENT_MS)] {
            env.insert(format!("TIDEMARK_{name}"), ms.to_string());
        }
        private::process("api", &[], env, 1).unwrap()
    }

    /// Starts a consumers process.
    pub fn consumers(&self) -> Private<Process> {
        self.consumers_at(self.setting("KAFKA"))
    }

    /// Starts a consumers process that finds Kafka somewhere else.
    pub fn consumers_at(&self, kafka: &str) -> Private<Process> {
        private::process("consumers", &["run"], self.env_at(kafka), 0).unwrap()
    }

    /// Starts a consumers process with other settings.
    pub fn consumers_with(&self, settings: &[(&str, &str)]) -> Private<Process> {
        let mut env = self.env.clone();
        env.extend(settings.iter().map(|(name, value)| (format!("TIDEMARK_{name}"), (*value).to_owned())));
        private::process("consumers", &["run"], env, 0).unwrap()
    }

    fn env_at(&self, kafka: &str) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        env.insert("TIDEMARK_KAFKA".to_owned(), kafka.to_owned());
        env
    }

    /// Waits until MySQL has caught up and audits log, MySQL and the API process: there must be nothing to find,
    /// and so many dead letters.
    pub fn assert_clean(&self, api: &Process, dead: u64) {
        self.assert_all_clean(&[api], dead);
    }

    /// As [`Deployment::assert_clean`], with several API processes.
    pub fn assert_all_clean(&self, apis: &[&Process], dead: u64) {
        let audit = ["audit", "--json", "--settle", &SETTLE_S.to_string()];
        let urls: Vec<String> = apis.iter().map(|api| api.admin_url()).collect();
        let output = self.tool(&audit, &[("TIDEMARK_API_ADMIN_URLS", &urls.join(","))]);
        let text = String::from_utf8_lossy(&output.stdout);
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("no report ({error}): {text} {}", String::from_utf8_lossy(&output.stderr))
        });
        assert!(output.status.success() && report["clean"] == true, "{report:#}");
        assert!(report["caughtUpSeconds"].is_number(), "MySQL never caught up: {report:#}");
        assert!(report["digestsAgree"].as_u64() > Some(0), "the API was not asked: {report:#}");
        let partitions = report["partitions"].as_array().unwrap();
        let sum = |name: &str| partitions.iter().map(|p| p[name].as_u64().unwrap()).sum::<u64>();
        assert_eq!((sum("dead"), sum("inFlight")), (dead, 0), "{report:#}");
        let kept = REQUESTS.map(|topic| self.dead_letters(&format!("{topic}.dead")));
        assert_eq!(kept.iter().sum::<usize>() as u64, dead, "dead letters in Kafka");
    }

    fn dead_letters(&self, topic: &str) -> usize {
        raw_log::read(self.setting("KAFKA"), &self.topic(topic), 0).len()
    }

    /// Where nobody was killed while he called, there is no excuse for a second call of the partner.
    pub fn assert_each_called_once(&self, orders: u64) {
        assert_eq!(self.partner.calls(), orders, "calls of the partner");
    }

    /// Rows of a query in this deployment's database.
    pub fn rows(&self, query: &str) -> Rows {
        self.try_rows(query).unwrap()
    }

    /// As [`Deployment::rows`], for a MySQL that may be away.
    pub fn try_rows(&self, query: &str) -> Result<Rows, Error> {
        self.root(&format!("USE {}; {query}", self.database))
    }

    /// A number from a query.
    pub fn number(&self, query: &str) -> u64 {
        self.rows(query)[0][0].parse().unwrap()
    }

    /// The offset that MySQL waits for in a partition.
    pub fn place(&self, topic: &str, partition: i32) -> u64 {
        let topic = self.topic(topic);
        self.number(&format!(
            "SELECT COALESCE(MAX(next_offset), 0) FROM projection_offset
             WHERE topic = '{topic}' AND partition_id = {partition}"
        ))
    }

    /// A session of root of its own, within a transaction in this deployment's database: what it locks stays locked until
    /// it says COMMIT or is dropped.
    pub fn session(&self) -> Session {
        let session = Session::once(self.mysql_port);
        session.rows(&format!("USE {}; BEGIN", self.database)).unwrap();
        session
    }

    /// Runs statements as root, outside any database.
    pub fn root(&self, sql: &str) -> Result<Rows, Error> {
        self.mysql.rows(sql)
    }

    /// Runs `consumers` with those arguments to its end.
    pub fn tool(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let program = process::binary("consumers").unwrap();
        let env = env.iter().copied();
        // Asked once: MySQL may stand still for a moment.
        let patient = ("TIDEMARK_POOL_ACQUIRE_TIMEOUT_MS", PATIENT_MS.to_string());
        Command::new(program).args(args).envs(&self.env).envs([patient]).envs(env).output().unwrap()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        // What lies on the running stack would slow it down for others; the test itself is over.
        let _ = self.root(&format!("DROP DATABASE {}", self.database));
        if self.setting("KAFKA") == testing::endpoints().kafka {
            let requests = REQUESTS.map(|base| self.topic(base));
            let all = requests.iter().flat_map(|topic| [topic.clone(), format!("{topic}.dead")]);
            let facts = FACTS.map(|base| self.topic(base));
            let all = all.chain(facts.iter().flat_map(|topic| [topic.clone(), format!("{topic}.dead")]));
            let all = all.chain(CONTROL.map(|topic| self.topic(topic)));
            raw_log::delete(self.setting("KAFKA"), &all.collect::<Vec<_>>());
        }
    }
}
