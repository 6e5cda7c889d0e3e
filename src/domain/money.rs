//! Money, and what is paid for with it. Amounts are whole billionths ("nanos") of the one currency that the owner names: a
//! token costs a fraction of a millionth, and sums of fractions must not drift.

use std::fmt;

use crate::domain::conversation::Usage;

const NANOS_OF_ONE: u64 = 1_000_000_000;
/// What prices are quoted for.
pub(crate) const PRICED_TOKENS: u64 = 1_000_000;

/// Three letters of ISO 4217. Nothing is converted: it is only shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Currency([u8; 3]);

impl Currency {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }
}

impl Default for Currency {
    fn default() -> Self {
        Self(*b"USD")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

/// A decimal number such as `5` or `0.15` in nanos, exactly: at most nine digits after the point.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (ones, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_digits(ones) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    ones.parse::<u64>().ok()?.checked_mul(NANOS_OF_ONE)?.checked_add(nanos)
}

/// For people: `12.30 USD`. Two digits after the point from one upwards, four below, and of what would then be nothing all
/// that there are.
pub(crate) fn show(nanos: u64, currency: Currency) -> String {
    format!("{} {currency}", decimal(nanos))
}

/// As [`show`], without the currency.
pub(crate) fn decimal(nanos: u64) -> String {
    let places: u32 = match nanos {
        NANOS_OF_ONE.. => 2,
        100_000.. => 4,
        _ => 9,
    };
    let unit = 10_u64.pow(9 - places);
    let rounded = nanos.saturating_add(unit / 2) / unit;
    let one = 10_u64.pow(places);
    let mut text = format!("{}.{:0width$}", rounded / one, rounded % one, width = places as usize);
    while text.ends_with('0') && text.len() > text.find('.').unwrap_or(0) + 3 {
        text.pop();
    }
    text
}

/// What a model's tokens cost, in nanos each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) input_nanos: u64,
    pub(crate) output_nanos: u64,
}

impl Price {
    pub(crate) fn of(self, usage: Usage) -> u64 {
        let input = self.input_nanos.saturating_mul(u64::from(usage.input_tokens));
        input.saturating_add(self.output_nanos.saturating_mul(u64::from(usage.output_tokens)))
    }

    /// At least as dear as both.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            input_nanos: self.input_nanos.max(other.input_nanos),
            output_nanos: self.output_nanos.max(other.output_nanos),
        }
    }
}

/// What was used, or may yet be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) tokens: u64,
    pub(crate) nanos: u64,
}

impl Charge {
    pub(crate) fn plus(self, more: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(more.tokens), nanos: self.nanos.saturating_add(more.nanos) }
    }

    pub(crate) fn minus(self, less: Self) -> Self {
        Self { tokens: self.tokens.saturating_sub(less.tokens), nanos: self.nanos.saturating_sub(less.nanos) }
    }
}

/// What may be used in a period; none: as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ceiling {
    pub(crate) tokens: Option<u64>,
    pub(crate) nanos: Option<u64>,
}

impl Ceiling {
    pub(crate) fn admits(self, charge: Charge) -> bool {
        self.tokens.is_none_or(|most| charge.tokens <= most) && self.nanos.is_none_or(|most| charge.nanos <= most)
    }
}

/// What may be used in each UTC day and in each UTC month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ceilings {
    pub(crate) day: Ceiling,
    pub(crate) month: Ceiling,
}

impl Ceilings {
    /// Whether any of them is in money: then all that is used must have a price.
    pub(crate) fn are_in_money(&self) -> bool {
        self.day.nanos.or(self.month.nanos).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_decimal_numbers_and_exact() {
        for (text, nanos) in [
            ("0", 0),
            ("5", 5_000_000_000),
            ("0.15", 150_000_000),
            ("1.000000001", 1_000_000_001),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
        }
        for bad in ["", ".5", "5.", "-1", "+1", "1e3", "1,5", "0.0000000001", "18446744073.709551616", "nan", "1_000"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn amounts_are_shown_as_people_write_them() {
        let currency = Currency::parse("EUR").unwrap();
        for (nanos, text) in [
            (0, "0.00 EUR"),
            (1, "0.000000001 EUR"),
            (24_000, "0.000024 EUR"),
            (99_999, "0.000099999 EUR"),
            (100_000, "0.0001 EUR"),
            (12_300_000, "0.0123 EUR"),
            (12_350_000, "0.0124 EUR"),
            (500_000_000, "0.50 EUR"),
            (999_999_999, "1.00 EUR"),
            (1_234_500_000, "1.23 EUR"),
            (1_235_000_000, "1.24 EUR"),
            (1_200_000_000_000, "1200.00 EUR"),
        ] {
            assert_eq!(show(nanos, currency), text);
        }
        assert!(show(u64::MAX, currency).ends_with(" EUR"));
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!(Currency::default().to_string(), "USD");
        for bad in ["", "usd", "US", "EURO", "U$D", "ÄB"] {
            assert_eq!(Currency::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_costs_its_tokens_at_their_price() {
        let price = Price { input_nanos: 150, output_nanos: 600 };
        assert_eq!(price.of(Usage { input_tokens: 1000, output_tokens: 100 }), 210_000);
        assert_eq!(
            Price { input_nanos: u64::MAX, output_nanos: 1 }.of(Usage { input_tokens: 2, output_tokens: 1 }),
            u64::MAX
        );
        let other = Price { input_nanos: 1, output_nanos: 900 };
        assert_eq!(price.max(other), Price { input_nanos: 150, output_nanos: 900 });
    }

    #[test]
    fn a_ceiling_admits_what_reaches_it_and_no_more() {
        let ceiling = Ceiling { tokens: Some(100), nanos: Some(10) };
        assert!(ceiling.admits(Charge { tokens: 100, nanos: 10 }));
        assert!(!ceiling.admits(Charge { tokens: 101, nanos: 0 }));
        assert!(!ceiling.admits(Charge { tokens: 0, nanos: 11 }));
        assert!(Ceiling::default().admits(Charge { tokens: u64::MAX, nanos: u64::MAX }));
    }
}
