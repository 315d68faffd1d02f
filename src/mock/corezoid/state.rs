//! What the stand-in remembers: objects, nodes and tasks, as one value that can be written to a file and read again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers of objects begin behind this one, so that none is mistaken for a count or an index.
const FIRST_ID: u64 = 100_000;

/// Everything the stand-in knows.
///
/// Folders, processes and all other numbered things are [`Object`]s under one sequence of numbers; Corezoid counts each
/// kind for itself, which no client can tell.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct State {
    /// How many numbers were given out.
    pub given: u64,
    /// The companies that there are; where the list is empty, every well-formed name is one.
    pub companies: BTreeMap<String, String>,
    /// By number.
    pub objects: BTreeMap<u64, Object>,
    /// By identifier, and so in the order of their making.
    pub nodes: BTreeMap<String, Node>,
    /// By identifier, and so in the order of their making.
    pub tasks: BTreeMap<String, Task>,
    /// The identifiers of tasks, by process and reference.
    pub references: BTreeMap<u64, BTreeMap<String, String>>,
    /// The tasks that wait for a time.
    pub timers: BTreeSet<String>,
    /// Exported files, by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What asynchronous uploads and copies came to, by the hash that was answered.
    pub finished: BTreeMap<String, Value>,
    /// Replies to synchronous requests that nobody has taken yet.
    pub replies: BTreeMap<String, Value>,
}

/// What an [`Object`] is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A name for a process.
    Alias,
    /// A process or state diagram.
    Conv,
    /// A dashboard.
    Dashboard,
    /// A variable of a stage.
    EnvVar,
    /// A folder.
    Folder,
    /// A group of users.
    Group,
    /// A project.
    Project,
    /// A stage of a project.
    Stage,
    /// A user; an API key is one.
    User,
}

/// A numbered thing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Object {
    pub kind: Kind,
    /// `None` for personal ones.
    pub company: Option<String>,
    /// The folder, project or stage around it; 0 is the root.
    pub parent: u64,
    pub title: String,
    pub description: String,
    /// The login that made it.
    pub owner: String,
    /// Seconds since the Unix epoch.
    pub create_time: i64,
    pub change_time: i64,
    /// In the trash.
    pub deleted: bool,
    /// Who may do what with it, by `user:1` or `group:1`.
    pub privileges: BTreeMap<String, Value>,
    /// What only its kind has: `status`, `hash`, `short_name` and the like.
    pub members: Map<String, Value>,
}

/// A place in a process where tasks stand, and the rules by which they go on.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Node {
    pub id: String,
    pub conv: u64,
    pub title: String,
    pub description: String,
    /// 0 custom, 1 start, 2 final, 3 escalation.
    pub obj_type: i64,
    pub version: Option<i64>,
    /// `logics`, `semaphors`, `position`, `extra` and `options`, as they came.
    pub content: Map<String, Value>,
}

/// Where tasks begin.
pub(super) const START: i64 = 1;
/// Where they end.
pub(super) const FINAL: i64 = 2;

/// Data that moves through the nodes of a process.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Task {
    pub id: String,
    pub conv: u64,
    pub reference: Option<String>,
    /// The node it stands in; none if the process has no start node yet.
    pub node: Option<String>,
    pub previous: Option<String>,
    /// The position in the node's logics where it goes on.
    pub at: usize,
    pub waits: Waits,
    /// When it goes to another node whatever it waits for, in seconds since the Unix epoch, and to which.
    pub deadline: Option<(i64, String)>,
    pub data: Map<String, Value>,
    pub owner: String,
    pub create_time: i64,
    pub change_time: i64,
    /// The task that waits for this one's reply (`api_rpc`).
    pub caller: Option<String>,
    /// The nodes it came through, oldest first.
    pub steps: Vec<Step>,
}

/// What a task in a node waits for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Waits {
    /// For nothing: it can go on.
    #[default]
    Nothing,
    /// For the answer to a call (`api`).
    Answer,
    /// To be modified (`api_callback`).
    Callback,
    /// For somebody to take it on (`api_queue`, or a step made by hand).
    Hand,
    /// For the reply of another process (`api_rpc`).
    Reply,
    /// For its node to lead somewhere, or its process to run.
    Way,
}

/// A step of a task.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Step {
    /// Seconds since the Unix epoch.
    pub time: i64,
    pub from: Option<String>,
    pub to: String,
}

impl State {
    /// A number that was never given out.
    pub(super) fn number(&mut self) -> u64 {
        self.given += 1;
        while self.objects.contains_key(&(FIRST_ID + self.given)) {
            self.given += 1;
        }
        FIRST_ID + self.given
    }

    /// An identifier of a node or task: 24 hexadecimal digits that begin with the time, so that they sort by age.
    pub(super) fn identifier(&mut self, now: i64) -> String {
        self.given += 1;
        format!("{:08x}{:016x}", now & 0xffff_ffff, self.given)
    }

