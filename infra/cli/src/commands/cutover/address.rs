//! Where a MySQL is, as `control` may say it: without user and password. What may hold a password is never repeated.

use url::Url;

/// The port of a server that was told no other.
const DEFAULT_PORT: u16 = 3306;
/// What it looks like.
const FORM: &str = "write mysql://HOST:PORT/SCHEMA";

/// Reads one, and spells it as the processes do: with the port, in lower case.
///
/// # Errors
/// Why it is none.
pub(super) fn read(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err(format!(
            "--to names a user or a password, and credentials never travel through the log: {FORM}. Every process keeps \
             its own user and password, so the target must know the same users"
        ));
    }
    spell(text).ok_or_else(|| format!("--to is no address of a MySQL: {FORM}"))
}

fn spell(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "mysql" && url.port() != Some(0))?;
    let host = url.host_str().filter(|host| !host.is_empty())?.to_ascii_lowercase();
    let schema = url.path().strip_prefix('/').filter(|schema| !schema.is_empty())?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-$".contains(c);
    let is_bare = url.query().is_none() && url.fragment().is_none() && schema.chars().all(is_plain);
    is_bare.then(|| format!("mysql://{host}:{}/{schema}", url.port().unwrap_or(DEFAULT_PORT)))
}

/// Whether two are one, however they are spelled.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || spell(one).is_some_and(|one| spell(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(read("mysql://DB/tidemark"), Ok("mysql://db:3306/tidemark".into()));
        assert_eq!(read("mysql://10.0.0.9:3307/t_1"), Ok("mysql://10.0.0.9:3307/t_1".into()));
        assert_eq!(read("mysql://[::1]:1/t"), Ok("mysql://[::1]:1/t".into()));
        assert_eq!(read("mysql://[::1]/t"), Ok("mysql://[::1]:3306/t".into()));
        assert!(same("mysql://DB/t", "mysql://db:3306/t") && !same("mysql://db/t", "mysql://db/T"));
        for text in
            ["", "db:3306/t", "http://db/t", "mysql://db", "mysql://db/", "mysql:///t", "mysql://db:0/t"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        for text in
            ["mysql://db:65536/t", "mysql://db/a/b", "mysql://db/t?ssl-mode=DISABLED", "mysql://[x]:1/t"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_are_refused_with_the_reason_and_not_repeated() {
        for text in
            ["mysql://me@db:1/t", "mysql://me:secret@db:1/t", "me:secret@db", "mysql://db/t?p=me:secret@x"]
        {
            let why = read(text).unwrap_err();
            assert!(why.contains("never travel through the log") && !why.contains("secret"), "{why}");
        }
    }
}
