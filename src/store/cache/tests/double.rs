//! A store whose every step is the test's: what it holds, whether it can be asked, when it answers, what it tells.

use super::{super::*, credential};
use crate::{
    credential::{SigningKey, TokenAlgorithm, TokenKey},
    secret::Secret,
    store::cache::{Lease, Loaded, Source, Wanted},
};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    sync::Mutex,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};
use tokio::sync::{mpsc, watch};

#[derive(Debug)]
pub(super) struct Double {
    keys: Mutex<BTreeMap<String, i64>>,
    broken: Mutex<Option<String>>,
    signing: Mutex<Option<SigningKey>>,
    asked: Mutex<Vec<Vec<String>>>,
    leases: Mutex<Vec<i64>>,
    newest: Mutex<i64>,
    away: AtomicBool,
    tells_at_once: bool,
    gate: watch::Sender<bool>,
    tell: mpsc::UnboundedSender<Told>,
    told: tokio::sync::Mutex<mpsc::UnboundedReceiver<Told>>,
}

#[derive(Debug)]
enum Told {
    Begin(i64),
    Text(String),
    End,
}

impl Default for Double {
    fn default() -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        Self {
            keys: Mutex::default(),
            broken: Mutex::default(),
            signing: Mutex::default(),
            asked: Mutex::default(),
            leases: Mutex::default(),
            newest: Mutex::default(),
            away: AtomicBool::new(false),
            tells_at_once: true,
            gate: watch::Sender::new(true),
            tell,
            told: tokio::sync::Mutex::new(told),
        }
    }
}

impl Double {
    /// One that tells insertions late.
    pub(super) fn slow_to_tell() -> Self {
        Self { tells_at_once: false, ..Self::default() }
    }

    pub(super) fn set(&self, key_id: &str, revision: i64) {
        self.keys.lock().unwrap().insert(key_id.into(), revision);
    }

    /// Changes a key, and tells it.
    pub(super) fn change(&self, key_id: &str, revision: i64) {
        self.set(key_id, revision);
        self.tell(&format!("key\u{1f}ateliere\u{1f}{key_id}"));
    }

    /// Signs with a key that retires at this moment.
    pub(super) fn sign_until(&self, end: SystemTime) {
        let mut public = TokenKey::new(KeyId::new("rsa-1").unwrap(), TokenAlgorithm::Rs384, *b"key");
        public.retires_at = Some(end);
        *self.signing.lock().unwrap() = Some(SigningKey::new(public, Secret::new("private").unwrap()));
    }

    pub(super) fn break_key(&self, key_id: &str) {
        *self.broken.lock().unwrap() = Some(key_id.into());
    }

    pub(super) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// Holds answers back that the store has found already, or lets them go.
    pub(super) fn hold(&self, held: bool) {
        self.gate.send_replace(!held);
    }

    pub(super) fn begin(&self, newest: i64) {
        self.tell.send(Told::Begin(newest)).unwrap();
    }

    pub(super) fn tell(&self, text: &str) {
        self.tell.send(Told::Text(text.into())).unwrap();
    }

    /// Ends the listening.
    pub(super) fn lose(&self) {
        self.tell.send(Told::End).unwrap();
    }

    pub(super) fn set_newest(&self, barrier: i64) {
        *self.newest.lock().unwrap() = barrier;
    }

    /// What was asked in each question since the last call.
    pub(super) fn asked(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// The last barrier that the instance has acknowledged.
    pub(super) fn acknowledged(&self) -> i64 {
        self.leases.lock().unwrap().last().copied().unwrap()
    }

    fn reach(&self) -> Result<(), StoreError> {
        let away = self.away.load(Ordering::Relaxed);
        if away { Err(StoreError::new("away")) } else { Ok(()) }
    }

    async fn pass_gate(&self) {
        let mut gate = self.gate.subscribe();
        gate.wait_for(|open| *open).await.unwrap();
    }

    fn look_up(&self, wanted: &Wanted) -> Loaded {
        let key_id = match wanted {
            Wanted::Key { key_id, .. } => key_id,
            Wanted::SigningKey => {
                return Ok(self.signing.lock().unwrap().clone().map(|key| Record::SigningKey(key.into())));
            }
            _ => return Ok(None),
        };
        if self.broken.lock().unwrap().as_ref() == Some(key_id) {
            return Err(StoreError::new("broken"));
        }
        let revision = self.keys.lock().unwrap().get(key_id).copied();
        Ok(revision.map(|revision| Record::Credential(credential(revision))))
    }
}

#[async_trait]
impl Source for Double {
    async fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError> {
        let name = |wanted: &Wanted| match wanted {
            Wanted::Key { key_id, .. } => key_id.clone(),
            other => format!("{other:?}"),
        };
        self.asked.lock().unwrap().push(wanted.iter().map(name).collect());
        self.reach()?;
        let found = wanted.iter().map(|wanted| self.look_up(wanted)).collect();
        self.pass_gate().await;
        Ok(found)
    }

    async fn watch(&self, changes: &Changes) -> StoreError {
        let mut told = self.told.lock().await;
        while let Some(told) = told.recv().await {
            match told {
                Told::Begin(newest) => {
                    changes.begin(newest);
                    changes.confirm();
                }
                Told::Text(text) => changes.tell(&text),
                Told::End => break,
            }
        }
        StoreError::new("the connection is lost")
    }

    async fn renew(&self, lease: Lease<'_>) -> Result<i64, StoreError> {
        self.reach()?;
        self.leases.lock().unwrap().push(lease.acknowledged);
        Ok(*self.newest.lock().unwrap())
    }

    async fn leave(&self, _: &str) -> Result<(), StoreError> {
        self.reach()
    }

    async fn page(&self, after: Option<&Wanted>, limit: u32) -> Result<Vec<(Wanted, Loaded)>, StoreError> {
        let after = match after {
            Some(Wanted::Key { key_id, .. }) => key_id.clone(),
            _ => String::new(),
        };
        let rows: Vec<_> = {
            let keys = self.keys.lock().unwrap();
            let rows = keys.iter().filter(|(key_id, _)| **key_id > after);
            rows.map(|(key_id, revision)| (key_id.clone(), *revision)).collect()
        };
        self.pass_gate().await;
        let row = |(key_id, revision)| {
            let record = Record::Credential(credential(revision));
            (Wanted::Key { scheme: "ateliere".into(), key_id }, Ok(Some(record)))
        };
        Ok(rows.into_iter().take(usize::try_from(limit).unwrap()).map(row).collect())
    }

    fn tells_at_once(&self) -> bool {
        self.tells_at_once
    }
}
