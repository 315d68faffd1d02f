//! What accounts and keys may do, OAuth clients, read tokens, and a look into a JWT.

use super::{Folder, mode};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use std::fs;

#[test]
fn an_account_is_granted_and_denied_words() {
    let folder = Folder::new();
    let created = folder.json("accounts create robot --policy service-account --permission -sites:write");
    let words = json!(["*", "-accounts:*", "-keys:*", "-users:*", "-sites:write"]);
    assert_eq!(created["permissions"], words);
    assert_eq!(folder.json("accounts show robot")["permissions"], words);

    folder.run("accounts create billing").exits(0);
    let shown = folder.run("accounts show billing").exits(0);
    assert!(shown.stdout.contains("permissions   *"), "{}", shown.told());
    let told = folder.run("accounts grant billing sites:* titles:read --only").exits(0);
    assert!(told.says("account `billing` may do: sites:* titles:read"), "{}", told.told());
    let denied = folder.json("accounts deny billing sites:write titles:read");
    assert_eq!(denied["permissions"], json!(["sites:*", "-sites:write", "-titles:read"]));
    let granted = folder.json("accounts grant billing titles:read");
    assert_eq!(granted["permissions"], json!(["sites:*", "-sites:write", "titles:read"]));
    assert_eq!(
        folder.json("accounts grant billing --policy read-only --only")["permissions"],
        json!(["*:read"])
    );
    assert!(folder.run("accounts list").exits(0).stdout.contains("*:read"));

    folder.run("accounts grant billing").exits(2);
    folder.run("accounts grant billing a*b").exits(2);
    folder.run("accounts grant billing --policy nonsense").exits(2);
    let missing = folder.run("accounts grant nobody a -o json").exits(4);
    assert_eq!(missing.error()["code"], "not_found");
    folder.run("accounts show nobody").exits(4);
}

#[test]
fn accounts_and_organizations_are_switched_off_and_on() {
    let folder = Folder::new();
    folder.run("orgs create acme").exits(0);
    folder.run("accounts create ops --organization acme --permission sites:read").exits(0);
    assert_eq!(folder.json("accounts disable ops")["state"], "disabled");
    assert_eq!(folder.json("accounts enable ops")["state"], "active");
    let off = folder.json("orgs disable acme");
    assert_eq!(off, json!({ "organization": "acme", "state": "disabled" }));
    let shown = folder.json("orgs show acme");
    assert_eq!(shown["state"], "disabled");
    assert_eq!(shown["accounts"], json!([{ "account": "ops", "permissions": ["sites:read"] }]));
    assert!(folder.run("orgs show acme").exits(0).stdout.contains("ops: sites:read"));
    assert!(folder.run("orgs enable acme").exits(0).says("enabled organization `acme`"));
    assert_eq!(folder.json("orgs list")["items"][0]["state"], "active");
    for line in ["accounts disable nobody", "orgs disable nowhere", "orgs show nowhere"] {
        folder.run(line).exits(4);
    }
}

#[test]
fn a_key_may_have_permissions_of_its_own() {
    let folder = Folder::new();
    let line = "keys create --scheme corezoid --key-id 13000 --permission conv:* --permission -conv:delete";
    assert_eq!(folder.json(line)["permissions"], json!(["conv:*", "-conv:delete"]));
    let show = "keys show --scheme corezoid --key-id 13000";
    assert_eq!(folder.json(show)["permissions"], json!(["conv:*", "-conv:delete"]));
    assert!(folder.run(show).exits(0).stdout.contains("conv:* -conv:delete"));
    folder.run("keys create --scheme corezoid --key-id 13001").exits(0);
    assert_eq!(folder.json("keys show --scheme corezoid --key-id 13001")["permissions"], json!(null));
    assert!(folder.run("keys list").exits(0).stdout.contains("as its account"));
}

#[test]
fn what_a_key_or_a_client_may_do_changes_and_is_noted() {
    let folder = Folder::new();
    folder.run("accounts create ops").exits(0);
    folder.run("keys create --scheme corezoid --key-id 13000 --account ops").exits(0);
    folder.run("clients create --account ops --client-id A1").exits(0);
    for name in ["keys permit --scheme corezoid --key-id 13000", "clients permit --client-id A1"] {
        let set = |words: &str| {
            folder.json(&format!("{name} {words} --reason review --actor ada"))["permissions"].clone()
        };
        assert_eq!(set("--permission conv:* --permission -conv:delete"), json!(["conv:*", "-conv:delete"]));
        assert_eq!(set("--policy read-only --wait"), json!(["*:read"]));
        assert_eq!(set("--all"), json!(null));
        let told = folder.run(&format!("{name} --permission conv:read")).exits(0);
        assert!(told.stderr.contains(" may do: conv:read"), "{}", told.told());
        folder.run(name).exits(2);
        folder.run(&format!("{name} --all --permission conv:read")).exits(2);
        folder.run(&format!("{}x --all", name)).exits(4);
    }
    let noted = folder.json("audit list --by ada");
    let noted: Vec<_> = noted["items"].as_array().unwrap().iter().collect();
    assert_eq!(noted.len(), 6, "{noted:?}");
    assert!(noted.iter().all(|note| note["reason"] == "review" && note["verb"] == "change"), "{noted:?}");
    assert_eq!(noted[5]["after"]["permissions"], "conv:* -conv:delete", "{noted:?}");
}

