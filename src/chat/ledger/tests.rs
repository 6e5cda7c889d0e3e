use proptest::prelude::*;

use super::*;
use crate::domain::money::Ceiling;

const DAY: u64 = 24 * 3600;

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).unwrap()
}

/// So many tokens, at ten nanos each.
fn charge(tokens: u64) -> Charge {
    Charge { tokens, nanos: 10 * tokens }
}

fn tokens(most: u64) -> Ceiling {
    Ceiling { tokens: Some(most), nanos: None }
}

fn nanos(most: u64) -> Ceiling {
    Ceiling { tokens: None, nanos: Some(most) }
}

fn a_day(day: Ceiling) -> Ceilings {
    Ceilings { day, month: Ceiling::default() }
}

fn a_month(month: Ceiling) -> Ceilings {
    Ceilings { day: Ceiling::default(), month }
}

const NONE: Ceilings =
    Ceilings { day: Ceiling { tokens: None, nanos: None }, month: Ceiling { tokens: None, nanos: None } };

fn at(text: &str) -> Timestamp {
    Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn days(n: u64) -> Duration {
    Duration::from_secs(n * DAY)
}

#[test]
fn each_of_the_ceilings_holds_against_reservations_and_is_free_again_after_settling() {
    let now = at("2026-11-25T10:00:00Z");
    let (to_midnight, to_december) = (Duration::from_secs(14 * 3600), days(5) + Duration::from_secs(14 * 3600));
    for (own, all, wait) in [
        (a_day(tokens(1000)), NONE, to_midnight),
        (a_day(nanos(10_000)), NONE, to_midnight),
        (a_month(tokens(1000)), NONE, to_december),
        (a_month(nanos(10_000)), NONE, to_december),
        (NONE, a_day(tokens(1000)), to_midnight),
        (NONE, a_day(nanos(10_000)), to_midnight),
        (NONE, a_month(tokens(1000)), to_december),
        (NONE, a_month(nanos(10_000)), to_december),
        (a_day(tokens(1000)), a_month(tokens(1000)), to_december),
    ] {
        let ledger = Ledger::default();
        let reserve = |tokens| ledger.reserve(&agent("demo"), charge(tokens), &own, &all, now);
        let held: Vec<_> = (0..20).filter_map(|_| reserve(300).ok()).collect();
        assert_eq!(held.len(), 3, "{own:?} {all:?}");
        assert_eq!(reserve(300).err().map(|full| full.wait), Some(wait), "{own:?} {all:?}");
        held.into_iter().for_each(|reservation| reservation.settle(charge(100)));
        assert!(reserve(700).is_ok(), "and it is given back here, dropped unsettled");
        assert!(reserve(701).is_err());
    }
}

#[test]
fn that_a_ceiling_is_reached_is_new_once_in_its_period() {
    let ledger = Ledger::default();
    let (own, all) = (a_day(tokens(100)), a_month(tokens(300)));
    let refused = |charged, now| {
        let full = ledger.reserve(&agent("demo"), charge(charged), &own, &all, at(now)).err().unwrap();
        (full.agents_is_new, full.alls_is_new)
    };
    assert_eq!(refused(200, "2026-11-25T10:00:00Z"), (true, false));
    assert_eq!(refused(200, "2026-11-25T11:00:00Z"), (false, false), "told");
    assert_eq!(refused(400, "2026-11-25T11:00:00Z"), (false, true), "the one of all agents has its own");
    assert_eq!(refused(400, "2026-11-26T00:00:00Z"), (true, false), "a new day, the same month");
}

#[test]
fn an_agents_ceiling_is_its_own_and_that_of_all_is_shared() {
    let (ledger, now) = (Ledger::default(), at("2026-11-25T10:00:00Z"));
    let reserve = |id, own, all| ledger.reserve(&agent(id), charge(600), &own, &all, now);
    reserve("a", a_day(tokens(1000)), NONE).unwrap().settle(charge(600));
    assert!(reserve("a", a_day(tokens(1000)), NONE).is_err());
    reserve("b", a_day(tokens(1000)), NONE).unwrap().settle(charge(600));
    assert!(reserve("c", a_day(tokens(1000)), a_day(tokens(1799))).is_err());
    assert!(reserve("c", a_day(tokens(1000)), a_day(tokens(1800))).is_ok());
}

#[test]
fn a_new_day_begins_at_zero_and_its_month_goes_on() {
    let ledger = Ledger::default();
    let reserve = |all, now| ledger.reserve(&agent("demo"), charge(600), &NONE, &all, at(now));
    reserve(NONE, "2026-11-29T23:59:59Z").unwrap().settle(charge(600));
    assert!(reserve(a_day(tokens(1000)), "2026-11-29T23:59:59.999Z").is_err());
    assert!(reserve(a_day(tokens(1000)), "2026-11-30T00:00:00Z").is_ok());
    assert_eq!(
        reserve(a_month(tokens(1000)), "2026-11-30T23:59:59Z").err().map(|full| full.wait),
        Some(Duration::from_secs(1))
    );
    assert!(reserve(a_month(tokens(1000)), "2026-12-01T00:00:00Z").is_ok());
}

#[test]
fn what_is_settled_after_its_period_counts_in_no_other() {
    let ledger = Ledger::default();
    let reserve = |now| ledger.reserve(&agent("demo"), charge(600), &a_month(tokens(1000)), &NONE, at(now));
    let late = reserve("2026-11-30T23:59:59Z").unwrap();
    reserve("2026-12-01T00:00:00Z").unwrap().settle(charge(400));
    late.settle(charge(1000));
    assert!(reserve("2026-12-01T00:00:01Z").is_ok());
    assert!(
        ledger.reserve(&agent("demo"), charge(601), &a_month(tokens(1000)), &NONE, at("2026-12-01T00:00:01Z")).is_err()
    );
}

#[test]
fn a_restart_goes_on_from_what_is_stored_and_all_is_the_sum_of_the_agents() {
    let (ledger, now) = (Ledger::default(), at("2026-11-25T10:00:00Z"));
    let today = Period::of_day(now.day());
    let stored = |a, b| vec![(agent("a"), charge(a)), (agent("gone"), charge(b))];
    ledger.resume(Span::Day, today, stored(300, 100));
    ledger.resume(Span::Day, Period::of_day(today.next_day), stored(0, 0));
    ledger.resume(Span::Month, Period::of_month(now.day()), stored(700, 200));
    let reserve = |own: Ceilings, all: Ceilings, n| ledger.reserve(&agent("a"), charge(n), &own, &all, now).is_ok();
    assert!(reserve(a_day(tokens(1000)), NONE, 700) && !reserve(a_day(tokens(1000)), NONE, 701));
    assert!(reserve(a_month(nanos(10_000)), NONE, 300) && !reserve(a_month(nanos(10_000)), NONE, 301));
    assert!(reserve(NONE, a_day(tokens(1000)), 600) && !reserve(NONE, a_day(tokens(1000)), 601));
    assert!(reserve(NONE, a_month(tokens(1000)), 100) && !reserve(NONE, a_month(tokens(1000)), 101));
}

#[test]
fn a_clock_that_steps_back_does_not_begin_at_zero() {
    let ledger = Ledger::default();
    ledger.resume(Span::Day, Period::of_day(1), vec![(agent("demo"), charge(900))]);
    let day = Timestamp::of_day;
    let reserve =
        |tokens_wanted, now| ledger.reserve(&agent("demo"), charge(tokens_wanted), &a_day(tokens(1000)), &NONE, now);
    assert!(reserve(200, day(1)).is_err());
    let yesterdays = reserve(100, day(1)).unwrap();
    reserve(1000, day(2)).unwrap().settle(charge(1000));
    yesterdays.settle(charge(50));
    assert!(reserve(1, day(2)).is_err(), "yesterday's settling gave nothing to today");
    assert_eq!(reserve(1, day(1)).err().map(|full| full.wait), Some(days(2)));
    reserve(0, day(900)).unwrap();
    assert_eq!(
        ledger.reserve(&agent("demo"), charge(1), &a_day(tokens(0)), &NONE, day(3)).err().map(|full| full.wait),
        Some(days(2))
    );
}

/// What a random life of the ledger is made of; a number chooses among the reservations that are held.
#[derive(Clone, Debug)]
enum Step {
    Reserve {
        agent: usize,
        tokens: u64,
    },
    /// So many permille of what was reserved were used.
    Settle(usize, u64),
    Drop(usize),
    NextDay,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_usize..2, 0_u64..600).prop_map(|(agent, tokens)| Step::Reserve { agent, tokens }),
        3 => (any::<usize>(), 0_u64..=1000).prop_map(|(which, used)| Step::Settle(which, used)),
        2 => any::<usize>().prop_map(Step::Drop),
        1 => Just(Step::NextDay),
    ];
    prop::collection::vec(step, 1..120)
}

