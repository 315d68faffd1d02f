//! What a caller may do: words of the application's own, granted and denied.

use std::{error::Error, fmt, sync::Arc};

/// Longest list of words that is taken, in bytes.
const LONGEST: usize = 4096;
/// Stands between two lists that must both allow. No list contains it: `&` is not in any word.
const AND: &str = " & ";
/// The named policies (ours). An account keeps the words and not the name, so that a later version, which might know
/// the name by other words, changes no rights.
const POLICIES: [(&str, &str); 3] =
    [("everything", "*"), ("read-only", "*:read"), ("service-account", "* -accounts:* -keys:* -users:*")];

/// What a caller may do.
///
/// As text, and in the column `accounts.permissions`, permissions are words with one space between them, like
/// `sites:read orders:*`. No text means that nothing is allowed. The words are the application's own; that they have
/// a form is ours:
///
/// * A word has one or more segments of ASCII letters, digits, `.`, `_` and `-`, with `:` between them. A segment
///   begins with a letter or a digit.
/// * `*` in place of the first or the last segment stands for one or more segments: `sites:*`, `*:read`. Alone, it
///   stands for every word.
/// * `-` before a word denies it. A word that is denied is not allowed, whatever else is granted: `* -titles:write`.
///
/// ```
/// use countersign::credential::Permissions;
///
/// let account = Permissions::parse("titles:* sites:read -titles:delete")?;
/// assert!(account.allows("titles:write"));
/// assert!(!account.allows("titles:delete"));
///
/// // A key may do what both its account and the key's own list allow.
/// let key = account.and(&Permissions::parse("*:read")?);
/// assert!(key.allows("sites:read") && !key.allows("titles:write"));
/// # Ok::<(), countersign::credential::PermissionsError>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Permissions(Held);

/// Most callers may do everything that their account may, and most accounts everything: that costs nothing to copy.
#[derive(Clone, Eq, PartialEq)]
enum Held {
    All,
    Nothing,
    Words(Arc<str>),
}

impl Permissions {
    /// Everything is allowed: `*`.
    #[must_use]
    pub const fn all() -> Self {
        Self(Held::All)
    }

    /// Nothing is allowed: no word.
    #[must_use]
    pub const fn none() -> Self {
        Self(Held::Nothing)
    }

    /// Reads words with one space between them.
    ///
    /// # Errors
    ///
    /// [`PermissionsError`] if a word has not the form of one, or the text has more than 4096 bytes. No word is passed
    /// over: it might be the one that denies.
    pub fn parse(text: &str) -> Result<Self, PermissionsError> {
        match text {
            "" => Ok(Self::none()),
            "*" => Ok(Self::all()),
            _ if text.len() <= LONGEST && text.split(' ').all(is_word) => Ok(Self(Held::Words(text.into()))),
            _ => Err(PermissionsError(())),
        }
    }

    /// A copy with a count of references of its own.
    #[cfg(feature = "cache")]
    pub(crate) fn unshared(&self) -> Self {
        match &self.0 {
            Held::Words(words) => Self(Held::Words((**words).into())),
            other => Self(other.clone()),
        }
    }

    /// The words of a named policy; `None` if there is no such policy.
    ///
    /// | name | words | |
    /// |---|---|---|
    /// | `everything` | `*` | |
    /// | `read-only` | `*:read` | whatever is named as reading |
    /// | `service-account` | `* -accounts:* -keys:* -users:*` | an account that exists for its keys: everything but to manage accounts, keys and users |
    #[must_use]
    pub fn policy(name: &str) -> Option<Self> {
        let (_, words) = POLICIES.iter().find(|row| row.0 == name)?;
        Self::parse(words).ok()
    }