#[test]
fn a_client_lives_and_is_withdrawn() {
    let folder = Folder::new();
    folder.run("accounts create meters").exits(0);
    let ran = folder.run("clients create --account meters --client-id A1 --comment north").exits(0);
    let secret = ran.stdout.trim_end();
    assert_eq!(secret.len(), 64, "{}", ran.told());
    assert!(ran.says("created client `A1` of account `meters`"), "{}", ran.told());
    let made = folder.json("clients create --account meters --policy read-only");
    let id = made["client_id"].as_str().unwrap();
    assert!(
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()),
        "{id}"
    );
    assert_eq!(made["permissions"], json!(["*:read"]));
    assert_eq!(made["secret"].as_str().unwrap().len(), 64);

    let shown = folder.json("clients show --client-id A1");
    assert_eq!((&shown["state"], &shown["comment"]), (&json!("active"), &json!("north")));
    let rotated = folder.json("clients rotate --client-id A1");
    assert_eq!((&rotated["number"], rotated["secret"].as_str().unwrap().len()), (&json!(2), 64));
    let ends = |shown: &serde_json::Value| -> Vec<bool> {
        shown["secrets"].as_array().unwrap().iter().map(|secret| secret["retires_at"].is_string()).collect()
    };
    assert_eq!(ends(&folder.json("clients show --client-id A1")), [false, true]);
    let ran = folder.run("clients rotate --client-id A1 --now --secret-out new").exits(0);
    assert!(ran.stdout.is_empty() && mode(&folder.path("new")) == 0o600, "{}", ran.told());
    assert_eq!(fs::read_to_string(folder.path("new")).unwrap().len(), 64);
    folder.run("clients rotate --client-id A1").exits(0);
    folder.run("clients rotate --client-id A1").exits(0);
    let fourth = folder.run("clients rotate --client-id A1 -o json").exits(1).error();
    let ends = folder.json("clients show --client-id A1")["secrets"][2]["retires_at"].clone();
    let wait = format!("wait until {}, or end the older secrets by `--now`", ends.as_str().unwrap());
    assert_eq!(fourth["hint"], wait);

    for (verb, state) in [("disable", "disabled"), ("enable", "active"), ("revoke --yes", "revoked")] {
        assert_eq!(folder.json(&format!("clients {verb} --client-id A1"))["state"], state);
    }
    let refused = folder.run("clients enable --client-id A1 -o json").exits(1);
    assert_eq!(refused.error()["code"], "invalid");
    for line in ["clients list", "clients list -o json", "clients show --client-id A1"] {
        assert!(!folder.run(line).exits(0).contains(secret), "{line}");
    }
    assert_eq!(
        folder.run("clients create --account meters --client-id A1 -o json").exits(1).error()["code"],
        "exists"
    );
    folder.run("clients create --account nobody").exits(4);
    folder.run("clients show --client-id B2").exits(4);
}

#[test]
fn the_key_that_signs_tokens_is_rotated_with_an_overlap_or_at_once() {
    let folder = Folder::new();
    folder.run("orgs create acme").exits(0);
    assert_eq!(folder.json("tokens signing-keys")["items"], json!([]));
    let states = || -> Vec<String> {
        let listed = folder.json("tokens signing-keys");
        let keys = listed["items"].as_array().unwrap();
        keys.iter().map(|key| format!("{} {}", key["algorithm"], key["state"]).replace('"', "")).collect()
    };
    let first = folder.json("tokens rotate-signing-key --algorithm EdDSA");
    assert_eq!(first["kid"].as_str().unwrap().len(), 43);
    folder.run("tokens rotate-signing-key --algorithm ES256").exits(0);
    assert_eq!(states(), ["ES256 active", "EdDSA retiring"]);
    folder.run("tokens rotate-signing-key --algorithm EdDSA --now --wait").exits(0);
    assert_eq!(states(), ["EdDSA active", "ES256 retired", "EdDSA retired"]);
    let ran = folder.json("tokens rotate-signing-key --algorithm ES256 --lead 5m --overlap 1h");
    assert_eq!((&ran["state"], ran["not_before"].is_string()), (&json!("pending"), true));
    assert_eq!(states()[..2], ["ES256 pending", "EdDSA retiring"]);
    let listed = folder.json("tokens signing-keys");
    let [next, old] = [0, 1].map(|at| listed["items"][at].clone());
    let second = |time: &serde_json::Value| time.as_str().unwrap()[14..19].to_owned();
    assert_eq!(second(&next["not_before"]), second(&old["retires_at"]), "an hour later");
    folder.run("tokens rotate-signing-key --lead 5m --now").exits(2);
    folder.run("tokens rotate-signing-key --algorithm none").exits(2);
}

