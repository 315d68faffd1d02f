//! Packages of operations: a body is answered as a whole, each operation in it succeeds or fails on its own.

use super::{
    conv, direct, flow, group, node, object, op::Op, refusal::Refusal, scheme, session::Session, state::Kind,
    task,
};
use serde_json::{Value, json};

/// Operations in one package. Corezoid limits them "by user limits"; this number is ours.
const OPS_LIMIT: usize = 1_000;

/// A body that could be read.
#[derive(Debug)]
pub(super) struct Package {
    /// The operations.
    pub ops: Vec<Value>,
    /// `ops` was one operation instead of an array, and so is the answer's.
    single: bool,
    /// How long to wait for what processes reply, in seconds: what makes a request synchronous.
    pub timeout: Option<u64>,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// 200, or 400 for a body that is no package.
    pub status: u16,
    /// The answer itself.
    pub body: Value,
}

impl Package {
    /// Reads a body, whatever its content type says.
    ///
    /// # Errors
    ///
    /// The answer to a body that is none.
    pub(super) fn read(body: &[u8]) -> Result<Self, Answer> {
        let unusable = |description: &str| Answer {
            status: 400,
            body: json!({ "request_proc": "error", "ops": [{ "proc": "error", "description": description }] }),
        };
        let package: Value = serde_json::from_slice(body).map_err(|_| unusable("Incorrect body"))?;
        let timeout = package["timeout"].as_u64();
        let (ops, single) = match &package["ops"] {
            Value::Array(ops) if ops.len() > OPS_LIMIT => {
                return Err(unusable("Incorrect body: it holds too many operations"));
            }
            Value::Array(ops) => (ops.clone(), false),
            op @ Value::Object(_) => (vec![op.clone()], true),
            _ => return Err(unusable("Incorrect body")),
        };
        Ok(Self { ops, single, timeout })
    }

    /// Gives each task that is made a URL for the reply to it, as the synchronous API does. What the requests are called,
    /// in the order of the operations.
    pub(super) fn ask_for_replies(&mut self, session: &mut Session<'_>) -> Vec<Option<String>> {
        let mut ask = |op: &mut Value| {
            let makes_task = op["obj"] == "task" && op["type"] == "create";
            let data = op.as_object_mut().filter(|_| makes_task)?.entry("data").or_insert_with(|| json!({}));
            let request = session.state.identifier(session.now);
            let url = format!("{}/api/1/plugins/callback/{request}", session.origin);
            data.as_object_mut()?.insert("__callback_url".to_owned(), url.into());
            Some(request)
        };
        self.ops.iter_mut().map(&mut ask).collect()
    }

    /// The answer that holds these answers to the operations.
    pub(super) fn answer(&self, answers: Vec<Value>) -> Answer {
        let ops = match self.single {
            true => answers.into_iter().next().unwrap_or_default(),
            false => Value::Array(answers),
        };
        Answer { status: 200, body: json!({ "request_proc": "ok", "ops": ops }) }
    }

    /// Performs the operations in their order: a later one may build on an earlier one. A stub's reply takes the place
    /// of the operation at its index.
    pub(super) fn perform(
        &self,
        session: &mut Session<'_>,
        stubbed: impl Fn(usize) -> Option<Value>,
    ) -> Vec<Value> {
        flow::pass_time(session);
        let mut answers = Vec::with_capacity(self.ops.len());
        for (index, op) in self.ops.iter().enumerate() {
            answers.push(stubbed(index).unwrap_or_else(|| perform(session, Op::new(op))));
        }
        answers
    }
}

/// Performs an operation. One that is refused has changed nothing.
fn perform(session: &mut Session<'_>, op: Op<'_>) -> Value {
    match operate(session, op) {
        Ok(answer) => op.answer("ok", answer),
        Err(refusal) => refusal.answer(op),
    }
}

fn operate(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    session.check_rights(op)?;
    session.check_company(op)?;
    let list = |kind| match op.action() {
        "list" => Ok(kind),
        _ => Err(Refusal::Undefined),
    };
    match op.object() {
        "alias" => object::perform(session, op, Kind::Alias),
        "aliases" => object::list_all(session, op, list(Kind::Alias)?),
        "callback_hash" => direct::callback_hash(session, op),
        "commit" | "commits" => conv::commit(session, op),
        "company" => group::company(session, op),
        "company_users" => group::company_users(session, op),
        "conv" => object::perform(session, op, Kind::Conv),
        "conv_auth" => direct::conv_auth(session, op),
        "conv_params" => conv::params(session, op),
        "convs" => object::list_all(session, op, list(Kind::Conv)?),
        "dashboard" => object::perform(session, op, Kind::Dashboard),
        "dashboards" => object::list_all(session, op, list(Kind::Dashboard)?),
        "env_var" => object::perform(session, op, Kind::EnvVar),
        "folder" => object::perform(session, op, Kind::Folder),
        "group" => object::perform(session, op, Kind::Group),
        "node" => node::perform(session, op),
        "nodes" => node::search(session, op),
        "obj_copy" => scheme::copy(session, op),
        "obj_scheme" => scheme::perform(session, op),
        "project" => object::perform(session, op, Kind::Project),
        "projects" => object::list_all(session, op, list(Kind::Project)?),
        "stage" => object::perform(session, op, Kind::Stage),
        "stat" => conv::stat(session, op),
        "task" => task::perform(session, op),
        "user" => group::user(session, op),
        _ => Err(Refusal::BadObject),
    }
}