    /// The names of the policies.
    pub fn policies() -> impl Iterator<Item = &'static str> {
        POLICIES.iter().map(|row| row.0)
    }

    /// Whether `word`, which has no `*` in it, is allowed.
    #[must_use]
    pub fn allows(&self, word: &str) -> bool {
        match &self.0 {
            Held::All => true,
            Held::Nothing => false,
            Held::Words(text) => text.split(AND).all(|list| is_allowed(list, word)),
        }
    }

    /// What both allow. Nothing is allocated if one of them allows everything or nothing, or both are the same.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (Held::Nothing, _) | (_, Held::Nothing) => Self::none(),
            (Held::All, _) => other.clone(),
            (_, Held::All) => self.clone(),
            (Held::Words(one), Held::Words(two)) if one == two => self.clone(),
            (Held::Words(one), Held::Words(two)) => Self(Held::Words([one, AND, two].concat().into())),
        }
    }

    /// These words and those of `more`, of which each takes the place of its opposite: to grant a word takes its denial
    /// away, and to deny a word takes its grant away.
    ///
    /// # Errors
    ///
    /// [`PermissionsError`] if the words together have more than 4096 bytes.
    pub fn with(&self, more: &Self) -> Result<Self, PermissionsError> {
        let (own, more) = (self.to_string(), more.to_string());
        let changed = |word: &&str| more.split(' ').any(|new| *word == new || opposite(word, new));
        let kept = own.split(' ').filter(|word| !changed(word));
        let words: Vec<_> = kept.chain(more.split(' ')).filter(|word| !word.is_empty()).collect();
        Self::parse(&words.join(" "))
    }

    /// The same words, all of them denied.
    #[must_use]
    pub fn denied(&self) -> Self {
        let text = self.to_string();
        let words: Vec<_> = text.split(' ').filter(|word| !word.is_empty()).map(denial).collect();
        match words.is_empty() {
            true => Self::none(),
            false => Self(Held::Words(words.join(" ").into())),
        }
    }
}

impl fmt::Display for Permissions {
    /// The words; what two lists allow together is written with ` & ` between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Held::All => "*",
            Held::Nothing => "",
            Held::Words(text) => text,
        })
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({:?})", self.to_string())
    }
}

/// A text is no list of permissions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PermissionsError(());

impl fmt::Display for PermissionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "permissions are words like `sites:read`, `sites:*` or `-sites:delete` with one space between them, \
             {LONGEST} bytes at most"
        )
    }
}

impl Error for PermissionsError {}