#[test]
fn a_client_is_imported_with_the_secret_it_has() {
    let folder = Folder::new();
    folder.run("accounts create meters").exits(0);
    folder.write_secret("secret", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo+/w==\n");
    let line = "clients import --account meters --client-id A1 --secret-file secret";
    let ran = folder.run(line).exits(0);
    assert!(ran.stdout.is_empty() && !ran.stderr.contains("QUJD"), "{}", ran.told());
    let shown = folder.json("clients show --client-id A1");
    assert_eq!(shown["secrets"][0]["fingerprint"].as_str().unwrap().len(), 8);
    assert_eq!(folder.run(&format!("{line} -o json")).exits(1).error()["code"], "exists");

    folder.write_secret("short", "only-twenty-one-of-it");
    let line = "clients import --account meters --client-id A2 --secret-file short -o json";
    assert_eq!(folder.run(line).exits(1).error()["code"], "bad_secret");
    folder.run("clients import --account meters --client-id A2").exits(2);
    let line = "clients import --account meters --client-id a:b --secret-file secret";
    folder.run(line).exits(2);
}

#[test]
fn a_read_token_is_printed_once_and_withdrawn() {
    let folder = Folder::new();
    folder.run("orgs create acme").exits(0);
    folder.run("accounts create reports --organization acme").exits(0);
    let line = "tokens create --account reports --organization acme --id monthly --permission titles:*";
    let ran = folder.run(line).exits(0);
    let token = ran.stdout.trim_end();
    assert!(token.starts_with("rat_") && token.len() == 68, "{}", ran.told());
    let hint = format!("rat_…{}", &token[64..]);
    assert!(ran.says(&format!("read token `monthly` ({hint}) is stored")), "{}", ran.told());

    let listed = folder.json("tokens list");
    let row = &listed["items"][0];
    assert_eq!((&row["id"], &row["hint"]), (&json!("monthly"), &json!(hint)));
    assert_eq!((&row["state"], &row["permissions"]), (&json!("active"), &json!(["titles:*"])));
    assert!(!folder.run("tokens list").exits(0).contains(token));
    assert_eq!(folder.run(&format!("{line} -o json")).exits(1).error()["code"], "exists");

    assert_eq!(
        folder.json("tokens revoke --id monthly --yes --wait"),
        json!({ "id": "monthly", "state": "revoked" })
    );
    assert_eq!(folder.json("tokens list")["items"][0]["state"], "revoked");
    folder.run("tokens revoke --id weekly").exits(2);
    folder.run("tokens revoke --id weekly --yes").exits(4);
    folder.run("tokens create --account reports --organization nowhere").exits(4);
    folder.run("tokens create --account reports").exits(2);
    let line = "tokens create --account reports --organization acme --secret-stdin -o json";
    let taken = folder.run_with_stdin(line, "0123456789abcdefghijklmnop").exits(0).json();
    assert_eq!((&taken["hint"], &taken["secret"]), (&json!("…mnop"), &json!(null)));
    assert_eq!(folder.run_with_stdin(line, "short").exits(1).error()["code"], "bad_secret");
}

#[test]
fn a_jwt_is_shown_and_never_called_verified() {
    let folder = Folder::new();
    let part = |document: serde_json::Value| URL_SAFE_NO_PAD.encode(document.to_string());
    let header = part(json!({ "alg": "RS384", "typ": "JWT" }));
    let claims = part(json!({ "aud": "2091", "exp": 1_676_214_546, "sub": "6237:708\u{1b}[31m" }));
    let token = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([7; 384]));
    folder.write("token", format!("Authorization: Bearer {token}\n"));

    let shown = folder.json("tokens inspect token");
    assert_eq!(shown["verified"], json!(false));
    assert_eq!(shown["header"], json!({ "alg": "RS384", "typ": "JWT" }));
    assert_eq!((&shown["claims"]["aud"], &shown["claims"]["exp"]), (&json!("2091"), &json!(1_676_214_546)));
    assert_eq!(shown["times"], json!({ "exp": "2023-02-12T15:09:06Z" }));
    assert_eq!(shown["signature_bytes"], json!(384));

    let ran = folder.run_with_stdin("tokens inspect", &token).exits(0);
    assert!(ran.says("warning: not verified"), "{}", ran.told());
    assert!(ran.stdout.contains("1676214546 (2023-02-12T15:09:06Z)"), "{}", ran.told());
    assert!(!ran.stdout.contains('\u{1b}'));

    for wrong in ["", "abc", "a.b", "a.b.c.d", "e30.e30", "e30.W10.", "e30=.e30.", &"x".repeat(70_000)] {
        let ran = folder.run_with_stdin("tokens inspect -o json", wrong).exits(1);
        assert_eq!(ran.error()["code"], "bad_token", "{wrong}");
    }
    folder.run("tokens inspect nowhere").exits(1);
    let typed = folder.run(&format!("tokens inspect {token}")).exits(2);
    assert!(typed.says("error: a token never stands on the command line") && !typed.contains(&token));
}
