//! The only place that computes a signature, and the only place that compares one.

use super::{
    Algorithm, BodyForm, MacKey, Segment, Signature, SignatureBase,
    escape::{BLOCK, Stage},
    key::Keyed,
    multipart::Multipart,
    utf8::Utf8,
};
use crate::secret::Secret;
use hmac::{
    block_api::HmacCore,
    digest::{
        Output,
        block_api::{Buffer, FixedOutputCore as _, UpdateCore as _},
    },
};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use smallvec::SmallVec;
use std::{fmt, sync::Arc};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// Several hashes over one text take turns in slices of this many bytes: short enough that a processor works on one
/// while the other waits for its own last round.
const SLICE: usize = 64;

/// Signatures under way: what comes before the body is in, the body streams through [`update`](Self::update), and
/// the end compares or signs.
///
/// All lanes (each live secret, or each spelling of the base under trial) run over the one pass of the body, and all
/// of them are compared.
#[derive(Default)]
pub struct Computation {
    lanes: SmallVec<[Lane; 1]>,
    /// What comes after the body, for each base.
    tails: SmallVec<[Tail; 1]>,
    body: BodyForm,
    utf8: Utf8,
    /// The body, where it is to be reduced.
    multipart: Option<Box<Multipart>>,
    /// Whether there was a body that the base has no place for.
    unsigned: bool,
}

/// Which lane of a [`Computation`] gave the presented signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Matched {
    /// Index of the base among those begun with.
    pub base: usize,
    /// Index of the key among those begun with.
    pub key: usize,
}

struct Lane {
    state: State,
    /// How many bytes of its block the hash has, and keeps until the block is full.
    filled: usize,
    at: Matched,
}

/// The end of a text, escapes applied; the secret goes in before the bytes at these places.
#[derive(Default)]
struct Tail {
    bytes: SmallVec<[u8; 64]>,
    secrets: SmallVec<[usize; 2]>,
}

enum State {
    HmacSha256(HmacCore<Sha256>, Buffer<HmacCore<Sha256>>),
    SandwichSha1(Sha1, Arc<Secret>),
    Ended,
}

impl Computation {
    /// Begins a signature for each of `bases` with each of `keys`.
    pub fn begin<'k>(bases: &[SignatureBase<'_>], keys: impl Iterator<Item = &'k MacKey> + Clone) -> Self {
        let mut computation = Self::default();
        computation.add(bases, keys);
        computation
    }

    /// Adds a lane for each of `bases` with each of `keys`, where the computation is: a lane is large. All bases take
    /// the body in the same form, and none of it has passed.
    #[expect(clippy::needless_pass_by_value, reason = "callers have just made the iterator, and keep none")]
    pub(crate) fn add<'k>(
        &mut self,
        bases: &[SignatureBase<'_>],
        keys: impl Iterator<Item = &'k MacKey> + Clone,
    ) {
        self.body = bases.first().map_or(BodyForm::Absent, SignatureBase::body_form);
        for (b, base) in bases.iter().enumerate() {
            let (head, tail) = base.around_the_body();
            self.tails.push(Tail::default());
            if let Some(place) = self.tails.last_mut() {
                place.keep(tail);
            }
            for (k, key) in keys.clone().enumerate() {
                self.lanes.push(Lane::new(key, Matched { base: b, key: k }));
                if let Some(lane) = self.lanes.last_mut() {
                    lane.begin(head, key.secret());
                }
            }
        }
    }

    /// Takes the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        match self.body {
            // Fed on, it would count as more of what stands before it.
            BodyForm::Absent => self.unsigned |= !bytes.is_empty(),
            BodyForm::Raw => feed(&mut self.lanes, bytes),
            BodyForm::InJson => {
                self.utf8.update(bytes);
                let lanes = &mut self.lanes;
                let filled = lanes.first().map_or(0, |lane| lane.filled);
                let mut stage = Stage::after(filled, |blocks| feed(lanes, blocks));
                stage.escaped(bytes);
                stage.finish();
            }
            BodyForm::Reduced => self.multipart.get_or_insert_default().update(bytes),
        }
    }

    /// Takes in what had to wait for the end of the body.
    fn complete(&mut self) {
        if let Some(multipart) = self.multipart.as_deref().filter(|body| !body.is_too_long()) {
            feed(&mut self.lanes, &multipart.reduced());
            self.multipart = None;
        }
    }

    /// Whether the body is longer than its form in the signature may be.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.multipart.as_deref().is_some_and(Multipart::is_too_long)
    }

    /// Ends every lane and compares it with the presented signature, in time that depends on neither. A second call
    /// matches nothing.
    ///
    /// A body that had to be text and is not matches nothing: no client can have signed it as text. Nor does a body
    /// that the base has no place for, or that is too long for it.
    #[must_use]
    pub fn matches(&mut self, presented: &Signature) -> Option<Matched> {
        self.complete();
        let mut found = u32::MAX;
        for (index, lane) in (0_u32..).zip(&mut self.lanes) {
            let same =
                lane.finish(&self.tails).map_or_else(|| 0.into(), |computed| same(&computed, presented));
            found.conditional_assign(&index, same);
        }
        let found = usize::try_from(found).ok().filter(|_| self.is_whole());
        found.and_then(|index| self.lanes.get(index)).map(|lane| lane.at)
    }

    /// The signature of the first lane; `None` if there is no lane, if the body had to be text and is not, or if there
    /// is a body that the base has no place for, or that is too long for it.
    #[must_use]
    pub fn sign(mut self) -> Option<Signature> {
        self.complete();
        let whole = self.is_whole();
        self.lanes.first_mut().filter(|_| whole).and_then(|lane| lane.finish(&self.tails))
    }

    /// How many hashes run over each byte of the body.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Whether the signature covers all of the body that passed.
    fn is_whole(&self) -> bool {
        self.utf8.is_complete() && !self.unsigned && !self.is_too_long()
    }
}

