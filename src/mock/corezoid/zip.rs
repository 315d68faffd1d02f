//! Archives of files in the ZIP format (PKWARE's APPNOTE 6.3), stored and not compressed.

/// Writes files into an archive.
pub(super) fn archive(files: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let (mut archive, mut directory, mut count) = (Vec::new(), Vec::new(), 0_u16);
    for (name, content) in files {
        let offset = length(&archive);
        let description = description(&name, &content);
        archive.extend(b"PK\x03\x04");
        archive.extend(&description);
        archive.extend(name.as_bytes());
        archive.extend(&content);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&description);
        // No comment, the first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        count = count.saturating_add(1);
    }
    let offset = length(&archive);
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00");
    archive.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    archive.extend(length(&directory).to_le_bytes());
    archive.extend(offset.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

/// What both headers of a file say: version 2.0, names in UTF-8, stored, no date, checksum and lengths.
fn description(name: &str, content: &[u8]) -> Vec<u8> {
    let mut description = vec![0x14, 0, 0, 0x08, 0, 0, 0, 0, 0x21, 0];
    description.extend(checksum(content).to_le_bytes());
    description.extend(length(content).to_le_bytes());
    description.extend(length(content).to_le_bytes());
    description.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    description.extend([0, 0]);
    description
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// CRC-32 (ISO 3309), bit by bit: archives here are small.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standard_s() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(b""), 0);
    }
}
