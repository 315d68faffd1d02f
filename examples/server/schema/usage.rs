//! Which fields a document selects, as the executor meets them: noted by an extension, each once a request.

use async_graphql::{
    ServerResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo},
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// The fields that a request has selected so far, by their types. Put into the request's data, it is filled.
#[derive(Clone, Default)]
pub(crate) struct Selected(Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>);

impl Selected {
    /// The fields, like `Query.me`.
    pub(crate) fn fields(&self) -> Vec<String> {
        let fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |(parent, names): (&String, &BTreeSet<String>)| {
            names.iter().map(|name| format!("{parent}.{name}")).collect::<Vec<_>>()
        };
        fields.iter().flat_map(named).collect()
    }

    /// A list asks for the same fields for each of its items.
    fn note(&self, parent: &str, name: &str) {
        let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fields.get_mut(parent) {
            Some(names) if names.contains(name) => {}
            Some(names) => drop(names.insert(name.to_owned())),
            None => drop(fields.insert(parent.to_owned(), BTreeSet::from([name.to_owned()]))),
        }
    }
}

/// The extension: fills the [`Selected`] of a request that has one.
pub(crate) struct NoteFields;

impl ExtensionFactory for NoteFields {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for NoteFields {
    async fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        // Each item of a list comes with the list as its parent, and is no field.
        let field = !info.parent_type.starts_with('[') && !info.name.starts_with("__");
        if field
            && !info.is_for_introspection
            && let Some(selected) = context.data_opt::<Selected>()
        {
            selected.note(info.parent_type, info.name);
        }
        next.run(context, info).await
    }
}
