//! What a keyring accepts, and what it refuses to open.

use super::*;
use std::error::Error as _;

const PLACE: Place<'_> = Place { scheme: "ateliere", key_id: "pk_1", number: 1 };

fn secret() -> Secret {
    Secret::new("b0c1f6a2-secret").unwrap()
}

fn refused(keyring: &Keyring, place: Place<'_>, sealed: &Sealed) -> OpenErrorKind {
    keyring.open(place, sealed).unwrap_err().kind()
}

#[test]
fn a_secret_reads_back_as_it_was_sealed() {
    let keyring = Keyring::generate([7; 32]);
    for text in ["x", "b0c1f6a2-secret", "schlüssel", &"f".repeat(512)] {
        let sealed = keyring.seal(PLACE, &Secret::new(text).unwrap(), [9; 12]);
        assert_eq!(sealed.record.len(), 1 + 12 + text.len() + 16);
        assert_eq!(keyring.open(PLACE, &sealed).unwrap().expose(), text.as_bytes());
        assert!(!sealed.record.windows(text.len()).any(|part| part == text.as_bytes()));
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let keyring = Keyring::generate([7; 32]);
    let sealed = keyring.seal(PLACE, &secret(), [9; 12]);
    for at in 0..sealed.record.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed.record[at] ^= 1 << bit;
            let expected = if at == 0 { OpenErrorKind::UnknownFormat } else { OpenErrorKind::Refused };
            assert_eq!(refused(&keyring, PLACE, &changed), expected, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn every_other_length_is_refused() {
    let keyring = Keyring::generate([7; 32]);
    let sealed = keyring.seal(PLACE, &secret(), [9; 12]);
    for len in 0..sealed.record.len() {
        let cut = Sealed::new(sealed.keyring_id.clone(), sealed.record[..len].to_vec());
        assert_eq!(refused(&keyring, PLACE, &cut), OpenErrorKind::Refused, "{len} bytes");
    }
    let longer = Sealed::new(sealed.keyring_id.clone(), [&sealed.record[..], &[0]].concat());
    assert_eq!(refused(&keyring, PLACE, &longer), OpenErrorKind::Refused);
}

#[test]
fn a_record_opens_in_its_own_place_only() {
    let keyring = Keyring::generate([7; 32]);
    let sealed = keyring.seal(PLACE, &secret(), [9; 12]);
    for place in [
        Place { scheme: "corezoid", ..PLACE },
        Place { key_id: "pk_2", ..PLACE },
        Place { number: 2, ..PLACE },
        // The same letters with the boundary between two fields moved.
        Place { scheme: "atelierep", key_id: "k_1", ..PLACE },
    ] {
        assert_eq!(refused(&keyring, place, &sealed), OpenErrorKind::Refused, "{place}");
    }
}

#[test]
fn a_record_opens_with_its_own_key_only() {
    let ours = Keyring::generate([7; 32]);
    let sealed = ours.seal(PLACE, &secret(), [9; 12]);
    assert_eq!(refused(&Keyring::generate([8; 32]), PLACE, &sealed), OpenErrorKind::UnknownKey);

    let line = line(&[8; 32]);
    let (_, other_key) = line.split_once('/').unwrap();
    let same_id = Keyring::parse(&format!("{}/{other_key}", ours.active_id())).unwrap();
    let error = same_id.open(PLACE, &sealed).unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Refused);
    assert!(error.to_string().contains("secret 1 of ateliere key `pk_1`"), "{error}");
}

#[test]
fn the_first_key_seals_and_every_key_opens() {
    let old = Keyring::generate([7; 32]);
    let sealed = old.seal(PLACE, &secret(), [9; 12]);
    let text = format!("# the second of January\n\n{}  {}", *line(&[8; 32]), *line(&[7; 32]));
    let both = Keyring::parse(&text).unwrap();

    assert_eq!(both.active_id(), Keyring::generate([8; 32]).active_id());
    assert_eq!(both.ids().collect::<Vec<_>>(), [both.active_id(), old.active_id()]);
    assert_eq!(both.open(PLACE, &sealed).unwrap().expose(), secret().expose());
    assert_eq!(both.seal(PLACE, &secret(), [9; 12]).keyring_id, both.active_id());
}

#[test]
fn a_canary_tells_a_missing_key_and_another_key() {
    let ours = Keyring::generate([7; 32]);
    let canary = ours.seal_canary([9; 12]);
    assert_eq!(ours.check_canary(&canary), Ok(()));

    let missing = Keyring::generate([8; 32]).check_canary(&canary).unwrap_err();
    assert!(missing.to_string().contains("use the keyring file"), "{missing}");
    let cause = missing.source().unwrap().to_string();
    let expected = format!("the canary is sealed with keyring key `{}`", ours.active_id());
    assert!(cause.starts_with(&expected), "{cause}");

    let renamed = Sealed::new(Keyring::generate([8; 32]).active_id().to_owned(), canary.record);
    assert!(Keyring::generate([8; 32]).check_canary(&renamed).is_err());
}

#[test]
fn text_that_is_no_keyring_is_refused_with_its_line() {
    let good = line(&[7; 32]);
    let (id, key) = good.trim().split_once('/').unwrap();
    for bad in [
        key,
        &format!("/{key}"),
        &format!("two words/{key}"),
        &format!("{}/{key}", "k".repeat(65)),
        &format!("{id}/"),
        &format!("{id}/{}", &key[..40]),
        &format!("{id}/{}", key.trim_end_matches('=')),
        &format!("{id}/{}", STANDARD.encode([7; 31])),
        &format!("{id}/{}", STANDARD.encode([7; 33])),
        &format!("{id}/{}", STANDARD.encode([0; 32])),
        &format!("{id}/{}", hex::encode([7; 32])),
    ] {
        let error = Keyring::parse(&format!("# comment\n{bad}\n")).unwrap_err();
        assert!(matches!(error, KeyringError::Malformed { line: 2 }), "{bad}: {error:?}");
        assert!(!format!("{error} {error:?}").contains(&key[..40]));
    }
    let twice = Keyring::parse(&good.repeat(2)).unwrap_err();
    assert!(matches!(twice, KeyringError::Duplicate { line: 2 }));
    assert!(matches!(Keyring::parse("# nothing\n\n").unwrap_err(), KeyringError::Empty));
}

#[test]
fn a_keyring_never_prints_a_key() {
    let keyring = Keyring::generate([7; 32]);
    assert_eq!(format!("{keyring:?}"), format!("Keyring({:?}, ..)", keyring.active_id()));
}
