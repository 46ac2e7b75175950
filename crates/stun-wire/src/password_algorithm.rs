use crate::AttributeError;

/// How a long-term password becomes a key (RFC 8489 §18.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum PasswordAlgorithm {
    /// 0x0001, and what a request without PASSWORD-ALGORITHM means.
    Md5 = 1,
    /// 0x0002.
    Sha256 = 2,
}

impl PasswordAlgorithm {
    /// Reads the number of an algorithm; `None` for any other than 1 and 2.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Md5),
            2 => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Returns the number of the algorithm.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Writes `number length`: neither algorithm has parameters.
    pub(crate) const fn encode(self) -> [u8; ENTRY_LEN] {
        let [high, low] = self.number().to_be_bytes();
        [high, low, 0, 0]
    }

    /// Reads what `encode` writes.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, AttributeError> {
        let &[n0, n1, 0, 0] = value else {
            return Err(AttributeError::Length);
        };
        Self::from_number(u16::from_be_bytes([n0, n1])).ok_or(AttributeError::Value)
    }
}

/// Length of one algorithm in bytes (RFC 8489 §14.11).
pub(crate) const ENTRY_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registered_numbers_are_md5_and_sha256() {
        for number in 0..=u16::MAX {
            let algorithm = PasswordAlgorithm::from_number(number);
            assert_eq!(algorithm.is_some(), (1..=2).contains(&number), "{number}");
            assert!(algorithm.is_none_or(|algorithm| algorithm.number() == number));
        }
    }

    #[test]
    fn an_algorithm_with_parameters_or_without_a_length_is_malformed() {
        assert_eq!(
            PasswordAlgorithm::decode(&[0, 2, 0, 0]),
            Ok(PasswordAlgorithm::Sha256)
        );
        assert_eq!(
            PasswordAlgorithm::decode(&[0, 3, 0, 0]),
            Err(AttributeError::Value)
        );
        for value in [
            &[][..],
            &[0, 2],
            &[0, 2, 0, 4, 1, 2, 3, 4],
            &[0, 2, 0, 4],
            &[0, 2, 0, 0, 0, 1, 0, 0],
        ] {
            assert_eq!(
                PasswordAlgorithm::decode(value),
                Err(AttributeError::Length),
                "{value:?}"
            );
        }
    }
}