    /// 40 hexadecimal digits that look like no others. They guard nothing: whoever asks for them is told.
    pub(super) fn hash(&mut self, seed: u64) -> String {
        self.given += 1;
        let mut mixed = seed ^ self.given.rotate_left(32);
        let mut next = || {
            // SplitMix64, after Steele, Lea and Flood.
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        format!("{:016x}{:016x}{:08x}", next(), next(), next() >> 32)
    }

    /// The nodes of a process, oldest first.
    pub(super) fn nodes_of(&self, conv: u64) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(move |node| node.conv == conv)
    }

    /// The tasks of a process, oldest first.
    pub(super) fn tasks_of(&self, conv: u64) -> impl Iterator<Item = &Task> {
        self.tasks.values().filter(move |task| task.conv == conv)
    }

    /// The tasks in a node, oldest first.
    pub(super) fn tasks_in(&self, node: &str) -> impl Iterator<Item = &Task> {
        self.tasks.values().filter(move |task| task.node.as_deref() == Some(node))
    }

    /// The node where tasks of a process begin.
    pub(super) fn start_of(&self, conv: u64) -> Option<&Node> {
        self.nodes_of(conv).find(|node| node.obj_type == START)
    }

    /// The process of a number, unless it is in the trash.
    pub(super) fn conv(&self, id: u64) -> Option<&Object> {
        self.objects.get(&id).filter(|object| object.kind == Kind::Conv && !object.deleted)
    }

    /// The task of a reference in a process.
    pub(super) fn by_reference(&self, conv: u64, reference: &str) -> Option<&Task> {
        self.tasks.get(self.references.get(&conv)?.get(reference)?)
    }

    /// Keeps a new task.
    pub(super) fn keep(&mut self, task: Task) {
        if let Some(reference) = &task.reference {
            self.references.entry(task.conv).or_default().insert(reference.clone(), task.id.clone());
        }
        self.tasks.insert(task.id.clone(), task);
    }

    /// Forgets a task.
    pub(super) fn forget(&mut self, id: &str) {
        let Some(task) = self.tasks.remove(id) else { return };
        self.timers.remove(id);
        if let (Some(reference), Some(of_conv)) = (task.reference, self.references.get_mut(&task.conv)) {
            of_conv.remove(&reference);
        }
    }

    /// Forgets an object, and everything in it.
    pub(super) fn destroy(&mut self, id: u64) {
        self.objects.remove(&id);
        self.nodes.retain(|_, node| node.conv != id);
        self.tasks.retain(|_, task| task.conv != id);
        self.references.remove(&id);
        self.timers.retain(|task| self.tasks.contains_key(task));
        let inside = |(inside, object): (&u64, &Object)| (object.parent == id).then_some(*inside);
        for inside in self.objects.iter().filter_map(inside).collect::<Vec<_>>() {
            self.destroy(inside);
        }
    }

    /// Whether a task has come to its end.
    pub(super) fn is_processed(&self, task: &Task) -> bool {
        let node = task.node.as_ref().and_then(|node| self.nodes.get(node));
        node.is_some_and(|node| node.obj_type == FINAL)
    }

    /// The number of the nearest object of a kind around an object, or 0.
    pub(super) fn around(&self, mut id: u64, kind: Kind) -> u64 {
        // A folder cannot be moved into itself, so this ends.
        while let Some(object) = self.objects.get(&id) {
            if object.kind == kind {
                return id;
            }
            id = object.parent;
        }
        0
    }
}

impl Kind {
    /// Its name in operations.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Conv => "conv",
            Self::Dashboard => "dashboard",
            Self::EnvVar => "env_var",
            Self::Folder => "folder",
            Self::Group => "group",
            Self::Project => "project",
            Self::Stage => "stage",
            Self::User => "user",
        }
    }

    /// Whether others lie in it.
    pub(super) const fn holds(self) -> bool {
        matches!(self, Self::Folder | Self::Project | Self::Stage)
    }
}

impl Object {
    /// A text that only its kind has.
    pub(super) fn text(&self, member: &str) -> &str {
        self.members.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number that only its kind has.
    pub(super) fn integer(&self, member: &str) -> i64 {
        self.members.get(member).and_then(Value::as_i64).unwrap_or_default()
    }
}

impl Node {
    /// Its rules.
    pub(super) fn logics(&self) -> &[Value] {
        self.content.get("logics").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Its timers and counters.
    pub(super) fn semaphors(&self) -> &[Value] {
        self.content.get("semaphors").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The node that tasks go to if no condition holds.
    pub(super) fn next(&self) -> Option<&str> {
        self.logics().iter().find(|logic| logic["type"] == "go")?["to_node_id"].as_str()
    }
}

impl Task {
    /// Puts it into a node.
    pub(super) fn enter(&mut self, node: &str, now: i64) {
        self.previous = self.node.replace(node.to_owned());
        self.steps.push(Step { time: now, from: self.previous.clone(), to: node.to_owned() });
        (self.at, self.waits, self.deadline, self.change_time) = (0, Waits::Nothing, None, now);
    }
}