fn ceiling(most: [u64; 2]) -> Ceiling {
    Ceiling { tokens: Some(most[0]), nanos: Some(most[1]) }
}

fn ceilings() -> impl Strategy<Value = Ceilings> {
    let ceiling = || [0_u64..2000, 0_u64..20_000].prop_map(ceiling);
    (ceiling(), ceiling()).prop_map(|(day, month)| Ceilings { day, month })
}

proptest! {
    /// Against a plain sum over all that was ever reserved, over the end of a month.
    #[test]
    fn no_ceiling_is_ever_passed_and_nothing_that_fits_is_refused(
        steps in steps(),
        own in [ceilings(), ceilings()],
        all in ceilings(),
    ) {
        let (ledger, ids) = (Ledger::default(), [agent("a"), agent("b")]);
        let mut now = at("2026-11-27T12:00:00Z");
        // The agent, when it was reserved, and what it counts for.
        let mut entries: Vec<(usize, Timestamp, Charge)> = Vec::new();
        let mut held: Vec<(usize, Reservation)> = Vec::new();
        for step in steps {
            match step {
                Step::Reserve { agent, tokens } => {
                    let sum = |span: Span, of: Option<usize>| {
                        let in_period = |at: Timestamp| span.around(at.day()) == span.around(now.day());
                        let counted = entries.iter().filter(|(agent, at, _)| of.is_none_or(|of| of == *agent) && in_period(*at));
                        counted.fold(charge(tokens), |sum, (_, _, charge)| sum.plus(*charge))
                    };
                    let fits = |of, most: &Ceilings| most.day.admits(sum(Span::Day, of)) && most.month.admits(sum(Span::Month, of));
                    let expected = fits(Some(agent), &own[agent]) && fits(None, &all);
                    let reserved = ledger.reserve(&ids[agent], charge(tokens), &own[agent], &all, now);
                    prop_assert_eq!(reserved.is_ok(), expected);
                    if let Ok(reservation) = reserved {
                        held.push((entries.len(), reservation));
                        entries.push((agent, now, charge(tokens)));
                    }
                }
                Step::Settle(which, permille) if !held.is_empty() => {
                    let (entry, reservation) = held.swap_remove(which % held.len());
                    entries[entry].2 = charge(entries[entry].2.tokens * permille / 1000);
                    reservation.settle(entries[entry].2);
                }
                Step::Drop(which) if !held.is_empty() => {
                    let (entry, reservation) = held.swap_remove(which % held.len());
                    entries[entry].2 = Charge::default();
                    drop(reservation);
                }
                Step::NextDay => now = now.plus(days(1)),
                Step::Settle(..) | Step::Drop(_) => {}
            }
        }
    }
}
