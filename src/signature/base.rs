//! The signature base: the bytes that are signed, as a list of segments, never joined and never holding the secret.

use super::{escape, multipart};
use smallvec::SmallVec;
use std::borrow::Cow;

/// One piece of a [`SignatureBase`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Segment<'m> {
    /// The raw body.
    Body,
    /// The body as the inside of a JSON string.
    BodyInJson,
    /// The body reduced, as Corezoid's clients sign multipart bodies; a body longer than 1 MiB has no such form.
    BodyReduced,
    /// These bytes.
    Bytes(Cow<'m, [u8]>),
    /// This text as the inside of a JSON string.
    InJson(Cow<'m, str>),
    /// The place of the secret.
    Secret,
}

impl<'m> Segment<'m> {
    /// These bytes.
    #[inline]
    #[must_use]
    pub fn bytes<B: AsRef<[u8]> + ?Sized>(bytes: &'m B) -> Self {
        Self::Bytes(Cow::Borrowed(bytes.as_ref()))
    }

    /// This text, as it is.
    #[must_use]
    pub fn text(text: Cow<'m, str>) -> Self {
        Self::Bytes(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// This text as the inside of a JSON string, escaped as `JSON.stringify` does.
    #[inline]
    #[must_use]
    pub fn in_json(text: impl Into<Cow<'m, str>>) -> Self {
        Self::InJson(text.into())
    }

    /// In which form this is the place of the body; `None` if it is another's.
    const fn body_form(&self) -> Option<BodyForm> {
        match self {
            Self::Body => Some(BodyForm::Raw),
            Self::BodyInJson => Some(BodyForm::InJson),
            Self::BodyReduced => Some(BodyForm::Reduced),
            Self::Bytes(_) | Self::InJson(_) | Self::Secret => None,
        }
    }
}

/// In which form the body goes into the signature.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum BodyForm {
    /// Not at all; only a request without a body can then be signed.
    #[default]
    Absent,
    /// As the inside of a JSON string; it must be UTF-8.
    InJson,
    /// Byte for byte.
    Raw,
    /// Reduced, as Corezoid's clients sign multipart bodies. The body is kept a second time, up to 1 MiB, and hashed at
    /// its end.
    Reduced,
}

/// The bytes that are signed (RFC 9421 calls them so for its own scheme), in order.
///
/// The body appears by its place only, at most once, so that it can stream past; the secret appears by its place only,
/// so that a base can be shown to people.
///
/// ```
/// use countersign::signature::SignatureBase;
///
/// let base = SignatureBase::default().bytes("1700000000").secret().body().secret();
/// assert_eq!(base.display(b"{}"), "1700000000{SECRET}{}{SECRET}");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SignatureBase<'m>(SmallVec<[Segment<'m>; 8]>);

impl<'m, const N: usize> From<[Segment<'m>; N]> for SignatureBase<'m> {
    /// Takes the segments in their order. Where speed matters, a list is cheaper than one call after another.
    fn from(segments: [Segment<'m>; N]) -> Self {
        let mut base = SmallVec::new();
        base.extend(segments);
        Self(base)
    }
}

impl<'m> SignatureBase<'m> {
    /// Appends bytes.
    #[inline]
    #[must_use]
    pub fn bytes<B: AsRef<[u8]> + ?Sized>(self, bytes: &'m B) -> Self {
        self.push(Segment::bytes(bytes))
    }

    /// Appends bytes of its own.
    pub(crate) fn owned(self, bytes: Vec<u8>) -> Self {
        self.push(Segment::Bytes(Cow::Owned(bytes)))
    }

    /// Appends text as it is.
    #[inline]
    #[must_use]
    pub fn text(self, text: Cow<'m, str>) -> Self {
        self.push(Segment::text(text))
    }

    /// Appends text as the inside of a JSON string, escaped as `JSON.stringify` does.
    #[inline]
    #[must_use]
    pub fn in_json(self, text: impl Into<Cow<'m, str>>) -> Self {
        self.push(Segment::in_json(text))
    }

    /// Appends the place of the raw body.
    #[inline]
    #[must_use]
    pub fn body(self) -> Self {
        self.push(Segment::Body)
    }

    /// Appends the place of the body as the inside of a JSON string.
    #[inline]
    #[must_use]
    pub fn body_in_json(self) -> Self {
        self.push(Segment::BodyInJson)
    }

    /// Appends the place of the secret.
    #[inline]
    #[must_use]
    pub fn secret(self) -> Self {
        self.push(Segment::Secret)
    }

    #[inline]
    fn push(mut self, segment: Segment<'m>) -> Self {
        self.0.push(segment);
        self
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment<'m>] {
        &self.0
    }

    /// How the body enters.
    pub(super) fn body_form(&self) -> BodyForm {
        self.0.iter().find_map(Segment::body_form).unwrap_or(BodyForm::Absent)
    }

    /// The segments before the body, and those after it.
    pub(super) fn around_the_body(&self) -> (&[Segment<'m>], &[Segment<'m>]) {
        let body = self.0.iter().position(|segment| segment.body_form().is_some());
        body.and_then(|body| Some((self.0.get(..body)?, self.0.get(body + 1..)?))).unwrap_or((&self.0, &[]))
    }

    /// The base over a given body, for people: `{SECRET}` stands in the secret's place.
    #[must_use]
    pub fn display(&self, body: &[u8]) -> String {
        let mut text = Vec::new();
        for segment in &self.0 {
            match segment {
                Segment::Body => text.extend_from_slice(body),
                Segment::BodyInJson => escape::escape_into(&mut text, body),
                Segment::BodyReduced => text.extend_from_slice(&multipart::reduce(body)),
                Segment::Bytes(bytes) => text.extend_from_slice(bytes),
                Segment::InJson(inside) => escape::escape_into(&mut text, inside.as_bytes()),
                Segment::Secret => text.extend_from_slice(b"{SECRET}"),
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}
