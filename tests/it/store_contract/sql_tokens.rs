//! What holds for rights, clients, read tokens and signing keys in a database whoever writes to it.

use super::{
    sql::{SqlBench, chain},
    tokens::{
        FIRST, TOKEN, find_client, find_token, new_client, new_signing_key, new_token, signing_key,
        store_owners, token_keys,
    },
    *,
};
use countersign::credential::SecretHash;

/// One of each, owned by `ops` of `acme`.
async fn store_all(bench: &impl SqlBench) {
    let store = bench.store();
    store_owners(store).await;
    store.create_organization(&organization("globex"), None).await.unwrap();
    store.create_credential(&new_key("ateliere", "pk_1")).await.unwrap();
    store.create_client(&new_client("a")).await.unwrap();
    store.create_read_token(&new_token("reports", TOKEN)).await.unwrap();
    store.add_signing_key(&new_signing_key("one")).await.unwrap();
}

pub(super) async fn permissions_have_one_form(bench: &impl SqlBench) {
    store_all(bench).await;
    let long = "w".repeat(4096);
    let tables = ["accounts", "credentials", "oauth_clients", "read_tokens"];
    for fine in ["", "*", "a:read", "a:* -b:*", "* -*", "*:read", "*:b:*", "a-b.c_d:9 *", "*:read b:*", &long]
    {
        assert!(Permissions::parse(fine).is_ok(), "{fine}");
        for table in tables {
            let update = format!("UPDATE {table} SET permissions = '{fine}'");
            bench.execute(&update).await.unwrap_or_else(|error| panic!("{update}: {error}"));
        }
    }
    let longer = "w".repeat(4097);
    for wrong in [
        " ", " a", "a ", "a  b", "a\tb", "a\nb", "a\n", "-", "--a", "- a", "a & b", "a,b", "ä", "a*", "*a",
        "**", "a:*:b", "*:*", "x -*:*", ":", ":a", "a:", "a::b", "a:-b", "-:a", ".a", "a:*x", "a-*", "a:-*",
        &longer,
    ] {
        assert!(Permissions::parse(wrong).is_err(), "{wrong}");
        for table in tables {
            let update = format!("UPDATE {table} SET permissions = '{wrong}'");
            assert!(bench.execute(&update).await.is_err(), "{update}");
        }
    }
    for insert in [
        "INSERT INTO accounts (id, permissions) VALUES ('new', 'a  b')",
        "INSERT INTO accounts (id, permissions) VALUES ('new', NULL)",
        "INSERT INTO credentials (scheme, key_id, algorithm, account, permissions)
         VALUES ('ateliere', 'new', 'hmac-sha256', 'ops', 'a  b')",
        "INSERT INTO oauth_clients (client_id, account, permissions) VALUES ('new', 'ops', 'a  b')",
    ] {
        assert!(bench.execute(insert).await.is_err(), "{insert}");
    }
    bench.execute("INSERT INTO accounts (id) VALUES ('new')").await.unwrap();
    let accounts = bench.store().accounts().await.unwrap();
    assert_eq!(accounts[0].permissions, Permissions::none(), "who is given nothing may do nothing");
}

pub(super) async fn what_an_operator_writes_is_found(bench: &impl SqlBench) {
    store_owners(bench.store()).await;
    let hash = |text: &str| hex::encode(SecretHash::of(text.as_bytes()).as_bytes());
    for insert in [
        "INSERT INTO oauth_clients (client_id, account, permissions) VALUES ('b', 'ops', '*:read')"
            .to_owned(),
        format!(
            "INSERT INTO client_secrets (client_id, number, hash) VALUES ('b', 1, unhex('{}'))",
            hash(FIRST)
        ),
        format!(
            "INSERT INTO read_tokens (id, hash, account, organization)
             VALUES ('reports', unhex('{}'), 'ops', 'acme')",
            hash(TOKEN)
        ),
    ] {
        bench.execute(&insert).await.unwrap();
    }
    let client = find_client(bench.store(), "b").await.unwrap();
    assert_eq!(client.permissions, permissions("*:read"));
    assert!(client.secret(&SecretHash::of(FIRST.as_bytes())).is_some());
    assert_eq!(find_token(bench.store(), TOKEN).await.unwrap().permissions, Permissions::all());
}

pub(super) async fn ids_of_tokens_are_never_given_out_again(bench: &impl SqlBench) {
    store_all(bench).await;
    for statement in [
        "DELETE FROM oauth_clients",
        "DELETE FROM read_tokens",
        "DELETE FROM token_keys",
        "UPDATE oauth_clients SET client_id = 'b'",
        "UPDATE client_secrets SET number = 2",
        "UPDATE client_secrets SET hash = unhex('00')",
        "UPDATE read_tokens SET id = 'b'",
        "UPDATE read_tokens SET hash = hash",
        "UPDATE token_keys SET kid = 'b'",
        "UPDATE token_keys SET number = 2",
        "UPDATE token_keys SET algorithm = 'none'",
        "UPDATE token_keys SET public_key = unhex('00')",
    ] {
        assert!(bench.execute(statement).await.is_err(), "{statement}");
    }
    assert!(find_client(bench.store(), "a").await.is_some());
    assert!(find_token(bench.store(), TOKEN).await.is_some());
    assert!(signing_key(bench.store()).await.is_some());
}

