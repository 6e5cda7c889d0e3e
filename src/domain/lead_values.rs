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
    /// The history's row that says who made it; the first step has none.
    pub(crate) row: Option<i64>,
    pub(crate) visitor: Option<VisitorId>,
    pub(crate) after: LeadValues,
}

/// The same history as if `visitor` had never been there. What the others left just as it was before counts as not left.
pub(crate) fn without(steps: &[Step], visitor: VisitorId) -> Vec<Step> {
    of_some(steps, |maker| maker != Some(visitor))
}

/// What `visitor` alone has left; none: nothing.
pub(crate) fn left_by(steps: &[Step], visitor: VisitorId) -> Option<LeadValues> {
    of_some(steps, |maker| maker == Some(visitor)).pop().map(|step| step.after)
}

fn of_some(steps: &[Step], counts: impl Fn(Option<VisitorId>) -> bool) -> Vec<Step> {
    let mut kept: Vec<Step> = Vec::new();
    let mut before = &LeadValues::default();
    for step in steps {
        if counts(step.visitor) {
            let mut after = kept.last().map_or_else(LeadValues::default, |last| last.after.clone());
            after.take(&step.after, before);
            kept.push(Step { after, ..step.clone() });
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

    fn steps(list: &[(Option<VisitorId>, LeadValues)]) -> Vec<Step> {
        let step = |(visitor, after): &(Option<VisitorId>, LeadValues)| Step {
            row: None,
            visitor: *visitor,
            after: after.clone(),
        };
        list.iter().map(step).collect()
    }

    #[test]
    fn what_others_left_stays_theirs_when_one_is_forgotten() {
        let (ann, bob, cem) = (VisitorId::new(), VisitorId::new(), VisitorId::new());
        let all = steps(&[
            (Some(ann), values("Ann", "1", "kites")),
            (Some(bob), values("Bob", "1", "kites")),
            (Some(ann), values("Bob", "1", "strings")),
            (Some(cem), values("Bob", "7", "strings")),
        ]);
        let without_ann = steps(&[(Some(bob), values("Bob", "", "")), (Some(cem), values("Bob", "7", ""))]);
        assert_eq!(without(&all, ann), without_ann);
        assert_eq!(without(&without_ann, bob), steps(&[(Some(cem), values("", "7", ""))]));
        assert_eq!(left_by(&all, ann), Some(values("Ann", "1", "strings")));
        assert_eq!(left_by(&without_ann, bob), Some(values("Bob", "", "")));
    }

    #[test]
    fn of_a_lead_that_was_one_visitors_alone_nothing_is_left() {
        let ann = VisitorId::new();
        assert_eq!(without(&steps(&[(Some(ann), values("Ann", "", ""))]), ann), []);
    }

    #[test]
    fn who_is_not_known_is_somebody_else() {
        let ann = VisitorId::new();
        let all = steps(&[(None, values("Unknown", "", "")), (Some(ann), values("Ann", "", ""))]);
        assert_eq!(without(&all, ann), steps(&[(None, values("Unknown", "", ""))]));
    }
}
