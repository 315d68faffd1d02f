//! Demonstration keys: one for each provider, made on the first start of an embedded server that only this machine can
//! reach, and a command line for each that works when it is pasted.

use crate::{db, keys::Store, sites};
use anyhow::Context as _;
use countersign::{
    clock::Clock,
    credential::{KeyId, Organization, Principal},
    scheme::{Ateliere, Corezoid, SalesCloud, Scheme},
    secret::Secret,
    sign::Signer,
    store::{AdminErrorKind, NewClient, NewCredential, NewReadToken},
};
use http::Request;
use sqlx::AnyPool;
use std::{
    fmt::Write as _, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::SystemTime,
};

/// Ateliere's organization is a slug, Ayyeka's a number, Corezoid's a company id, SalesCloud's a UUID.
const SLUG: &str = "demo-studio";
const NUMBER: &str = "2091";
const COMPANY: &str = "i738314881";
const UUID: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
const ACCOUNT: &str = "demo";

/// The keys, as they stand in the file beside the database.
pub struct Demo {
    ateliere: Key,
    ayyeka: Key,
    corezoid: Key,
    salescloud: Key,
    public_key: String,
    read_token: Secret,
}

struct Key {
    id: String,
    secret: Secret,
}

impl Demo {
    /// The keys in `file`, or new ones, written there and into the store.
    pub async fn load_or_make(file: &Path, admin: &dyn Store, clock: &impl Clock) -> anyhow::Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text).with_context(|| {
                format!("{} is damaged; delete it, and new demonstration keys are made", file.display())
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let demo = Self::make(clock)?;
                demo.store(admin).await?;
                demo.write(file).with_context(|| format!("cannot write {}", file.display()))?;
                Ok(demo)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    fn make(clock: &impl Clock) -> anyhow::Result<Self> {
        let random = || {
            let mut bytes = [0; 32];
            clock.fill(&mut bytes);
            bytes
        };
        let digits = |bytes: [u8; 32]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let hex = |bytes: [u8; 32]| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
        };
        let key = |id: String| Key { id, secret: Secret::from_random(random()) };
        Ok(Self {
            ateliere: key(format!("pk_demo_{:08x}", digits(random()))),
            ayyeka: key(hex(random())[..32].to_uppercase()),
            corezoid: key(digits(random()).to_string()),
            salescloud: key(uuid::Builder::from_random_bytes(random()[..16].try_into()?)
                .into_uuid()
                .to_string()),
            public_key: hex(random()),
            read_token: Secret::from_random(random()),
        })
    }

    async fn store(&self, admin: &dyn Store) -> anyhow::Result<()> {
        let account = Principal::new(ACCOUNT)?;
        exists_is_fine(admin.create_account(&account, None).await)?;
        let names = [
            (SLUG, "Demo Studio"),
            (NUMBER, "Demo Waterworks"),
            (COMPANY, "Demo Company"),
            (UUID, "Demo Shop"),
        ];
        for (organization, name) in names {
            let organization = Organization::new(organization)?;
            exists_is_fine(admin.create_organization(&organization, Some(name)).await)?;
        }
        for (scheme, key, organization) in self.keys() {
            let id = KeyId::new(&key.id)?;
            let mut credential = NewCredential::new(
                scheme.name(),
                id,
                scheme.algorithm(),
                account.clone(),
                key.secret.clone(),
            );
            credential.organization = organization.map(Organization::new).transpose()?;
            credential.public_key = (scheme.name() == "salescloud").then(|| self.public_key.clone());
            credential.demo = true;
            admin.create_credential(&credential).await?;
        }
        admin.install("salescloud", &KeyId::new(&self.salescloud.id)?, &Organization::new(UUID)?).await?;
        self.store_tokens(admin, account).await
    }

    async fn store_tokens(&self, admin: &dyn Store, account: Principal) -> anyhow::Result<()> {
        let client_id = KeyId::new(&self.ayyeka.id)?;
        let mut client = NewClient::new(client_id, account.clone(), self.ayyeka.secret.clone());
        client.organization = Some(Organization::new(NUMBER)?);
        client.demo = true;
        admin.create_client(&client).await?;
        // The key's name is new each time, and so is what is named after it.
        let name = KeyId::new(&format!("demo-{}", self.ateliere.id))?;
        let mut token = NewReadToken::new(name, account, Organization::new(UUID)?, self.read_token.clone());
        token.demo = true;
        Ok(admin.create_read_token(&token).await?)
    }

    /// Gives the demonstration organizations a little data to show.
    pub async fn seed(&self, pool: &AnyPool, now: SystemTime) -> sqlx::Result<()> {
        db::seed(pool, SLUG, now).await?;
        db::seed(pool, UUID, now).await?;
        sites::seed(pool, &format!("organization/{NUMBER}"), db::milliseconds(now) / 1_000).await
    }

    fn keys(&self) -> [(Box<dyn Scheme>, &Key, Option<&'static str>); 3] {
        [
            (Box::new(Ateliere::default()), &self.ateliere, Some(SLUG)),
            (Box::new(Corezoid::default()), &self.corezoid, Some(COMPANY)),
            (Box::new(SalesCloud::default()), &self.salescloud, None),
        ]
    }
}

/// Demonstration organizations outlive a deleted file.
fn exists_is_fine(result: Result<(), countersign::store::AdminError>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != AdminErrorKind::Exists => Err(error.into()),
        _ => Ok(()),
    }
}

