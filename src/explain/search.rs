//! The search: what is as documented first, then one thing otherwise, then two.

use super::{
    Case,
    cause::{Cause, Choice, Choices},
    models::Model,
    secrets,
    ways::{digests, ways},
};
use crate::signature::{Segment, SignatureBase, Way, reproduced};
use zeroize::Zeroizing;

/// What a trial costs besides the bytes of its text: two blocks for the key and two for the end.
const TRIAL: u64 = 256;

/// A search under way.
pub(super) struct Search<'s> {
    model: &'s Model,
    secrets: Vec<Choice<Zeroizing<Vec<u8>>>>,
    ways: Choices<Way>,
    /// What the presented text may stand for, and what is wrong with its form.
    digests: Vec<Vec<u8>>,
    forms: Vec<Option<Cause>>,
    work: u64,
}

/// What reproduces the signature that was sent.
pub(super) struct Found {
    pub(super) causes: Vec<Cause>,
    pub(super) text: SignatureBase<'static>,
}

/// Of something that has several values, another than the first: which thing, and which value.
type Other = (usize, usize);

impl<'s> Search<'s> {
    pub(super) fn new(case: &Case<'_>, model: &'s Model) -> Self {
        let names: Vec<_> = model.mistaken.iter().map(|(what, name)| (*what, &**name)).collect();
        let presented = model.presented.as_deref().unwrap_or_default();
        let (digests, forms) = digests(presented, model.written).into_iter().unzip();
        Self {
            model,
            secrets: secrets::secrets(&case.secrets, &names),
            ways: ways(case.scheme.algorithm()),
            digests,
            forms,
            work: case.work,
        }
    }

    /// Lengths of what was presented, in bytes.
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> {
        self.digests.iter().map(Vec::len)
    }

    /// The text as it should be.
    pub(super) fn documented(&self) -> SignatureBase<'static> {
        self.text(&[])
    }

    pub(super) fn run(&mut self) -> Option<Found> {
        if self.digests.is_empty() {
            return None;
        }
        if let Some(found) = self.attempt(&[]) {
            return Some(found);
        }
        let lengths: Vec<usize> = (0..self.axes()).map(|axis| self.length(axis)).collect();
        for (axis, length) in lengths.iter().enumerate() {
            for at in 1..*length {
                if let Some(found) = self.attempt(&[(axis, at)]) {
                    return Some(found);
                }
            }
        }
        for (one, length) in lengths.iter().enumerate() {
            for (other, others) in lengths.iter().enumerate().skip(one + 1) {
                for pair in
                    (1..*length).flat_map(|at| (1..*others).map(move |with| [(one, at), (other, with)]))
                {
                    if let Some(found) = self.attempt(&pair) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    /// Whether the signature is what one gets with these values other than documented.
    fn attempt(&mut self, others: &[Other]) -> Option<Found> {
        if self.work == 0 || others.len() > 1 && others.iter().any(|other| self.is_alone(*other)) {
            return None;
        }
        let (secret, way) = (self.at(others, self.secret_axis()), self.at(others, self.secret_axis() + 1));
        let (secret, way) = (self.secrets.get(secret)?, self.ways.list().get(way)?);
        let text = self.text(others);
        let cost = TRIAL + length(&text);
        self.work = self.work.saturating_sub(cost);
        let at = reproduced(way.value, &secret.value, &text, &self.digests)?;
        let mut causes: Vec<_> = others.iter().filter_map(|other| self.cause(*other).cloned()).collect();
        // With no secret but in the list's first place, the first may be another key's.
        if others.iter().all(|other| other.0 != self.secret_axis()) {
            causes.extend(secret.cause.clone());
        }
        causes.extend(self.forms.get(at).cloned().flatten());
        Some(Found { causes, text })
    }

    fn text(&self, others: &[Other]) -> SignatureBase<'static> {
        let fields = self.model.fields.iter().enumerate();
        let values: Vec<&[u8]> = fields
            .map(|(axis, field)| {
                field.list().get(self.at(others, axis)).map_or(&[][..], |choice| &choice.value)
            })
            .collect();
        let template = self.model.templates.list().get(self.at(others, self.model.fields.len()));
        template.map(|template| template.value.fill(&self.model.names, &values)).unwrap_or_default()
    }

    /// Fields, then the template, the secret, and the way.
    fn axes(&self) -> usize {
        self.model.fields.len() + 3
    }

    fn secret_axis(&self) -> usize {
        self.model.fields.len() + 1
    }

    fn length(&self, axis: usize) -> usize {
        let fields = self.model.fields.len();
        match self.model.fields.get(axis) {
            Some(field) => field.list().len(),
            None if axis == fields => self.model.templates.list().len(),
            None if axis == fields + 1 => self.secrets.len(),
            None => self.ways.list().len(),
        }
    }

    fn at(&self, others: &[Other], axis: usize) -> usize {
        others.iter().find(|other| other.0 == axis).map_or(0, |other| other.1)
    }

    fn is_alone(&self, (axis, at): Other) -> bool {
        self.model.fields.get(axis).and_then(|field| field.list().get(at)).is_some_and(|choice| choice.alone)
    }

    fn cause(&self, (axis, at): Other) -> Option<&Cause> {
        let fields = self.model.fields.len();
        match self.model.fields.get(axis) {
            Some(field) => field.list().get(at)?.cause.as_ref(),
            None if axis == fields => self.model.templates.list().get(at)?.cause.as_ref(),
            None if axis == fields + 1 => self.secrets.get(at)?.cause.as_ref(),
            None => self.ways.list().get(at)?.cause.as_ref(),
        }
    }
}

fn length(text: &SignatureBase<'_>) -> u64 {
    let length = |segment: &Segment<'_>| match segment {
        Segment::Bytes(bytes) => bytes.len() as u64,
        _ => 0,
    };
    text.segments().iter().map(length).sum()
}