impl fmt::Debug for Computation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Computation({} lanes)", self.lanes.len())
    }
}

/// Whether two signatures are the same, in time that does not depend on them: word by word, because a barrier around
/// each byte costs more than the hash of a short text.
fn same(computed: &Signature, presented: &Signature) -> Choice {
    let algorithm = u8::from(computed.algorithm() == presented.algorithm());
    computed.words().ct_eq(&presented.words()) & algorithm.into()
}

/// Feeds the lanes.
#[inline(always)]
fn feed(lanes: &mut [Lane], bytes: &[u8]) {
    match lanes {
        [lane] => lane.update(bytes),
        lanes => feed_in_turns(lanes, bytes),
    }
}

/// Feeds the lanes in turns. A slice ends where a block of its lane does, so that the hash need not copy it.
fn feed_in_turns(lanes: &mut [Lane], bytes: &[u8]) {
    for start in (0..bytes.len() + BLOCK).step_by(SLICE) {
        for lane in &mut *lanes {
            let cut = |place: usize| place.saturating_sub(lane.filled).min(bytes.len());
            lane.state.update(&bytes[cut(start)..cut(start + SLICE)]);
        }
    }
    for lane in lanes {
        lane.filled = (lane.filled + bytes.len()) % BLOCK;
    }
}

impl Lane {
    fn new(key: &MacKey, at: Matched) -> Self {
        Self { state: State::new(key), filled: 0, at }
    }

    /// Takes in what stands before the body.
    fn begin(&mut self, head: &[Segment<'_>], secret: &[u8]) {
        let mut stage = Stage::new(|bytes| self.update(bytes));
        for segment in head {
            match segment {
                Segment::Bytes(bytes) => stage.raw(bytes),
                Segment::InJson(text) => stage.escaped(text.as_bytes()),
                Segment::Secret => stage.past(secret),
                Segment::Body | Segment::BodyInJson | Segment::BodyReduced => {}
            }
        }
        stage.finish();
    }

    #[inline(always)]
    fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.filled = (self.filled + bytes.len()) % BLOCK;
    }

    /// The signature; `None` if it was asked for before.
    fn finish(&mut self, tails: &[Tail]) -> Option<Signature> {
        let Tail { bytes, secrets } = tails.get(self.at.base)?;
        let mut done = 0;
        for &place in secrets {
            self.state.update(&bytes[done..place]);
            self.state.update_secret();
            done = place;
        }
        self.state.update(&bytes[done..]);
        self.state.finish()
    }
}