fn is_word(word: &str) -> bool {
    let word = word.strip_prefix('-').unwrap_or(word);
    let segments = word.split(':').count();
    let is_segment = |(at, segment): (usize, &str)| match segment {
        "*" => at == 0 || at + 1 == segments,
        _ => {
            segment.starts_with(|first: char| first.is_ascii_alphanumeric())
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
    };
    // `*:*` would be a third way to say "everything", and say something else.
    word != "*:*" && word.split(':').enumerate().all(|(at, segment)| is_segment((at, segment)))
}

fn is_allowed(list: &str, wanted: &str) -> bool {
    let mut granted = false;
    for word in list.split(' ') {
        match word.strip_prefix('-') {
            Some(denied) if covers(denied, wanted) => return false,
            None => granted |= covers(word, wanted),
            Some(_) => {}
        }
    }
    granted
}

fn covers(word: &str, wanted: &str) -> bool {
    if word == "*" {
        return true;
    }
    match (word.strip_prefix('*'), word.strip_suffix('*')) {
        (None, None) => word == wanted,
        (None, Some(start)) => wanted.len() > start.len() && wanted.starts_with(start),
        (Some(end), None) => wanted.len() > end.len() && wanted.ends_with(end),
        (Some(end), Some(_)) => {
            let middle = end.trim_end_matches('*');
            wanted.match_indices(middle).any(|(at, _)| at > 0 && at + middle.len() < wanted.len())
        }
    }
}

fn denial(word: &str) -> String {
    match word.strip_prefix('-') {
        Some(_) => word.to_owned(),
        None => format!("-{word}"),
    }
}

/// Whether one word denies exactly what the other grants.
fn opposite(one: &str, other: &str) -> bool {
    one.strip_prefix('-') == Some(other) || other.strip_prefix('-') == Some(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(text: &str) -> Permissions {
        Permissions::parse(text).unwrap()
    }

    #[test]
    fn words_allow_what_they_name_and_denials_win() {
        let table = [
            ("", "a:read", false),
            ("*", "a:read", true),
            ("a:read", "a:read", true),
            ("a:read", "a:write", false),
            ("a:read", "a:rea", false),
            ("a:read", "a:reads", false),
            ("A:read", "a:read", false),
            ("b:read a:read", "a:read", true),
            ("a:*", "a:read", true),
            ("a:*", "a:b:read", true),
            ("a:*", "a", false),
            ("a:*", "a:", false),
            ("a:*", "ab:read", false),
            ("*:read", "a:read", true),
            ("*:read", "a:b:read", true),
            ("*:read", ":read", false),
            ("*:read", "read", false),
            ("*:b:*", "a:b:c", true),
            ("*:b:*", "a:b", false),
            ("*:b:*", "b:c", false),
            ("* -a:write", "a:write", false),
            ("* -a:write", "a:read", true),
            ("-a:write *", "a:write", false),
            ("a:write -a:*", "a:write", false),
            ("a:* -*:write", "a:write", false),
            ("* -*", "a:write", false),
            ("-a:write", "a:read", false),
        ];
        for (text, word, allowed) in table {
            assert_eq!(permissions(text).allows(word), allowed, "`{text}`, `{word}`");
            assert_eq!(permissions(text).to_string(), text);
        }
    }

    #[test]
    fn what_has_not_the_form_of_words_is_refused_whole() {
        for text in [
            " ", " a", "a ", "a  b", "a\tb", "a\nb", "-", "--a", "- a", "a & b", "&", "a,b", "ä", "a*", "*a",
            "**", "a:*:b", "*:*", ":", ":a", "a:", "a::b", "a:-b", "-:a", ".a", "a:*x", "A b:$",
        ] {
            assert!(Permissions::parse(text).is_err(), "`{text}`");
        }
        assert!(Permissions::parse(&"a".repeat(LONGEST)).is_ok());
        assert!(Permissions::parse(&"a".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn two_lists_allow_what_both_do() {
        let (all, none, one, two) =
            (Permissions::all(), Permissions::none(), permissions("a:* b"), permissions("a:x c -a:y"));
        for word in ["a:x", "a:y", "a:z", "b", "c", "d"] {
            for left in [&all, &none, &one, &two] {
                for right in [&all, &none, &one, &two] {
                    let both = left.allows(word) && right.allows(word);
                    assert_eq!(left.and(right).allows(word), both, "{left:?} and {right:?}: `{word}`");
                    let thrice = left.and(right).and(&one).allows(word);
                    assert_eq!(thrice, both && one.allows(word));
                }
            }
        }
        assert_eq!(one.and(&two).to_string(), "a:* b & a:x c -a:y");
        assert!(Permissions::parse(&one.and(&two).to_string()).is_err(), "no list to be stored");
    }

    #[test]
    fn a_word_takes_the_place_of_its_opposite() {
        let with = |text, more| permissions(text).with(&permissions(more)).unwrap().to_string();
        assert_eq!(with("", "a"), "a");
        assert_eq!(with("a b", ""), "a b");
        assert_eq!(with("a -b c", "b"), "a c b");
        assert_eq!(with("a b", "-a"), "b -a");
        assert_eq!(with("a", "a"), "a");
        assert_eq!(with("*", "-a"), "* -a");
        assert_eq!(with("-a", "*"), "-a *");
        assert_eq!(permissions("a b:*").denied().to_string(), "-a -b:*");
        assert_eq!(Permissions::none().denied(), Permissions::none());
        assert_eq!(Permissions::all().denied().to_string(), "-*");
    }

    #[test]
    fn every_policy_is_a_list_of_words() {
        for name in Permissions::policies() {
            assert!(Permissions::policy(name).is_some(), "{name}");
        }
        assert_eq!(Permissions::policy("everything"), Some(Permissions::all()));
        assert_eq!(Permissions::policy("Everything"), None);
        let service = Permissions::policy("service-account").unwrap();
        assert!(service.allows("titles:write") && !service.allows("keys:create"));
    }
}
