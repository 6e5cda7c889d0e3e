//! What a lead holds, and what of it came from whom. Pure.
//!
//! Several visitors may leave one address. When one of them is forgotten, what the others left stays: the lead's history
//! is gone through again without that visitor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::id::VisitorId;

/// All of a lead that a visitor can overwrite, as `lead_history.old` keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LeadValues {
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) fields: BTreeMap<String, String>,
    /// 1: given; 0: refused.
    pub(crate) consent: Option<i64>,
    pub(crate) consent_version: Option<i64>,
    pub(crate) source: Option<String>,
    pub(crate) page_url: Option<String>,
}

/// A change of a lead: who made it, if that is known, and what the lead was after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) visitor: Option<VisitorId>,
    pub(crate) after: LeadValues,
}

/// What is left when only the steps of those visitors count that `counts` admits; `None`: none of the steps is theirs.
/// What a visitor left just as it was before counts as not left.
pub(crate) fn of_some(steps: &[Step], counts: impl Fn(Option<VisitorId>) -> bool) -> Option<LeadValues> {
    let mut kept = None;
    let mut before = &LeadValues::default();
    for step in steps {
        if counts(step.visitor) {
            kept.get_or_insert_with(LeadValues::default).take(&step.after, before);
        }
        before = &step.after;
    }
    kept
}

impl LeadValues {
    /// Takes over what `after` has and `before` had not.
    fn take(&mut self, after: &Self, before: &Self) {
        fn one<T: Clone + PartialEq>(own: &mut Option<T>, after: &Option<T>, before: &Option<T>) {
            if after != before {
                own.clone_from(after);
            }
        }
        one(&mut self.name, &after.name, &before.name);
        one(&mut self.phone, &after.phone, &before.phone);
        one(&mut self.company, &after.company, &before.company);
        one(&mut self.message, &after.message, &before.message);
        one(&mut self.consent, &after.consent, &before.consent);
        one(&mut self.consent_version, &after.consent_version, &before.consent_version);
        one(&mut self.source, &after.source, &before.source);
        one(&mut self.page_url, &after.page_url, &before.page_url);
        let brought = after.fields.iter().filter(|(key, value)| before.fields.get(*key) != Some(*value));
        self.fields.extend(brought.map(|(key, value)| (key.clone(), value.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str, phone: &str, topic: &str) -> LeadValues {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        LeadValues {
            name: some(name),
            phone: some(phone),
            fields: some(topic).into_iter().map(|topic| ("topic".to_owned(), topic)).collect(),
            ..LeadValues::default()
        }
    }

    #[test]
    fn what_others_left_stays_when_one_is_forgotten() {
        let (ann, bob) = (VisitorId::new(), VisitorId::new());
        let steps = [
            Step { visitor: Some(ann), after: values("Ann", "1", "kites") },
            Step { visitor: Some(bob), after: values("Bob", "1", "kites") },
            Step { visitor: Some(ann), after: values("Bob", "1", "strings") },
        ];
        let without = |gone| of_some(&steps, |visitor| visitor != Some(gone));
        assert_eq!(without(ann), Some(values("Bob", "", "")));
        assert_eq!(without(bob), Some(values("Ann", "1", "strings")));
        assert_eq!(of_some(&steps, |visitor| visitor == Some(ann)), Some(values("Ann", "1", "strings")));
    }

    #[test]
    fn of_a_lead_that_was_one_visitors_alone_nothing_is_left() {
        let ann = VisitorId::new();
        let steps = [Step { visitor: Some(ann), after: values("Ann", "", "") }];
        assert_eq!(of_some(&steps, |visitor| visitor != Some(ann)), None);
    }

    #[test]
    fn who_is_not_known_is_somebody_else() {
        let ann = VisitorId::new();
        let steps = [
            Step { visitor: None, after: values("Unknown", "", "") },
            Step { visitor: Some(ann), after: values("Ann", "", "") },
        ];
        assert_eq!(of_some(&steps, |visitor| visitor != Some(ann)), Some(values("Unknown", "", "")));
    }
}
