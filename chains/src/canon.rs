//! One way to write things down as bytes, for hashing and signing.

/// Writes values so that two different values never give the same bytes: every field has a fixed width or its length in
/// front, and integers are big-endian. What is signed is always these bytes, whatever format carried it here.
#[derive(Default)]
pub struct Canon(Vec<u8>);

impl Canon {
    /// Starts with a tag that says what is being written, so that no two kinds of message share bytes.
    pub fn tagged(tag: &str) -> Self {
        Self::default().text(tag)
    }

    /// One byte.
    #[must_use]
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Eight bytes.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Sixteen bytes.
    #[must_use]
    pub fn u128(mut self, value: u128) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Its length, then its bytes.
    #[must_use]
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend((value.len() as u64).to_be_bytes());
        self.0.extend(value);
        self
    }

    /// Its length, then its UTF-8.
    #[must_use]
    pub fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    /// Zero for nothing; else one, then the number.
    #[must_use]
    pub fn optional_u64(self, value: Option<u64>) -> Self {
        match value {
            None => self.u8(0),
            Some(value) => self.u8(1).u64(value),
        }
    }

    /// The bytes written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn moving_a_byte_between_two_fields_changes_the_bytes(left: Vec<u8>, right: Vec<u8>, left2: Vec<u8>, right2: Vec<u8>) {
            let one = Canon::tagged("t").bytes(&left).bytes(&right).finish();
            let two = Canon::tagged("t").bytes(&left2).bytes(&right2).finish();
            prop_assert_eq!(one == two, left == left2 && right == right2);
        }
    }
}
