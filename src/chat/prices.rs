//! What the models of an agent cost. Pure.

use crate::domain::conversation::Usage;
use crate::domain::money::{Charge, Price};

/// The prices of a chain, by the names of its models. One that is not in it costs nothing, as the builtin one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prices(Vec<(String, Price)>);

impl Prices {
    pub(crate) fn new(prices: Vec<(String, Price)>) -> Self {
        Self(prices)
    }

    /// What `usage` of the model costs.
    pub(super) fn of(&self, model: &str, usage: Usage) -> Charge {
        let price = self.0.iter().find(|(name, _)| name == model).map_or_else(Price::default, |(_, price)| *price);
        charge(price, usage)
    }

    /// What `usage` costs at most, if it is not known whose it was.
    pub(super) fn at_most(&self, usage: Usage) -> Charge {
        charge(self.0.iter().fold(Price::default(), |dearest, (_, price)| dearest.max(*price)), usage)
    }
}

fn charge(price: Price, usage: Usage) -> Charge {
    Charge { tokens: usage.total(), nanos: price.of(usage) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answered_is_paid_and_the_dearest_if_nobody_is_known() {
        let price = |input_nanos, output_nanos| Price { input_nanos, output_nanos };
        let prices = Prices::new(vec![("a".into(), price(10, 1)), ("b".into(), price(2, 30))]);
        let usage = Usage { input_tokens: 100, output_tokens: 10 };
        let charge = |nanos| Charge { tokens: 110, nanos };
        assert_eq!(prices.of("a", usage), charge(1010));
        assert_eq!(prices.of("b", usage), charge(500));
        assert_eq!(prices.of("builtin", usage), charge(0));
        assert_eq!(prices.at_most(usage), charge(1300));
    }
}
