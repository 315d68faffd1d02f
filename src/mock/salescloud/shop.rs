//! What the stand-in remembers: organizations with their items and logs, as one value that can be written down.

use crate::{
    credential::{KeyId, Organization},
    mock::keys::MockKeys,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The scheme under which apps are kept in the key store.
pub(super) const SCHEME: &str = "salescloud";

/// Everything the stand-in knows.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Shops {
    /// By UUID.
    pub organizations: BTreeMap<String, Shop>,
    /// Apps that were installed or removed since the mock began.
    pub changes: Vec<Change>,
    /// How many numbers were given to logs.
    pub given: u64,
}

/// An organization.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Shop {
    /// Its name for people.
    pub label: String,
    pub items: Vec<Item>,
    pub logs: Vec<Log>,
}

/// An item for sale.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Item {
    pub title: String,
    /// The addresses of its images.
    pub images: Vec<String>,
}

/// What an app logged.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Log {
    pub id: u64,
    pub app: String,
    pub msg: String,
}

/// An app that came into an organization, or went.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Change {
    pub app: String,
    pub organization: String,
    pub installed: bool,
}

impl Shops {
    /// The name of an organization for people; its UUID, if it has none.
    pub(super) fn label(&self, organization: &str) -> String {
        let label = self.organizations.get(organization).map(|shop| shop.label.as_str());
        label.filter(|label| !label.is_empty()).unwrap_or(organization).to_owned()
    }

    /// The organization of a UUID, made if there is none.
    pub(super) fn shop(&mut self, organization: &str) -> &mut Shop {
        self.organizations.entry(organization.to_owned()).or_default()
    }

    /// Writes a log, and gives its number.
    pub(super) fn log(&mut self, organization: &str, app: &str, msg: &str) -> u64 {
        self.given += 1;
        let log = Log { id: self.given, app: app.to_owned(), msg: msg.to_owned() };
        self.shop(organization).logs.push(log);
        self.given
    }

    /// Installs or removes an app.
    pub(super) fn change(&mut self, keys: &MockKeys, change: Change) {
        change.apply(keys);
        self.changes.retain(|old| old.app != change.app || old.organization != change.organization);
        self.changes.push(change);
    }
}

impl Change {
    /// Makes the keys know of it. Names that none can have are passed over: no request can have them either.
    pub(super) fn apply(&self, keys: &MockKeys) {
        let (Ok(app), Ok(organization)) = (KeyId::new(&self.app), Organization::new(&self.organization))
        else {
            return;
        };
        match self.installed {
            true => keys.store().install(SCHEME, &app, &organization),
            false => keys.store().uninstall(SCHEME, &app, &organization),
        }
    }
}