pub(super) async fn what_is_withdrawn_stays_so(bench: &impl SqlBench) {
    store_all(bench).await;
    bench.execute("UPDATE oauth_clients SET state = 'revoked'").await.unwrap();
    bench.execute("UPDATE read_tokens SET state = 'revoked'").await.unwrap();
    bench.execute("UPDATE token_keys SET retires_at = 1700000010").await.unwrap();
    for statement in [
        "UPDATE oauth_clients SET state = 'active'",
        "UPDATE oauth_clients SET state = 'disabled'",
        "UPDATE read_tokens SET state = 'active'",
        "UPDATE token_keys SET retires_at = NULL",
        "UPDATE token_keys SET retires_at = 1700000011",
    ] {
        assert!(bench.execute(statement).await.is_err(), "{statement}");
    }
    bench.execute("UPDATE token_keys SET retires_at = 1700000009").await.unwrap();
    assert_eq!(find_client(bench.store(), "a").await.unwrap().standing(at(NOW)), Standing::Revoked);
    assert_eq!(find_token(bench.store(), TOKEN).await.unwrap().standing(at(NOW)), Standing::Revoked);
    bench.clock().set(NOW + 9);
    assert!(token_keys(bench.store()).await.is_none() && signing_key(bench.store()).await.is_none());
}

pub(super) async fn every_change_of_a_token_raises_its_revision(bench: &impl SqlBench) {
    store_all(bench).await;
    let store = bench.store();
    let revisions = async || {
        let (client, token) =
            (find_client(store, "a").await.unwrap(), find_token(store, TOKEN).await.unwrap());
        [client.revision, token.revision, token_keys(store).await.unwrap().revision]
    };
    let mut last = revisions().await;
    for (change, risen) in [
        ("UPDATE oauth_clients SET permissions = '*:read'", [true, false, false]),
        ("UPDATE oauth_clients SET expires_at = 1800000000", [true, false, false]),
        ("UPDATE oauth_clients SET organization = 'globex'", [true, false, false]),
        ("UPDATE oauth_clients SET state = 'disabled'", [true, false, false]),
        ("UPDATE client_secrets SET retires_at = 1700000001", [true, false, false]),
        ("DELETE FROM client_secrets", [true, false, false]),
        ("UPDATE read_tokens SET permissions = '*:read'", [false, true, false]),
        ("UPDATE read_tokens SET expires_at = 1800000000", [false, true, false]),
        ("UPDATE read_tokens SET organization = 'globex'", [false, true, false]),
        ("UPDATE read_tokens SET state = 'disabled'", [false, true, false]),
        ("UPDATE accounts SET permissions = 'titles:*'", [true, true, false]),
        ("UPDATE accounts SET state = 'disabled'", [true, true, false]),
        ("UPDATE organizations SET state = 'disabled' WHERE id = 'acme'", [true, true, false]),
        ("UPDATE organizations SET state = 'disabled' WHERE id = 'globex'", [true, true, false]),
        ("UPDATE token_keys SET not_before = 1700000000", [false, false, true]),
        ("UPDATE token_keys SET retires_at = 1700000010", [false, false, true]),
    ] {
        bench.execute(change).await.unwrap();
        let now = revisions().await;
        let rises: Vec<_> = now.iter().zip(last).map(|(now, last)| *now > last).collect();
        assert_eq!(rises, risen, "{change}");
        last = now;
    }
    for table in ["oauth_clients", "read_tokens", "token_keys"] {
        let lower = format!("UPDATE {table} SET revision = revision");
        assert!(bench.execute(&lower).await.is_err(), "{lower}");
    }
}

pub(super) async fn a_row_that_makes_no_sense_is_refused(bench: &impl SqlBench) {
    store_all(bench).await;
    for statement in [
        "UPDATE oauth_clients SET state = 'activ'",
        "UPDATE oauth_clients SET account = 'nobody'",
        "UPDATE oauth_clients SET organization = 'nowhere'",
        "UPDATE oauth_clients SET expires_at = 1700000000000",
        "UPDATE read_tokens SET organization = NULL",
        "UPDATE read_tokens SET account = 'nobody'",
        "INSERT INTO oauth_clients (client_id, account) VALUES ('a:b', 'ops')",
        "INSERT INTO oauth_clients (client_id, account) VALUES ('a b', 'ops')",
        "INSERT INTO oauth_clients (client_id, account) VALUES ('', 'ops')",
        "INSERT INTO client_secrets (client_id, number, hash) VALUES ('a', 2, unhex('00'))",
        "INSERT INTO client_secrets (client_id, number, hash) VALUES ('b', 1, unhex('00'))",
        "INSERT INTO read_tokens (id, hash, account, organization) VALUES ('b', unhex('00'), 'ops', 'acme')",
        "UPDATE token_keys SET keyring_id = 'unknown'",
        "UPDATE token_keys SET sealed = unhex('00')",
    ] {
        assert!(bench.execute(statement).await.is_err(), "{statement}");
    }
    bench.execute("UPDATE oauth_clients SET expires_at = 1800000000").await.unwrap();
}

pub(super) async fn a_signing_key_is_sealed_in_its_place(bench: &impl SqlBench) {
    let store = bench.store();
    store.add_signing_key(&new_signing_key("one")).await.unwrap();
    store.add_signing_key(&new_signing_key("two")).await.unwrap();
    let swapped = "UPDATE token_keys SET sealed = (SELECT sealed FROM token_keys WHERE kid = 'one')";
    bench.execute(swapped).await.unwrap();
    let error = ask(store, Lookup::SigningKey).await.unwrap_err();
    assert!(chain(&error).contains("the private half of signing key `two`"), "{}", chain(&error));
    store.retire_signing_key(&id("two"), at(NOW)).await.unwrap();
    let opened = signing_key(store).await.unwrap();
    assert_eq!(opened.private_key.expose(), b"the private half of one");
}