impl Demo {
    /// The names in the file, in the order of its lines. Shells read it with `. data/demo.env`.
    fn lines(&self) -> [(&'static str, &str); 14] {
        [
            ("ATELIERE_KEY_ID", &self.ateliere.id),
            ("ATELIERE_SECRET", text(&self.ateliere.secret)),
            ("ATELIERE_ORGANIZATION", SLUG),
            ("AYYEKA_KEY_ID", &self.ayyeka.id),
            ("AYYEKA_SECRET", text(&self.ayyeka.secret)),
            ("AYYEKA_ORGANIZATION", NUMBER),
            ("COREZOID_KEY_ID", &self.corezoid.id),
            ("COREZOID_SECRET", text(&self.corezoid.secret)),
            ("COREZOID_COMPANY", COMPANY),
            ("SALESCLOUD_KEY_ID", &self.salescloud.id),
            ("SALESCLOUD_PUBLIC_KEY", &self.public_key),
            ("SALESCLOUD_SECRET", text(&self.salescloud.secret)),
            ("SALESCLOUD_ORGANIZATION", UUID),
            ("SALESCLOUD_READ_TOKEN", text(&self.read_token)),
        ]
    }

    /// Writes the file whole or not at all, so that whoever is interrupted can begin again.
    fn write(&self, file: &Path) -> std::io::Result<()> {
        let unfinished = file.with_extension("env.new");
        let mut out =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        writeln!(
            out,
            "# Demonstration keys of this machine's server. Delete the file, and the next start makes new ones."
        )?;
        for (name, value) in self.lines() {
            writeln!(out, "{name}={value}")?;
        }
        out.sync_all()?;
        fs::rename(unfinished, file)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .with_context(|| format!("the line {name}=… is missing"))
        };
        let key = |id: &str, secret: &str| -> anyhow::Result<Key> {
            Ok(Key { id: value(id)?.to_owned(), secret: Secret::new(value(secret)?)? })
        };
        Ok(Self {
            ateliere: key("ATELIERE_KEY_ID", "ATELIERE_SECRET")?,
            ayyeka: key("AYYEKA_KEY_ID", "AYYEKA_SECRET")?,
            corezoid: key("COREZOID_KEY_ID", "COREZOID_SECRET")?,
            salescloud: key("SALESCLOUD_KEY_ID", "SALESCLOUD_SECRET")?,
            public_key: value("SALESCLOUD_PUBLIC_KEY")?.to_owned(),
            read_token: Secret::new(value("SALESCLOUD_READ_TOKEN")?)?,
        })
    }

    /// A command line for each provider. Those that sign no time hold a signature; the others read the file when they
    /// are pasted.
    pub fn print(&self, address: std::net::SocketAddr, file: &Path) -> anyhow::Result<()> {
        let titles = r#"[{"query":"{ titles(limit: 2) { id name } }"}]"#;
        let ateliere = Signer::new(Ateliere::default(), &self.ateliere.id, &self.ateliere.secret)
            .with_organization(SLUG);
        println!("\n# Ateliere Connect");
        println!("{}", curl(&ateliere, &format!("http://{address}/graphql"), titles)?);
        let organizations = r#"{"query":"{ systemTimeInMillis appOrganizations { uuid label } }"}"#;
        let salescloud = Signer::new(SalesCloud::default(), &self.salescloud.id, &self.salescloud.secret)
            .with_public_key(&self.public_key)
            .with_organization(UUID);
        println!("\n# SalesCloud");
        println!("{}", curl(&salescloud, &format!("http://{address}/"), organizations)?);
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        println!("\n# SalesCloud, with a token that may only read");
        println!("{}", read_token_line(address, &file));
        println!("\n# Corezoid");
        println!("{}", corezoid_line(address, &file));
        println!("\n# Ayyeka");
        println!("{}\n", ayyeka_line(address, &file));
        Ok(())
    }
}

fn text(secret: &Secret) -> &str {
    std::str::from_utf8(secret.expose()).unwrap_or_default()
}

/// A `curl` line with the signer's headers.
fn curl(signer: &Signer, url: &str, body: &str) -> anyhow::Result<String> {
    let mut request = Request::post(url).header("content-type", "application/json").body(body.to_owned())?;
    signer.sign(&mut request)?;
    let mut line = format!("curl --silent --data-binary '{body}'");
    for (name, value) in request.headers() {
        write!(line, " -H '{name}: {}'", value.to_str()?)?;
    }
    Ok(format!("{line} {url}"))
}

fn corezoid_line(address: std::net::SocketAddr, file: &Path) -> String {
    let body = r#"{"ops":[{"id":"1","type":"list","obj":"folder","obj_id":0}]}"#;
    format!(
        "(. '{}'; body='{body}'; time=$(date +%s); \
         signature=$(printf %s \"$time$COREZOID_SECRET$body$COREZOID_SECRET\" | openssl sha1 -r | cut -c -40); \
         curl --silent --data-binary \"$body\" \"http://{address}/api/2/json/$COREZOID_KEY_ID/$time/$signature\")",
        file.display(),
    )
}

fn read_token_line(address: std::net::SocketAddr, file: &Path) -> String {
    let body = r#"{"query":"{ itemsList { title } }"}"#;
    format!(
        "(. '{}'; curl --silent --data '{body}' -H \"Authorization: ReadAccessToken $SALESCLOUD_READ_TOKEN\" \
         http://{address}/graphql)",
        file.display(),
    )
}

fn ayyeka_line(address: std::net::SocketAddr, file: &Path) -> String {
    format!(
        "(. '{}'; token=$(curl --silent --user \"$AYYEKA_KEY_ID:$AYYEKA_SECRET\" \
         --data grant_type=client_credentials http://{address}/auth/token | cut -d '\"' -f 4); \
         curl --silent -H \"Authorization: Bearer $token\" http://{address}/v2.0/site)",
        file.display(),
    )
}