impl Tail {
    fn keep(&mut self, segments: &[Segment<'_>]) {
        for segment in segments {
            match segment {
                Segment::Bytes(bytes) => self.bytes.extend_from_slice(bytes),
                Segment::InJson(text) => {
                    let mut stage = Stage::new(|bytes| self.bytes.extend_from_slice(bytes));
                    stage.escaped(text.as_bytes());
                    stage.finish();
                }
                Segment::Secret => self.secrets.push(self.bytes.len()),
                Segment::Body | Segment::BodyInJson | Segment::BodyReduced => {}
            }
        }
    }
}

impl MacKey {
    /// The secret, where it is part of the text; an HMAC has taken it in already.
    fn secret(&self) -> &[u8] {
        match &self.0 {
            Keyed::HmacSha256(_) => &[],
            Keyed::SandwichSha1(secret) => secret.expose(),
        }
    }
}

impl State {
    fn new(key: &MacKey) -> Self {
        match &key.0 {
            Keyed::HmacSha256(keyed) => {
                Self::HmacSha256(keyed.clone(), Buffer::<HmacCore<Sha256>>::default())
            }
            Keyed::SandwichSha1(secret) => Self::SandwichSha1(Sha1::new(), Arc::clone(secret)),
        }
    }

    #[inline(always)]
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::HmacSha256(mac, buffer) => {
                buffer.digest_blocks(bytes, |blocks| mac.update_blocks(blocks));
            }
            Self::SandwichSha1(hash, _) => hash.update(bytes),
            Self::Ended => {}
        }
    }

    fn update_secret(&mut self) {
        if let Self::SandwichSha1(hash, secret) = self {
            hash.update(secret.expose());
        }
    }

    fn finish(&mut self) -> Option<Signature> {
        let signature = match self {
            Self::HmacSha256(mac, buffer) => {
                let mut digest = Output::<HmacCore<Sha256>>::default();
                mac.finalize_fixed_core(buffer, &mut digest);
                Signature::new(Algorithm::HmacSha256, &digest)
            }
            Self::SandwichSha1(hash, _) => Signature::new(Algorithm::SandwichSha1, &hash.finalize_reset()),
            Self::Ended => return None,
        };
        *self = Self::Ended;
        Some(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: Algorithm, secret: &str) -> MacKey {
        MacKey::new(algorithm, &Secret::new(secret).unwrap())
    }

    #[test]
    fn a_secret_inside_the_text_goes_in_at_its_places() {
        let key = key(Algorithm::SandwichSha1, "KEY");
        let base = SignatureBase::default;
        let long = "x".repeat(700);
        let table = [
            (base().secret().body().secret(), "KEYbodyKEY".to_owned()),
            (base().bytes("a").secret().bytes("b").body(), "aKEYbbody".to_owned()),
            (
                base().body().bytes("a").secret().in_json("\"b").secret().bytes("c"),
                r#"bodyaKEY\"bKEYc"#.to_owned(),
            ),
            (base().secret().secret().bytes("a"), "KEYKEYa".to_owned()),
            (
                base().bytes(&long).secret().in_json(&*long).body().bytes(&long),
                format!("{long}KEY{long}body{long}"),
            ),
            (base(), String::new()),
        ];
        for (base, text) in table {
            let mut computation = Computation::begin(std::slice::from_ref(&base), std::iter::once(&key));
            let body = if base.segments().contains(&Segment::Body) { "body" } else { "" };
            body.as_bytes().chunks(1).for_each(|byte| computation.update(byte));
            assert_eq!(computation.sign().unwrap().to_hex(), hex::encode(Sha1::digest(&text)), "{text}");
        }
    }

    #[test]
    fn the_lane_that_matches_is_told_apart() {
        let keys = ["k0", "k1", "k2"].map(|secret| key(Algorithm::HmacSha256, secret));
        // Of different lengths, so that the blocks of the lanes end at different bytes of the body.
        let bases = ["", "another base"].map(|text| SignatureBase::default().bytes(text).body());
        let body = "body".repeat(200);
        for (b, base) in bases.iter().enumerate() {
            for (k, key) in keys.iter().enumerate() {
                let mut one = Computation::begin(std::slice::from_ref(base), std::iter::once(key));
                one.update(body.as_bytes());
                let signature = one.sign().unwrap();
                let mut all = Computation::begin(&bases, keys.iter());
                body.as_bytes().chunks(333).for_each(|piece| all.update(piece));
                assert_eq!(all.matches(&signature), Some(Matched { base: b, key: k }));
                assert_eq!(all.matches(&signature), None, "a second call");
                let mut another = Computation::begin(&bases, keys.iter());
                another.update(&body.as_bytes()[1..]);
                assert_eq!(another.matches(&signature), None);
            }
        }
    }

    #[test]
    fn a_body_in_json_is_the_same_in_any_pieces_after_any_text() {
        let key = key(Algorithm::SandwichSha1, "k");
        let body = "{\"a\":\t\"\\u\u{1}é\"}".repeat(90);
        for len in [0, 1, 63, 64, 65, 191, 200] {
            let before = "b".repeat(len);
            let base = SignatureBase::default().bytes(&before).body_in_json();
            let inside = serde_json::to_string(&body).unwrap();
            let text = format!("{before}{}", &inside[1..inside.len() - 1]);
            for size in [1, 7, 64, 333, body.len()] {
                let mut computation = Computation::begin(std::slice::from_ref(&base), std::iter::once(&key));
                body.as_bytes().chunks(size).for_each(|piece| computation.update(piece));
                assert_eq!(
                    computation.sign().unwrap().to_hex(),
                    hex::encode(Sha1::digest(&text)),
                    "{len} {size}"
                );
            }
        }
    }

    #[test]
    fn nothing_and_another_algorithm_match_nothing() {
        let hmac = key(Algorithm::HmacSha256, "k");
        let base = [SignatureBase::default().body()];
        let signature = Computation::begin(&base, std::iter::once(&hmac)).sign().unwrap();
        let matches = |computation: Computation| { computation }.matches(&signature);
        assert!(matches(Computation::begin(&base, std::iter::once(&hmac))).is_some());
        assert_eq!(matches(Computation::begin(&base, std::iter::empty())), None);
        assert_eq!(matches(Computation::begin(&[], std::iter::once(&hmac))), None);
        assert!(Computation::begin(&base, std::iter::empty()).sign().is_none());
        // A signature of another length is compared too, and never equal.
        let sha1 = key(Algorithm::SandwichSha1, "k");
        assert_eq!(matches(Computation::begin(&base, std::iter::once(&sha1))), None);
    }

    #[test]
    fn a_body_that_must_be_text_and_is_not_has_no_signature() {
        let hmac = key(Algorithm::HmacSha256, "k");
        let sign = |base: SignatureBase<'_>, pieces: &[&[u8]]| {
            let mut computation = Computation::begin(&[base], std::iter::once(&hmac));
            pieces.iter().for_each(|piece| computation.update(piece));
            computation.sign()
        };
        let text = || SignatureBase::default().body_in_json();
        assert!(sign(text(), &[b"\xc3", b"", b"\xa9"]).is_some());
        assert!(sign(text(), &[b"\xc3"]).is_none());
        assert!(sign(text(), &[b"\xa9"]).is_none());
        assert!(sign(SignatureBase::default().body(), &[b"\xc3"]).is_some());
    }

    #[test]
    fn a_body_without_a_place_is_not_signed_by_accident() {
        let key = key(Algorithm::HmacSha256, "secret");
        let text = |text: &'static str| SignatureBase::default().bytes(text);
        let signature = Computation::begin(&[text("POST /a")], std::iter::once(&key)).sign().unwrap();
        for (base, body, matches) in [("POST /a", "", true), ("POST /", "a", false), ("POST /a", "b", false)]
        {
            let mut computation = Computation::begin(&[text(base)], std::iter::once(&key));
            computation.update(body.as_bytes());
            assert_eq!(computation.matches(&signature).is_some(), matches, "{base} + {body}");
        }
    }
}
